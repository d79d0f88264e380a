"""Texts to work on: sources whose entropy is known, a collection written for this course, docstrings for size, a downloader.

Read the modules of the sources in this order: `corpus`, `source`, `rules`, `grammar` with `entropy` and `surprisal`, then `filler`,
`play` and `preferences` with `families`; for translation `pairs`, `synchronous`, `translation_rules` and `translation`.
"""

from lmcourse.corpora.corpus import Corpus, Word
from lmcourse.corpora.docstrings import stdlib_docstrings
from lmcourse.corpora.download import fetch
from lmcourse.corpora.families import families
from lmcourse.corpora.filler import HOMONYMS, filler, noun_features
from lmcourse.corpora.grammar import Grammar
from lmcourse.corpora.osier_bay import osier_bay, osier_bay_names
from lmcourse.corpora.pairs import Pair, Pairs
from lmcourse.corpora.play import play
from lmcourse.corpora.preferences import preferences
from lmcourse.corpora.source import Source
from lmcourse.corpora.text8 import text8
from lmcourse.corpora.translation import TranslationGrammar, translation

__all__ = [
    "HOMONYMS",
    "Corpus",
    "Grammar",
    "Pair",
    "Pairs",
    "Source",
    "TranslationGrammar",
    "Word",
    "families",
    "fetch",
    "filler",
    "noun_features",
    "osier_bay",
    "osier_bay_names",
    "play",
    "preferences",
    "stdlib_docstrings",
    "text8",
    "translation",
]
