"""The floor under all chapters: one training loop, and the batches that it reads."""

from lmcourse.training.checkpoint import load_checkpoint
from lmcourse.training.config import TrainConfig, learning_rate
from lmcourse.training.data import Rows, batches_by_length, batches_of_rows, best_device, seed_everything
from lmcourse.training.distributed import data_parallel
from lmcourse.training.history import History
from lmcourse.training.loop import next_token_loss, train
from lmcourse.training.parallel import side_by_side

__all__ = [
    "History",
    "Rows",
    "TrainConfig",
    "batches_by_length",
    "batches_of_rows",
    "best_device",
    "data_parallel",
    "learning_rate",
    "load_checkpoint",
    "next_token_loss",
    "seed_everything",
    "side_by_side",
    "train",
]
