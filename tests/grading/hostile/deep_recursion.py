"""Recurses until the C stack is gone."""

# %% merge_pair
import sys

sys.setrecursionlimit(10**8)


def merge_pair(ids, pair, new_id):
    return [merge_pair(ids, pair, new_id)]


# %% predict_merges
def again(x):
    return sorted([1, 2], key=lambda y: again(y))


again(0)
