"""The rule on whose code may be used, read from the text: never stricter than what the student saw."""

from __future__ import annotations

import pytest

from lmcourse.authoring.chapter import namespace_of
from lmcourse.exercises.policy import refusal
from lmcourse.grading.judging.source_policy import Names, source_refusal


def refused(*cells: str, allow: tuple[str, ...] = ()) -> str | None:
    return source_refusal(Names.of(cells), "f", allow)


@pytest.mark.parametrize(
    "cells",
    [
        ("import tiktoken\ndef f(x): return tiktoken.get_encoding(x)",),
        ("from tokenizers import Tokenizer as T", "def f(x): return g(x)", "def g(x): return T(x)"),
        ("def f(x):\n    import lmcourse.tokens as t\n    return t.f(x)",),
        ("def f(x):\n    def inner():\n        from transformers import AutoTokenizer\n    return inner()",),
        ("def f(x): return eval('x')",),
        ("def f(x): return __import__('tiktoken')",),
        ("try:\n    import tiktoken\nexcept ImportError:\n    pass\ndef f(x): return tiktoken",),
        ("class A:\n    def go(self): return open('x')\ndef f(x): return A().go()",),
        ("from lmcourse.tokens.merging import merge as f",),
        ("import lmcourse.tokens as t\nf = t.merge_pair",),
        ("%%time\nimport tiktoken", "def f(x): return tiktoken"),
    ],
)
def test_what_is_not_the_students_own_is_refused(cells):
    assert refused(*cells)


@pytest.mark.parametrize(
    "cells",
    [
        ("import math, torch.nn.functional as F\ndef f(x): return math.sqrt(x) + F.relu(x)",),
        ("import tiktoken\nprint(tiktoken)", "def f(x): return x"),
        ("def f(tiktoken): return tiktoken.x", "import tiktoken"),
        ("import re\ndef f(x): return re.compile(x)",),
        ("def open(x): return x\ndef f(x): return open(x)",),
        ("def f(x): return undefined(x)",),
        ("def f(:", "def f(x): return 1"),
        ("from tokenizers import f", "def f(x): return 1"),
        ("vars = {'a': 1}", "def f(x): return vars[x]"),
        ("import functools, sys\n@functools.cache\ndef g(x): return sys.maxsize", "def f(x): return g(x)"),
        ("from os import path; path = 3", "def f(x): return path"),
        ("def make(vars):\n    def inner(x): return vars\n    return inner\nf = make(1)",),
        ("import sys\nfor sys in range(3): pass", "def f(x): return sys"),
    ],
)
def test_own_code_is_not_refused(cells):
    assert refused(*cells) is None


def test_what_an_exercise_allows_is_allowed():
    cells = ("from lmcourse.attention import scores\ndef f(x): return scores(x)",)
    assert refused(*cells)
    assert refused(*cells, allow=("lmcourse.attention",)) is None


TORCH_HAS = ("scaled_dot_product_attention", "MultiheadAttention")
FUNCTIONAL = "import torch, torch.nn.functional as F\nfrom torch import nn"


@pytest.fixture
def both(tmp_path):
    """What the student's notebook says of f, and what its text does."""

    def say(*cells: str) -> tuple[str | None, str | None]:
        path = tmp_path / "attempt.py"
        path.write_text("\n\n".join(cells))
        student = refusal(namespace_of(path)["f"], (), TORCH_HAS)
        return student, source_refusal(Names.of(cells), "f", (), TORCH_HAS)

    return say


@pytest.mark.parametrize(
    "cells",
    [
        (FUNCTIONAL, "def f(q): return F.scaled_dot_product_attention(q, q, q)"),
        (FUNCTIONAL, "def f(q): return torch.nn.functional.scaled_dot_product_attention(q, q, q)"),
        (
            "from torch.nn.functional import scaled_dot_product_attention as sdpa",
            "def f(q): return sdpa(q, q, q)",
        ),
        (FUNCTIONAL, "x = F.scaled_dot_product_attention\nz = x", "def f(q): return z(q, q, q)"),
        (FUNCTIONAL, "x = F.scaled_dot_product_attention\nx = x", "def f(q): return x(q, q, q)"),
        (FUNCTIONAL, "def g(q): return nn.MultiheadAttention(8, 1)(q, q, q)", "def f(q): return g(q)"),
        (FUNCTIONAL, "def g(q): return nn.MultiheadAttention(8, 1)(q, q, q)", "h = g", "def f(q): return h(q)"),
        (FUNCTIONAL, "def g(q): return nn.MultiheadAttention(8, 1)(q, q, q)", "f = g"),
        ("def f(q):\n    import torch.nn.functional as G\n    return G.scaled_dot_product_attention(q, q, q)",),
        ("def f(q):\n    import torch\n    return [torch.nn.MultiheadAttention(8, 1) for _ in q]",),
        ("def f(q):\n    from torch.nn.functional import scaled_dot_product_attention as a\n    return a(q, q, q)",),
        (
            "def f(q):\n    from torch.nn import functional as G\n"
            "    def inner(x): return G.scaled_dot_product_attention(x, x, x)\n    return inner(q)",
        ),
        (
            FUNCTIONAL,
            "class A(nn.Module):\n    def forward(self, q): return F.scaled_dot_product_attention(q, q, q)",
            "def f(q): return A()(q)",
        ),
        (FUNCTIONAL, "def f(q): return (lambda: F.scaled_dot_product_attention)()(q, q, q)"),
    ],
)  # fmt: skip
def test_what_an_exercise_refuses_is_told_by_the_notebook_and_by_its_text(both, cells):
    for said in both(*cells):
        assert said
        assert said.split(maxsplit=1)[1] in [
            f"uses {name}: this exercise is answered with your own code." for name in TORCH_HAS
        ]


@pytest.mark.parametrize(
    "cells",
    [
        (FUNCTIONAL, "attention = nn.MultiheadAttention(8, 1)", "def f(q): return attention(q, q, q)"),
        (FUNCTIONAL, "class A(nn.MultiheadAttention): pass", "def f(q): return A(8, 1)(q, q, q)"),
    ],
)
def test_what_only_the_running_notebook_shows_is_told_there(both, cells):
    assert "uses MultiheadAttention" in both(*cells)[0]


@pytest.mark.parametrize(
    "cells",
    [
        (FUNCTIONAL, "def scaled_dot_product_attention(q): return q", "def f(q): return scaled_dot_product_attention(q)"),
        (
            FUNCTIONAL,
            "class Own:\n    def __getattr__(self, name): return {}[name]\n"
            "    def scaled_dot_product_attention(self, q): return q",
            "own = Own()",
            "def f(q): return own.scaled_dot_product_attention(q)",
        ),
        (
            "class F:\n    @staticmethod\n    def scaled_dot_product_attention(q): return q",
            "def f(q): return F.scaled_dot_product_attention(q)",
        ),
        (FUNCTIONAL, "class F:\n    MultiheadAttention = 1", "def f(q): return F.MultiheadAttention"),
        (
            "from torch.nn import MultiheadAttention",
            "def MultiheadAttention(q): return q",
            "def f(q): return MultiheadAttention(q)",
        ),
        (FUNCTIONAL, "print(F.scaled_dot_product_attention)", "def f(q): return F.softmax(q, 0)"),
        (FUNCTIONAL, "def f(F): return F.scaled_dot_product_attention", "g = F.scaled_dot_product_attention"),
        (FUNCTIONAL, "MultiheadAttention = 3", "def f(q): return q * MultiheadAttention"),
        (FUNCTIONAL, "def f(q):\n    scaled_dot_product_attention = q\n    return scaled_dot_product_attention"),
        (FUNCTIONAL, "def f(q):\n    'Not with F.scaled_dot_product_attention.'\n    return q"),
        (
            FUNCTIONAL,
            "def f(q):\n    F = Own(q)\n    def inner(): return F.scaled_dot_product_attention\n    return inner()",
        ),
        (
            "def f(q):\n    import torch.nn.functional as F\n"
            "    def inner(F): return F.scaled_dot_product_attention\n    return inner(q) + F.relu(q)",
        ),
        (FUNCTIONAL, "def f(q): return torch.zeros(()), (), q[()], [x for x in (1, 2, ())], {**{}}, q[1:2]"),
        # What has been computed before an answer is asked is not looked at: by neither.
        (
            FUNCTIONAL,
            "def g(): return F.scaled_dot_product_attention",
            "class A:\n    name = g().__name__\n    def go(self): return 1",
            "def f(q): return A().go()",
        ),
        (
            FUNCTIONAL,
            "class A:\n    @property\n    def go(self): return F.scaled_dot_product_attention",
            "def f(q): return A().go",
        ),
        (
            FUNCTIONAL,
            "def make():\n    F.scaled_dot_product_attention\n    def inner(q): return q\n    return inner",
            "f = make()",
        ),
    ],
)  # fmt: skip
def test_own_things_of_a_refused_name_are_not_refused(both, cells):
    assert both(*cells) == (None, None)


def test_code_made_to_break_the_reader_is_passed_over():
    assert refused("x = " + "(" * 5000 + ")" * 5000, "y = 1" + "+1" * 50_000, "def f(x): return 1") is None
