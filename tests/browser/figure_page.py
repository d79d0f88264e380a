"""What the tests of all figures have in common: a page to put them on, their numbers, a live model without a kernel, and
what every figure must satisfy."""

from pathlib import Path
from typing import ClassVar

import pytest

from lmcourse.figures import Figure

LIVE = """async ([esm, values]) => {
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const module = (await import(url)).default;
  const listeners = {}, saved = [];
  const model = { get: (key) => values[key], save_changes: () => saved.push({ ...values }),
    set(key, value) { values[key] = value; (listeners["change:" + key] ?? []).forEach((f) => f()); },
    on(names, f) { for (const name of names.split(" ")) (listeners[name] ??= []).push(f); },
    off(names, f) { for (const name of names.split(" ")) listeners[name] = listeners[name].filter((g) => g !== f); } };
  const el = document.querySelector("main");
  const stop = await module.render({ model, el });
  Object.assign(window, { model, saved, stop, listeners });
}"""


def write_page(folder: Path, *figures: Figure) -> Path:
    """A page that has nothing but figures; it takes its own colours from the theme as pages do."""
    path = folder / "page.html"
    path.write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Figures</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        '<style>body { margin: 0 auto; max-width: 52rem; padding: 0 16px; } html[data-theme="dark"] '
        "{ background: #14181e; color: #ced6dd; }</style></head><body><main><h1>Figures</h1>"
        + "\n".join(figure.html() for figure in figures)
        + "</main></body></html>",
        encoding="utf-8",
    )
    return path


def stat(figure, key: str) -> float:
    return float(figure.locator(f"[data-stat={key}]").get_attribute("data-value"))


class FigureChecks:
    """What holds for every figure, whatever it shows. A test file derives a class from it, `class TestEveryFigure`.

    It needs the module's fixture `build` (name -> Figure), and says here which figures there are and how they are worked.
    """

    # The name of each figure: what Python may set, and to what, to be seen on the page.
    live: ClassVar[dict[str, tuple[str, object]]]
    fewest_stops = 3  # of the Tab key, at least

    def use(self, figure, name: str) -> None:
        """Bring a figure into a state in which everything it can show is shown."""
        raise NotImplementedError

    def pytest_generate_tests(self, metafunc) -> None:
        if "name" in metafunc.fixturenames:
            metafunc.parametrize("name", list(self.live))

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_figure_is_accessible_and_readable(self, show, axe, poor_contrast, name, theme):
        page, figure = show(name, theme=theme)
        self.use(figure, name)
        assert axe(page, ".lm-figure") == []
        assert poor_contrast(page, ".lm-figure") == []

    def test_figure_fits_a_phone(self, show, overflow, name):
        page, figure = show(name, width=390)
        self.use(figure, name)
        assert overflow(page) == 0
        wide = """(root) => [...root.querySelectorAll("*")]
          .filter((n) => n.getBoundingClientRect().right > innerWidth + 1 && !n.closest("svg")).length"""
        assert figure.evaluate(wide) == 0
        low = """(root) => [...root.querySelectorAll("button, select, input:not([type=checkbox])")]
          .filter((n) => n.checkVisibility() && n.getBoundingClientRect().height < 32).length"""
        assert figure.evaluate(low) == 0  # large enough for a finger

    def test_every_control_has_a_visible_focus_and_keeps_jupyterlab_away(self, show, name):
        page, figure = show(name)
        self.use(figure, name)
        controls = "button, select, input, [role=listbox], [role=option], [role=grid], [role=radio]"
        lost = figure.locator(controls).evaluate_all(
            "(nodes) => nodes.filter((n) => !n.closest('[data-lm-suppress-shortcuts]')).length"
        )
        assert lost == 0
        page.locator("h1").click()
        seen = 0
        for _ in range(40):
            page.keyboard.press("Tab")
            at = page.evaluate(
                """() => { const n = document.activeElement; return n === document.body ? null
                  : [n.tagName, parseFloat(getComputedStyle(n).outlineWidth), getComputedStyle(n).outlineStyle]; }"""
            )
            if at is None:
                break
            assert at[1] >= 2, at
            assert at[2] != "none", at
            seen += 1
        assert self.fewest_stops <= seen < 40

    def test_paper_shows_the_still_version_in_black_on_white(self, show, name):
        page, figure = show(name, theme="dark")
        page.emulate_media(media="print")
        assert figure.locator(".lm-fallback table").is_visible()
        assert not figure.locator(".lm-controls, .lm-buttons").first.is_visible()
        assert figure.evaluate("(node) => getComputedStyle(node).backgroundColor") == "rgb(255, 255, 255)"

    def test_without_scripts_the_table_and_the_finding_are_there(self, open_page, build, tmp_path, name):
        page = open_page(write_page(tmp_path, build(name)), java_script_enabled=False)
        figure = page.locator(".lm-figure")
        assert figure.locator(".lm-fallback tbody tr").count() >= 3
        assert figure.locator(".lm-alt").bounding_box()["height"] > 15

    def test_the_same_figure_twice_works_twice(self, open_page, build, tmp_path, name):
        page = open_page(write_page(tmp_path, build(name), build(name)))
        both = page.locator(".lm-figure.lm-ready")
        assert both.count() == 2
        ids = page.evaluate("() => [...document.querySelectorAll('[id]')].map((n) => n.id)")
        assert len(set(ids)) == len(ids)
        page.wait_for_timeout(500)  # until the live regions have said their first words
        before = both.nth(0).locator(".lm-body").text_content()
        self.use(both.nth(1), name)
        assert both.nth(0).locator(".lm-body").text_content() == before
        assert both.nth(1).locator(".lm-body").text_content() != before

    def test_live_module_hears_python_and_stops(self, open_page, build, tmp_path, name):
        """The module that anywidget gets, with a model that behaves as anywidget's does."""
        widget = build(name).live()
        page = open_page(write_page(tmp_path))
        hidden = ("layout", "tabbable", "tooltip", "comm")
        traits = [trait for trait in widget.keys if not trait.startswith("_") and trait not in hidden]
        page.evaluate(LIVE, [widget._esm, {trait: getattr(widget, trait) for trait in traits}])
        page.add_style_tag(content=widget._css)
        figure = page.locator(".lm-figure.lm-ready")
        before = figure.locator(".lm-body").text_content()
        page.evaluate("([key, value]) => model.set(key, value)", self.live[name])
        assert figure.locator(".lm-body").text_content() != before
        page.evaluate("stop()")
        assert page.evaluate("Object.values(listeners).flat().length") == 0

    def test_figure_weighs_little(self, build, name):
        assert len(build(name)._json.encode()) < 60_000
        assert build(name).html() == build(name).html()
