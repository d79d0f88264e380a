"""Makes integers of ten million digits, prints them, returns them and raises them."""

# %% first
import sys

sys.set_int_max_str_digits(0)
huge = 1 << 40_000_000


# %% merge_pair
def merge_pair(ids, pair, new_id):
    return [huge, huge]


# %% predict_merges
def predict_merges():
    raise ValueError(huge)


# %% cheapest_vocabulary
def cheapest_vocabulary(tokens_by_size, d_model, stack_cost):
    return -huge


# %% last
print(10**10**7)
