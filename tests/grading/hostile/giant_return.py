"""Returns more than anybody can hold or pack."""


# %% merge_pair
def merge_pair(ids, pair, new_id):
    return [0] * 50_000_000


# %% bpe_encode
def bpe_encode(word, merges):
    return ["x" * 1000] * 1_000_000


# %% cut_word
def cut_word(word, vocab, unk="[UNK]"):
    return "x" * 500_000_000


# %% best_segmentation
def best_segmentation(text, log_probs):
    shared = ["a"]
    for _ in range(40):
        shared = [shared, shared]
    return shared, 1.0
