"""The figure's HTML: the same bytes every time, safe for any text, and no module that a page cannot run."""

import json
import re
import subprocess
import sys

import pytest

from lmcourse.figures import Figure
from lmcourse.figures.figure import _HERE

MODULE = "export default { render({ model, el }) { el.append(lm.h('p', {}, model.get('word'))); } };\n"
TEXTS = {
    "title": "A title",
    "caption": "What to look at.",
    "alt": "What it shows.",
    "fallback": "Still text.",
}


def make(module=MODULE, data=None, **changes) -> Figure:
    return Figure(module, {"word": "low"} if data is None else data, **{**TEXTS, **changes})


def data_of(figure: Figure) -> dict:
    return json.loads(re.search(r'class="lm-data">(.*?)</script>', figure.html(), re.S)[1])


def test_two_builds_are_byte_equal_also_across_processes():
    build = (
        "from lmcourse.figures import Figure;"
        f"print(Figure({MODULE!r}, {{'word': 'low', 'words': ['a', 'b']}}, **{TEXTS!r}).html())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", build],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(_HERE.parent.parent), "PYTHONUTF8": "1"},
        )
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout
    assert runs[0].stdout.strip() == make(data={"word": "low", "words": ["a", "b"]}).html()


@pytest.mark.parametrize(
    "changed",
    [
        {"title": "Another"},
        {"caption": "Another"},
        {"alt": "Another"},
        {"fallback": "Another"},
        {"data": {"word": "lower"}},
        {"state": {"step": 1}},
        {"css": ".lm-x { color: red }"},
        {"module": MODULE + "// more\n"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_id_follows_the_content(changed):
    assert make(**changed).id != make().id


def test_mimebundle_has_html_and_a_stable_text_but_no_widget_view():
    figure = make()
    bundle = figure._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert bundle["text/plain"] == repr(figure) == "Figure('A title')"


def test_html_needs_nothing_from_elsewhere():
    html = make().html().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|\bsrc=|\bhref=|@import|url\(", html)


@pytest.mark.parametrize(
    "word",
    ["</script><script>alert(1)</script>", "<!--<script>", "a\u2028b", "\ud800", "<b>", "&lt;", "\0", "😀"],
)
def test_any_token_survives_the_way_into_the_page(word):
    figure = make(data={"word": word})
    assert data_of(figure) == {"word": word}
    assert figure.html().count("</script>") == 2
    figure.html().encode()  # no lone surrogate is left to break the file


def test_texts_and_tables_are_escaped():
    html = make(title='<b>"', caption="<i>", alt="a & b", fallback=[("<u>", "n"), ("</td>", 3)]).html()
    visible = html.split("</style>", 1)[1].split("<script", 1)[0]
    assert not re.search(r"<(b|i|u)>", visible)
    assert 'aria-label="&lt;b&gt;&quot;"' in html
    assert "<td>&lt;/td&gt;</td><td>3</td>" in html


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("import x from './x.js';\n" + MODULE, r"'import' \(line 1\)"),
        (MODULE + "const y = await import('./x.js');", r"'import\(' \(line 2\)"),
        (MODULE + "import.meta.url;", "import"),
        (MODULE + "const end = '</script>';", r"'</script'"),
        (MODULE + "const end = '</SCRIPT >';", r"'</SCRIPT'"),
        (MODULE + "const note = '<!--';", "'<!--'"),
        (MODULE + "document.body.innerHTML = '';", r"lm\.h\(\)"),
        (MODULE + "document.body.insertAdjacentHTML('x', '');", r"lm\.h\(\)"),
        (MODULE + "export const more = 1;", "'export'"),
        (MODULE + "eval('1');", "eval"),
        (MODULE + MODULE, "exactly one line .* got 2"),
        ("const render = () => {};", "exactly one line .* got 0"),
        ([MODULE, MODULE], "no line .* got 1"),
    ],
)
def test_bad_module_is_refused_with_its_reason(module, message):
    with pytest.raises(ValueError, match=message):
        make(module)


def test_a_path_is_named_in_the_error(tmp_path):
    path = tmp_path / "broken.js"
    path.write_text("// first\nimport x from 'x';\n" + MODULE, encoding="utf-8")
    with pytest.raises(ValueError, match=r"'broken\.js' must not contain 'import' \(line 2\)"):
        make(path)


def test_words_that_only_look_like_imports_are_allowed():
    make("// important: export this by hand\nconst important = 1;\n" + MODULE)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"alt": " "}, ValueError, "'alt'"),
        ({"title": ""}, ValueError, "'title'"),
        ({"caption": None}, ValueError, "'caption'"),
        ({"fallback": ""}, ValueError, "'fallback'"),
        ({"state": {"word": 1}}, ValueError, r"\['word'\] in both"),
        ({"data": {"not a name": 1}}, ValueError, "identifiers"),
        ({"data": {"x": float("nan")}}, TypeError, "JSON"),
        ({"data": {"x": {1, 2}}}, TypeError, "JSON"),
        ({"css": "</style>"}, ValueError, "'css'"),
    ],
)
def test_bad_arguments_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        make(**changes)


def test_live_figure_has_a_trait_for_each_value_and_the_same_module():
    widget = make(state={"step": 2}).live()
    assert (widget.word, widget.step) == ("low", 2)
    assert widget.figure_texts["alt"] == TEXTS["alt"]
    assert {"word", "step", "figure_texts", "_esm", "_css"} <= set(widget.keys)
    assert MODULE.removeprefix("export default") in widget._esm
    assert len(re.findall(r"^export\b", widget._esm, re.M)) == 1


def test_live_figures_with_other_styles_are_other_classes():
    """anywidget replaces the style sheet of a class, so two figures must not share one."""
    names = {type(make(css=css).live()).__qualname__ for css in (".lm-x {}", ".lm-y {}")}
    assert len(names) == 2


def test_live_figure_refuses_names_that_widgets_use():
    with pytest.raises(ValueError, match=r"\['layout'\]"):
        make(data={"layout": 1}).live()


def test_styles_touch_only_their_own_figures():
    """Each figure brings its styles to the whole page, and the shared ones come again with the next figure: so
    every rule is scoped, and a figure's own rules name its own classes and outweigh the shared ones."""
    for path in _HERE.parent.rglob("*.css"):
        css = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for selectors in re.findall(r"(?:^|[{}])\s*([^@{}]+?)\s*\{", css):
            assert ".lm-figure" in selectors, f"{path.name}: {selectors!r} is not scoped to .lm-figure"
            for selector in selectors.split(",") if path.parent != _HERE else ():
                own = re.match(r"\s*(\.lm-figure){3} .*\.lm-[a-z]+-[a-z]", selector)
                assert own, (
                    f"{path.name}: {selector!r} must be .lm-figure three times, then a class of its own"
                )
