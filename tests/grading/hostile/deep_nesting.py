"""Returns lists nested a hundred thousand deep, and such as hold themselves."""


# %% merge_pair
def merge_pair(ids, pair, new_id):
    nested = []
    for _ in range(100_000):
        nested = [nested]
    return nested


# %% bpe_encode
def bpe_encode(word, merges):
    loop = []
    loop.append(loop)
    return loop


# %% cheapest_vocabulary
def cheapest_vocabulary(tokens_by_size, d_model, stack_cost):
    loop = {}
    loop["self"] = loop
    return loop


# %% predict_merges
def predict_merges():
    error = ValueError("a")
    error.__cause__ = error.__context__ = error
    raise error
