# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises: tokens
#
# Eight exercises: 20 points, and 4 by hand for an answer in words. They climb: the first takes five minutes, the last
# is one to be proud of. Each is judged as soon as you run the cell below it: you see which cases pass, the
# first that does not, and often what was misunderstood. Try as often as you like; only the last state counts.
#
# Write the functions yourself, with Python's standard library and torch. Importing the answer from
# `lmcourse` or a tokenizer library is refused, in words, at once.

# %% tags=["imports"]
import math
from collections.abc import Iterable, Iterator

import torch

# %%
from lmcourse.exercises import open_exercises

check = open_exercises("01_tokens")

# %% [markdown]
# ## 1. Merge one pair · 2 points · 5 minutes
#
# The heart of byte-pair encoding is one small step: go through a sequence and put a new token wherever a certain
# pair stands. Write that step.
#
# `merge_pair(ids, pair, new_id)` returns a **new list** in which each occurrence of `pair`, read from left to right, is
# replaced by `new_id`. Occurrences do not overlap: what has been merged is used up. By hand:
#
# - `merge_pair([1, 2, 3, 1, 2], (1, 2), 9)` is `[9, 3, 9]`
# - `merge_pair([7, 7, 7], (7, 7), 8)` is `[8, 7]`


# %% exercise="merge_pair"
def merge_pair(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """Return `ids` with each occurrence of `pair`, from left to right,
    replaced by `new_id`.
    """
    ### BEGIN SOLUTION
    merged = []
    i = 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged
    ### END SOLUTION


# %% check="merge_pair"
check(merge_pair)

# %% [markdown]
# ## 2. Predict the merges · 2 points · 10 minutes
#
# With pencil and paper, before any code. A text holds these words, each as often as written behind it:
#
# | word | times |
# |---|---|
# | `sea` | 5 |
# | `seat` | 8 |
# | `tea` | 11 |
# | `east` | 3 |
# | `eat` | 6 |
#
# Byte-pair encoding starts from single characters and merges, three times, the pair that is most frequent in the **text**
# (each word counts as often as it occurs; pairs never cross words). After each merge it counts anew. Which three
# pairs does it merge, in which order?
#
# Return them as a list of three pairs of strings, such as `[("t", "s"), ("s", "t"), ("ts", "e")]`. The panel says only
# whether it is right.


# %% exercise="predict_merges"
def predict_merges() -> list[tuple[str, str]]:
    """Return the first three merges, found by hand."""
    ### BEGIN SOLUTION
    return [("e", "a"), ("ea", "t"), ("t", "ea")]
    ### END SOLUTION


# %% check="predict_merges"
check(predict_merges)

# %% [markdown]
# ## 3. Encode with merges · 3 points · 20 minutes
#
# Training has given a list of merges, the earliest first. Now cut a new word with them. The **earliest merge wins**, wherever in the
# word it stands; where that merge fits in several places, the leftmost goes first. Only when no merge applies any more are you done.
#
# `bpe_encode(word, merges)` starts from the characters of `word` and returns its tokens. With
# `merges = [("e", "r"), ("l", "o"), ("lo", "w"), ("low", "er")]`:
#
# - `bpe_encode("lower", merges)` is `["lower"]`
# - `bpe_encode("loer", merges)` is `["lo", "er"]`
# - `bpe_encode("", merges)` is `[]`


# %% exercise="bpe_encode"
def bpe_encode(word: str, merges: list[tuple[str, str]]) -> list[str]:
    """Return the tokens of `word`: always the earliest merge that applies,
    until none does.
    """
    ### BEGIN SOLUTION
    rank = {pair: i for i, pair in enumerate(merges)}
    tokens = list(word)
    while len(tokens) > 1:
        pairs = list(zip(tokens, tokens[1:]))
        best = min(pairs, key=lambda pair: rank.get(pair, len(merges)))
        if best not in rank:
            break
        i = pairs.index(best)
        tokens[i : i + 2] = ["".join(best)]
    return tokens
    ### END SOLUTION


# %% check="bpe_encode"
check(bpe_encode)

# %% [markdown]
# ## 4. Repair the WordPiece cutter · 2 points · 15 minutes
#
# A colleague wrote this for BERT's rule: take the longest piece that the vocabulary has, then go on behind it; every piece
# after the first carries `##`. Two things are wrong with it. Run it, find both, and write it right.


# %%
def cut_word_wrong(word, vocab, unk="[UNK]"):
    pieces, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            if word[start:end] in vocab:
                pieces.append(word[start:end])
                start = end
                break
        else:
            pieces.append(unk)
            start += 1
    return pieces


vocab = {"un", "##able", "able", "##break", "break", "##s", "b"}
print(cut_word_wrong("unbreakable", vocab), cut_word_wrong("unzip", vocab))

# %% [markdown]
# `cut_word(word, vocab, unk)` follows BERT:
#
# - `cut_word("unbreakable", vocab)` is `["un", "##break", "##able"]`
# - `cut_word("unzip", vocab)` is `["[UNK]"]`: a word that cannot be cut to its end is one unknown token, whole
# - `cut_word("", vocab)` is `[]`


# %% exercise="cut_word"
def cut_word(word: str, vocab: set[str], unk: str = "[UNK]") -> list[str]:
    """Return the WordPiece tokens of one word, by greedy longest match;
    `[unk]` where it cannot be cut.
    """
    ### BEGIN SOLUTION
    pieces, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = word[start:end] if start == 0 else "##" + word[start:end]
            if piece in vocab:
                pieces.append(piece)
                start = end
                break
        else:
            return [unk]
    return pieces
    ### END SOLUTION


# %% check="cut_word"
check(cut_word)

# %% [markdown]
# ## 5. Show text while it is being generated · 3 points · 35 minutes
#
# A chat window shows each token as soon as the model gives it. A byte-level token may end in the middle of a character:
# `é` is two bytes, `😀` four. Decode each token alone and the reader sees `�` flicker.
#
# `decode_stream(tokens)` takes the bytes of the tokens as they come and **yields**, after each token, the text that has become
# complete; it yields nothing when that is empty. If the stream ends inside a character, it yields one `"\ufffd"` for what is left.
# You may rely on the bytes being UTF-8, cut anywhere.
#
# The tokens are still being made while you decode. So `tokens` can be gone through once, and each text must be yielded **before the next
# token is taken**: a window that begins with `list(tokens)` shows nothing until the model has finished. The check counts the tokens taken. By hand:
#
# - `list(decode_stream([b"caf", b"\xc3", b"\xa9!"]))` is `["caf", "é!"]`
# - `list(decode_stream([b"ok\xf0\x9f"]))` is `["ok", "\ufffd"]`
#
# The first byte of a character says how long it is: below `0x80` one byte, from `0xC0` two, from `0xE0` three, from
# `0xF0` four. The bytes that continue it lie between `0x80` and `0xBF`. (The incremental decoder in Python's `codecs` is the answer itself: it is refused.)


# %% exercise="decode_stream"
def decode_stream(tokens: Iterable[bytes]) -> Iterator[str]:
    """Yield the text of a stream of byte tokens, only whole characters, as
    early as possible.
    """
    ### BEGIN SOLUTION
    waiting = b""
    for token in tokens:
        waiting += token
        # The start of the last character is at most four bytes back.
        cut = len(waiting)
        for back in range(1, min(4, len(waiting)) + 1):
            byte = waiting[-back]
            if byte >= 0xC0:
                length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
                if back < length:
                    cut = len(waiting) - back
            if byte < 0x80 or byte >= 0xC0:
                break
        if cut:
            yield waiting[:cut].decode("utf-8")
        waiting = waiting[cut:]
    if waiting:
        yield "\ufffd"
    ### END SOLUTION


# %% check="decode_stream"
check(decode_stream)

# %% [markdown]
# ## 6. A batch that leaves room to answer · 3 points · 20 minutes
#
# A model with a context of `context_length` tokens counts what it *generates*, too. So a prompt may hold at most
# `context_length - max_new_tokens` tokens. If it is longer, keep its **end**: that is where the question stands. And since the new tokens
# are appended on the right, the padding goes on the **left**.
#
# `batch_for_generation(prompts, pad_id, context_length, max_new_tokens)` returns `(input_ids, attention_mask)`, two int64 tensors of shape
# (batch, longest prompt kept). The mask is 1 on the prompt's own tokens and 0 on padding. `pad_id` may also occur as a real
# token inside a prompt (in GPT-2, `<|endoftext|>` does both jobs). There is at least one prompt; one may be empty, though never all of them.
# If no room is left for a prompt (`max_new_tokens >= context_length`), raise `ValueError`. By hand, with `pad_id=0`, context 6, 3 new tokens:
#
# - prompts `[[5], [1, 2, 3, 4]]` give ids `[[0, 0, 5], [2, 3, 4]]` and mask `[[0, 0, 1], [1, 1, 1]]`


# %% exercise="batch_for_generation"
def batch_for_generation(
    prompts: list[list[int]],
    pad_id: int,
    context_length: int,
    max_new_tokens: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return left-padded `input_ids` and `attention_mask` that leave room for
    `max_new_tokens`.
    """
    ### BEGIN SOLUTION
    room = context_length - max_new_tokens
    if room <= 0:
        raise ValueError(
            f"'max_new_tokens' must be below context_length={context_length}, got {max_new_tokens}"
        )
    kept = [prompt[-room:] for prompt in prompts]
    width = max(len(prompt) for prompt in kept)
    input_ids = torch.full((len(kept), width), pad_id, dtype=torch.int64)
    attention_mask = torch.zeros(len(kept), width, dtype=torch.int64)
    for row, prompt in enumerate(kept):
        if prompt:
            input_ids[row, -len(prompt) :] = torch.tensor(prompt)
            attention_mask[row, -len(prompt) :] = 1
    return input_ids, attention_mask
    ### END SOLUTION


# %% check="batch_for_generation"
check(batch_for_generation)

# %% [markdown]
# ## 7. Choose a vocabulary · 2 points · 10 minutes
#
# A larger vocabulary cuts a text into fewer tokens, but each token pays for a larger output layer. Count multiply-adds for one
# text of `t` tokens: the stack of layers costs `stack_cost` a token, the output layer `V * d_model` a token. Looking up an
# embedding is a copy: it costs none.
#
# `cheapest_vocabulary(tokens_by_size, d_model, stack_cost)` gets a dictionary from vocabulary size `V` to the number of tokens `t`
# of the text under that vocabulary, and returns the size with the lowest cost (the smaller one on a tie). By hand:
#
# - `cheapest_vocabulary({100: 50, 1000: 20}, 8, 1000)`: 50 · (1000 + 800) = 90,000 against 20 · (1000 + 8000) = 180,000, so `100`


# %% exercise="cheapest_vocabulary"
def cheapest_vocabulary(
    tokens_by_size: dict[int, int], d_model: int, stack_cost: int
) -> int:
    """Return the vocabulary size with the fewest multiply-adds for the text;
    the smaller one on a tie.
    """
    ### BEGIN SOLUTION
    return min(
        sorted(tokens_by_size),
        key=lambda size: tokens_by_size[size] * (stack_cost + size * d_model),
    )
    ### END SOLUTION


# %% check="cheapest_vocabulary"
check(cheapest_vocabulary)

# %% [markdown]
# ## 8. The best cut, and how sure it is · 3 points · 60 minutes
#
# A Unigram model gives each piece a probability, and a segmentation the product of its pieces'. Many segmentations spell the
# same text. Which one is best, and which **share** of the total probability does it hold?
#
# `log_probs` maps each piece to the natural logarithm of its probability. `best_segmentation(text, log_probs)` returns
# `(pieces, share)`: the pieces of the most probable segmentation, and its probability divided by the sum over *all* segmentations of `text`. The empty text has one, of no pieces: `([], 1.0)`. If no segmentation exists, raise `ValueError`. By hand, with probabilities a: 0.5, b: 0.2, ab: 0.3:
#
# - `"ab"` can be `ab` (0.3) or `a b` (0.1): the answer is `(["ab"], 0.75)`
#
# Texts may be thousands of characters long, where products of probabilities are too small for a float and where there are more
# segmentations than atoms in the universe. Work with logarithms in Python's floats or torch's float64 (float32 is too coarse here), and
# go through the text once. In the cases no two segmentations tie for the best.


# %% exercise="best_segmentation"
def best_segmentation(
    text: str, log_probs: dict[str, float]
) -> tuple[list[str], float]:
    """Return the most probable segmentation of `text` and its share of the
    probability of all.
    """
    ### BEGIN SOLUTION
    longest = max(map(len, log_probs), default=0)
    best = [0.0] + [-math.inf] * len(
        text
    )  # log-probability of the best way to spell text[:end]
    total = [0.0] + [-math.inf] * len(text)  # the same, over all ways
    start_of = [0] * (len(text) + 1)
    for end in range(1, len(text) + 1):
        ways = []
        for start in range(max(0, end - longest), end):
            score = log_probs.get(text[start:end])
            if score is None or best[start] == -math.inf:
                continue
            ways.append(total[start] + score)
            if best[start] + score > best[end]:
                best[end], start_of[end] = best[start] + score, start
        if ways:
            top = max(ways)
            total[end] = top + math.log(
                sum(math.exp(way - top) for way in ways)
            )
    if best[-1] == -math.inf:
        raise ValueError(
            f"'text' cannot be spelled with the pieces of the model: {text!r}"
        )
    pieces, end = [], len(text)
    while end > 0:
        pieces.append(text[start_of[end] : end])
        end = start_of[end]
    return pieces[::-1], math.exp(best[-1] - total[-1])
    ### END SOLUTION


# %% check="best_segmentation"
check(best_segmentation)

# %% [markdown]
# ## 9. In words · 4 points, graded by hand · 15 minutes
#
# A health service pays for a language model by the token. Its letters go out in English and in Thai. The same letter costs
# three times as many tokens in Thai. In 100 to 200 words: name two causes of the difference, say who is harmed and how beyond
# the price (think of the context length), and propose one remedy together with what it costs.

# %% [markdown] written="why_languages"
# ### BEGIN SOLUTION
# A good answer says, in its own words:
#
# The tokenizer learned its merges from text that was mostly English, so English words are single tokens while Thai falls back to
# short pieces or single bytes (cause one: training data). Each Thai character is three bytes in UTF-8 and Thai is written
# without spaces, so pre-tokenization made for English finds poor units (cause two: script and pre-tokenization). Beyond the price, the same context length holds
# a third of the letter, answers stop earlier at `max_new_tokens`, and they come more slowly: Thai readers get less for more.
# Remedy: train the vocabulary on balanced data, or add Thai pieces. Price: a larger embedding and output layer, fewer merges left
# for English at the same size, and the model must be trained (again) with the new tokens.
#
# Rubric: 1 point for a correct cause about training data, 1 for a second independent cause (bytes per character, no spaces,
# pre-tokenization), 1 for harm beyond price with a mechanism (context, latency, cut-off), 1 for a remedy *with* its cost.
# Half a point off for a claim that is wrong, such as "Thai has more meaning per word".
# ### END SOLUTION
