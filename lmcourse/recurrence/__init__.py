"""Chapter 03, recurrence: one vector at a time, and a state of fixed size that must hold the past.

Read the modules in this order: `steps` (one step: plain, LSTM, GRU) and `cells` (a step with its weights), `unroll` (over time)
and `layers` (both directions, layer upon layer), `language_model`, `truncated` (long texts in pieces), `gradients` and `recall`
(how far back learning reaches), `floor` (how near to the floor it comes). Then from one sentence to another: `translator` (what
every translator can do), `seq2seq` (an encoder and a decoder with a context of fixed size), `decoding` (greedy and beam search),
`translation_training` (batches, loss, how often a translation is right) and `exposure` (a decoder and its own mistakes).
"""

from lmcourse.recurrence.cells import CELLS, Cell, GRUCell, LSTMCell, RNNCell, State
from lmcourse.recurrence.decoding import Hypothesis, beam_search, greedy
from lmcourse.recurrence.exposure import Exposure, ScheduledSampling, exposure, scheduled_loss, write_mixed
from lmcourse.recurrence.floor import train_on_documents
from lmcourse.recurrence.gradients import gradient_norms, input_gradient_norms
from lmcourse.recurrence.language_model import RecurrentLM, RecurrentLMConfig, document_surprisal
from lmcourse.recurrence.layers import Recurrent, RecurrentConfig
from lmcourse.recurrence.recall import recall_accuracy, recall_batches
from lmcourse.recurrence.seq2seq import Decoder, Encoder, Seq2Seq, Seq2SeqConfig
from lmcourse.recurrence.steps import gru_step, lstm_step, rnn_step
from lmcourse.recurrence.trace import trace
from lmcourse.recurrence.translation_training import (
    BANDS,
    Band,
    PairBatch,
    exact_match_by_length,
    pad_pairs,
    pair_batches,
    train_translator,
    translation_loss,
)
from lmcourse.recurrence.translator import BOS, EOS, PAD, Context, Translator
from lmcourse.recurrence.truncated import TruncatedLoss, batches_of_streams
from lmcourse.recurrence.unroll import detach, real_steps, run

__all__ = [
    "BANDS",
    "BOS",
    "CELLS",
    "EOS",
    "PAD",
    "Band",
    "Cell",
    "Context",
    "Decoder",
    "Encoder",
    "Exposure",
    "GRUCell",
    "Hypothesis",
    "LSTMCell",
    "PairBatch",
    "RNNCell",
    "Recurrent",
    "RecurrentConfig",
    "RecurrentLM",
    "RecurrentLMConfig",
    "ScheduledSampling",
    "Seq2Seq",
    "Seq2SeqConfig",
    "State",
    "Translator",
    "TruncatedLoss",
    "batches_of_streams",
    "beam_search",
    "detach",
    "document_surprisal",
    "exact_match_by_length",
    "exposure",
    "gradient_norms",
    "greedy",
    "gru_step",
    "input_gradient_norms",
    "lstm_step",
    "pad_pairs",
    "pair_batches",
    "real_steps",
    "recall_accuracy",
    "recall_batches",
    "rnn_step",
    "run",
    "scheduled_loss",
    "trace",
    "train_on_documents",
    "train_translator",
    "translation_loss",
    "write_mixed",
]
