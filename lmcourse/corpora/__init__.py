"""Texts to work on: a collection written for this course, docstrings for size, and a downloader for more."""

from lmcourse.corpora.docstrings import stdlib_docstrings
from lmcourse.corpora.download import fetch
from lmcourse.corpora.osier_bay import osier_bay, osier_bay_names

__all__ = ["fetch", "osier_bay", "osier_bay_names", "stdlib_docstrings"]
