"""Returns numbers that break a comparison: above every float, no number, no shape, no end."""

# %% first
import math

import torch


# %% best_segmentation
def best_segmentation(text, log_probs):
    return ["ab"], 10**400


# %% cheapest_vocabulary
def cheapest_vocabulary(tokens_by_size, d_model, stack_cost):
    return 10**4000


# %% batch_for_generation
def batch_for_generation(prompts, pad_id, context_length, max_new_tokens):
    nothing = torch.empty((2**40, 0), dtype=torch.int64)
    return nothing, torch.full((2, 3), math.nan)


# %% merge_pair
def merge_pair(ids, pair, new_id):
    return [math.nan, -0.0, math.inf, True]
