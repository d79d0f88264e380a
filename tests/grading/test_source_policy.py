"""The rule on whose code may be used, read from the text: never stricter than what the student saw."""

from __future__ import annotations

import pytest

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


def test_code_made_to_break_the_reader_is_passed_over():
    assert refused("x = " + "(" * 5000 + ")" * 5000, "y = 1" + "+1" * 50_000, "def f(x): return 1") is None
