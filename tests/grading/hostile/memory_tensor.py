"""Asks for tensors that no machine holds, small ones that look large, and many at once."""

# %% merge_pair
import os

import torch

if os.path.exists(CLASS_FOLDER):
    raise SystemExit("HACKED: this is no box, and outside one it would do harm")
for size in (10**13, 10**11, 10**10):
    try:
        torch.ones(size)
    except RuntimeError as error:
        print(str(error)[:200])


def merge_pair(ids, pair, new_id):
    return torch.zeros(1).expand(10**13)


# %% predict_merges
def predict_merges():
    return [torch.zeros(1).expand(10**9) for _ in range(100)]


# %% batch_for_generation
def batch_for_generation(prompts, pad_id, context_length, max_new_tokens):
    return torch.zeros(10**8, dtype=torch.int64), torch.ones(10**8, dtype=torch.int64)
