"""Chapter 03, recurrence: one vector at a time, and a state of fixed size that must hold the past.

Read the modules in this order: `steps` (one step: plain, LSTM, GRU) and `cells` (a step with its weights), `unroll` (over time)
and `layers` (both directions, layer upon layer), `language_model`, `truncated` (long texts in pieces), `gradients` (how far
back learning reaches).
"""

from lmcourse.recurrence.cells import CELLS, Cell, GRUCell, LSTMCell, RNNCell, State
from lmcourse.recurrence.gradients import gradient_norms, input_gradient_norms, recall_batches
from lmcourse.recurrence.language_model import RecurrentLM, RecurrentLMConfig
from lmcourse.recurrence.layers import Recurrent, RecurrentConfig
from lmcourse.recurrence.steps import gru_step, lstm_step, rnn_step
from lmcourse.recurrence.truncated import TruncatedLoss, batches_of_streams
from lmcourse.recurrence.unroll import detach, real_steps, run

__all__ = [
    "CELLS",
    "Cell",
    "GRUCell",
    "LSTMCell",
    "RNNCell",
    "Recurrent",
    "RecurrentConfig",
    "RecurrentLM",
    "RecurrentLMConfig",
    "State",
    "TruncatedLoss",
    "batches_of_streams",
    "detach",
    "gradient_norms",
    "gru_step",
    "input_gradient_norms",
    "lstm_step",
    "real_steps",
    "recall_batches",
    "rnn_step",
    "run",
]
