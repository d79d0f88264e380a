"""The report to an instructor, in a browser: readable by everybody, in the light, in the dark and on a phone."""

import pytest

from lmcourse.grading.reporting.report import write_report
from tests.grading.conftest import NAME
from tests.grading.made_class import CHAPTER, plausible_class


@pytest.mark.browser
@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_page_is_readable_in_a_browser(tmp_path, open_page, axe, overflow, poor_contrast, theme, width):
    folder = plausible_class(tmp_path, 12)
    for names in (True, False):
        page = open_page(write_report(folder, NAME, CHAPTER, names=names), theme=theme, width=width)
        page.evaluate("() => document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        assert overflow(page) <= 0
        assert axe(page, "html") == []
        assert poor_contrast(page, "body") == []
