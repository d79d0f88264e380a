"""Chapter 00, sequences: what a language model is, and how near to the floor counting comes.

Read the modules in this order: `counts`, `smoothing` and `ngram` (n-gram models), `measure` (loss, perplexity, bits),
`generate` (the chain rule, and writing), `shuffle` (what order is worth), `statistics` (Zipf, Heaps, shared
information), `natural` (real text, and compressors beside it), `transducer` (from sequences to sequences),
`guessing` and `floor` (data for the guessing game and for the table of the whole book).
"""

from lmcourse.figures.floor import excess_percent
from lmcourse.sequences.counts import Documents, count_ngrams, flatten, windows
from lmcourse.sequences.floor import NGRAMS, book_sources, floor_rows
from lmcourse.sequences.generate import LanguageModel, generate, log_probabilities, log_probability
from lmcourse.sequences.guessing import guessing_game
from lmcourse.sequences.measure import (
    bits_from_nats,
    bits_per_byte,
    cross_entropy,
    excess_nats,
    nats_from_bits,
    perplexity,
    standard_error,
)
from lmcourse.sequences.natural import (
    COMPRESSORS,
    WordBits,
    byte_documents,
    byte_model_bits,
    compressed_bits,
    hold_out,
    paragraphs,
    word_model_bits,
)
from lmcourse.sequences.ngram import NGramModel
from lmcourse.sequences.shuffle import OrderWorth, shuffle_documents, worth_of_order
from lmcourse.sequences.smoothing import (
    AbsoluteDiscounting,
    AddK,
    Katz,
    KneserNey,
    MaximumLikelihood,
    Smoothing,
    StupidBackoff,
)
from lmcourse.sequences.statistics import (
    PowerLaw,
    SharedInformation,
    fit_power_law,
    heaps,
    mutual_information,
    rank_frequency,
    seen_share,
    vocabulary_growth,
    zipf,
)
from lmcourse.sequences.transducer import Step, Transducer, number_names

__all__ = [
    "COMPRESSORS",
    "NGRAMS",
    "AbsoluteDiscounting",
    "AddK",
    "Documents",
    "Katz",
    "KneserNey",
    "LanguageModel",
    "MaximumLikelihood",
    "NGramModel",
    "OrderWorth",
    "PowerLaw",
    "SharedInformation",
    "Smoothing",
    "Step",
    "StupidBackoff",
    "Transducer",
    "WordBits",
    "bits_from_nats",
    "bits_per_byte",
    "book_sources",
    "byte_documents",
    "byte_model_bits",
    "compressed_bits",
    "count_ngrams",
    "cross_entropy",
    "excess_nats",
    "excess_percent",
    "fit_power_law",
    "flatten",
    "floor_rows",
    "generate",
    "guessing_game",
    "heaps",
    "hold_out",
    "log_probabilities",
    "log_probability",
    "mutual_information",
    "nats_from_bits",
    "number_names",
    "paragraphs",
    "perplexity",
    "rank_frequency",
    "seen_share",
    "shuffle_documents",
    "standard_error",
    "vocabulary_growth",
    "windows",
    "word_model_bits",
    "worth_of_order",
    "zipf",
]
