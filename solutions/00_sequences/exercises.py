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
# # Exercises: sequences
#
# Five exercises: 10 points, and 4 by hand for an answer in words. They climb: the first takes five minutes, the last
# is one to be proud of. Each is judged as soon as you run the cell below it: you see which cases pass, the
# first that does not, and often what was misunderstood. Try as often as you like; only the last state counts.
#
# Write the functions yourself, with Python's standard library, NumPy or torch. Importing the answer from
# `lmcourse` is refused, in words, at once.

# %% tags=["imports"]
import math
from collections import Counter

import torch

# %%
from lmcourse.exercises import open_exercises

check = open_exercises("00_sequences")

# %% [markdown]
# ## 1. Count n-grams · 1 point · 5 minutes
#
# Every n-gram model begins with counting. What is easily forgotten are the edges of a document: its first word follows *something*, and
# that it ends is something to be predicted, too.
#
# `ngram_counts(documents, n)` gets a list of documents, each a list of words, and returns a dictionary from each n-gram, a **tuple**
# of `n` words, to the number of times it occurs. Before each document stand `n - 1` marks `"<s>"`, behind it stands one
# `"</s>"`. An n-gram never reaches from one document into the next. The documents themselves stay as they are. By hand:
#
# - `ngram_counts([["high", "tide"]], 2)` is `{("<s>", "high"): 1, ("high", "tide"): 1, ("tide", "</s>"): 1}`
# - `ngram_counts([["no", "no"], []], 1)` is `{("no",): 2, ("</s>",): 2}`


# %% exercise="ngram_counts"
def ngram_counts(
    documents: list[list[str]], n: int
) -> dict[tuple[str, ...], int]:
    """Return how often each n-gram occurs in `documents`, each with its marks
    of start and end.
    """
    ### BEGIN SOLUTION
    counts = Counter()
    for document in documents:
        padded = ["<s>"] * (n - 1) + document + ["</s>"]
        for start in range(len(padded) - n + 1):
            counts[tuple(padded[start : start + n])] += 1
    return counts
    ### END SOLUTION


# %% check="ngram_counts"
check(ngram_counts)

# %% [markdown]
# ## 2. Predict the perplexity · 1 point · 10 minutes
#
# With pencil and paper, before any code. What is the perplexity, per token, in each of these?
#
# 1. A text of 100 throws of a die, under a model that gives each of the six sides the probability 1/6.
# 2. A text of four tokens, to which a model gave the probabilities 1/4, 1/16, 1/4 and 1/16.
# 3. The text `the boat is low` under the bigram model with probabilities c(h w) / c(h), counted without any smoothing on the four lines below. Each line is a
#    document of its own, with `<s>` before it and `</s>` behind it; so has the text. `</s>` is predicted and counts as a token, `<s>` does not.
#
#    ```
#    the tide is low
#    a boat is late
#    we saw the boat
#    one storm came
#    ```
#
# 4. A text in two parts, under one model. On the first part, 300 tokens, its perplexity is 2; on the second, 100 tokens, it is 32. What is it on the whole text?
#
# All four are whole numbers. Return them as a list of four `int`, in this order. The panel says only whether all are right.


# %% exercise="predict_perplexity"
def predict_perplexity() -> list[int]:
    """Return the four perplexities, found by hand."""
    ### BEGIN SOLUTION
    return [6, 8, 2, 4]
    ### END SOLUTION


# %% check="predict_perplexity"
check(predict_perplexity)

# %% [markdown]
# ## 3. Repair the perplexity · 2 points · 15 minutes
#
# A colleague wrote this for the perplexity of a whole collection: `documents` holds, for each document, the probability that the model
# gave to each of its tokens. Four things are wrong with it: two show when you run it, two are in the contract below. Find them, and write it right.


# %%
def corpus_perplexity_wrong(documents):
    perplexities = []
    for probabilities in documents:
        loss = -sum(math.log2(p) for p in probabilities) / len(probabilities)
        perplexities.append(math.exp(loss))
    return sum(perplexities) / len(perplexities)


texts = {
    "a fair coin": [[0.5, 0.5, 0.5]],
    "a text in one document": [[0.5, 0.5, 0.5, 1 / 32]],
    "the same text in two documents": [[0.5, 0.5, 0.5], [1 / 32]],
}
for name, documents in texts.items():
    print(f"{name}: {corpus_perplexity_wrong(documents):.2f}")

# %% [markdown]
# `corpus_perplexity(documents)` returns the perplexity per token of all documents together, a `float`:
#
# - `corpus_perplexity([[1/2, 1/2, 1/2], [1/32]])` is `4.0`
# - `corpus_perplexity([[1/4], []])` is `4.0`: a document without tokens adds nothing
# - `corpus_perplexity([[1/2], [0.0, 1/2]])` is `math.inf`: what the model called impossible has happened
# - `corpus_perplexity([[], []])` raises `ValueError`: with no token at all, there is nothing to judge
#
# Documents may be long.


# %% exercise="corpus_perplexity"
def corpus_perplexity(documents: list[list[float]]) -> float:
    """Return the perplexity per token of all documents together, from the
    probability of each token.
    """
    ### BEGIN SOLUTION
    probabilities = [p for document in documents for p in document]
    if not probabilities:
        raise ValueError("'documents' must hold at least one token, got none")
    if 0 in probabilities:
        return math.inf
    nats = -sum(math.log(p) for p in probabilities) / len(probabilities)
    return math.exp(nats)
    ### END SOLUTION


# %% check="corpus_perplexity"
check(corpus_perplexity)

# %% [markdown]
# ## 4. Ask the shorter context · 3 points · 35 minutes
#
# After `San` nearly always comes `Francisco`; after `the` come thousands of words. So a word that was never seen after `the` deserves more
# than one never seen after `San`. Witten and Bell (1991) let the counts say how much: the more *different* words followed a context,
# the more is left for new ones, and the next shorter context shares it out.
#
# For a context h and a word w, let c(h w) say how often w followed h in the documents, N(h) how many words followed h in all, and T(h) how many
# *different* ones. Then
#
# $$P(w \mid h) = \frac{c(h\,w) + T(h)\, P(w \mid h')}{N(h) + T(h)}$$
#
# where h' is h without its **oldest** word, the first. It goes on like this down to the empty context, which every word follows; below that stands the
# uniform law, 1 / V for each of the V words of `vocab`. If h was never seen, P(w | h) is P(w | h').
#
# `next_word_law(documents, context, vocab)` returns a dictionary from **each** word of `vocab` to its probability after `context`, a list of words of
# any length. Before each document stand as many `"<s>"` as the context is long, behind it stands one `"</s>"`. The vocabulary holds `"</s>"`
# and every word of the documents. `"<s>"` is never predicted, so it is not in the vocabulary; but a context may begin with it. With
# `documents = [["a", "b"], ["a"]]` and `vocab = ["a", "b", "</s>"]`, by hand:
#
# - after `[]`: five words stand there (`a`, `b`, `</s>`, `a`, `</s>`), three different ones; `a` gets (2 + 3 · 1/3) / (5 + 3), and the law
#   is `{"a": 0.375, "b": 0.25, "</s>": 0.375}`
# - after `["a"]`: one `b` and one `</s>`; `b` gets (1 + 2 · 0.25) / (2 + 2), and the law is `{"a": 0.1875, "b": 0.375, "</s>": 0.4375}`
# - after `["b", "a"]`, which was never seen: as after `["a"]`


# %% exercise="next_word_law"
def next_word_law(
    documents: list[list[str]], context: list[str], vocab: list[str]
) -> dict[str, float]:
    """Return P(w | context) for each word w of `vocab`, after Witten and
    Bell.
    """
    ### BEGIN SOLUTION
    law = {word: 1 / len(vocab) for word in vocab}
    for length in range(len(context) + 1):
        history = context[len(context) - length :]
        followers = Counter()
        for document in documents:
            padded = ["<s>"] * length + document + ["</s>"]
            for place in range(length, len(padded)):
                if padded[place - length : place] == history:
                    followers[padded[place]] += 1
        total, types = followers.total(), len(followers)
        if total:
            law = {
                word: (followers[word] + types * law[word]) / (total + types)
                for word in vocab
            }
    return law
    ### END SOLUTION


# %% check="next_word_law"
check(next_word_law)

# %% [markdown]
# ## 5. The floor, from a distance · 3 points · 60 minutes
#
# A source writes one word after the other, without end. Each is drawn by a law that depends only on the word before it: row i of
# `transitions` holds the probabilities of all words after word i. A model knows this source perfectly, but it sees badly: of all the words so far it sees only the one
# that stands `distance` places before the word that it is to predict. What is the lowest loss it can have, in **bits** per word?
#
# With `distance = 1` this is the entropy floor of the source: no model gets below it. From further back the model can only know less, and you can
# compute how much less. Ask for the shares of the words in the long run, for the law of the word that comes `distance` steps later, and for its entropy. (Shares
# that do not change from one step to the next solve a small system of equations.)
#
# `best_loss(transitions, distance)` gets a list of rows, each of which sums to one, and returns a `float`. From every word every other can be reached,
# though not always in one step: a probability may be 0, and 0 · log 0 counts as 0. `distance` is 1 or more. With `transitions = [[1/2, 1/2], [1, 0]]`,
# by hand:
#
# - word 0 stands at two thirds of all places, word 1 at one third: 2/3 · 1/2 + 1/3 · 1 = 2/3
# - `best_loss(transitions, 1)` is 2/3 · 1 bit + 1/3 · 0 bits = `0.6667`
# - `best_loss(transitions, 2)`: two steps after word 0 stand words 0 and 1 with 3/4 and 1/4, two steps after word 1 with 1/2 and 1/2; so it
#   is 2/3 · 0.8113 + 1/3 · 1 = `0.8742`
#
# Once it works, try distances from 1 to 20 on a source of your own: what does the loss tend to, and is it so for *every* source?


# %% exercise="best_loss"
def best_loss(transitions: list[list[float]], distance: int) -> float:
    """Return in bits the lowest loss of a model that sees only the word
    `distance` places back.
    """
    ### BEGIN SOLUTION
    step = torch.tensor(transitions, dtype=torch.float64)  # (words, words)
    # shares @ step = shares: as many equations as words, one of which follows from the rest. In its place: they sum to one.
    system = step.T - torch.eye(len(step), dtype=torch.float64)
    system[-1] = 1
    right = torch.zeros(len(step), dtype=torch.float64)
    right[-1] = 1
    shares = torch.linalg.solve(system, right)  # (words,)
    later = torch.linalg.matrix_power(
        step, distance
    )  # (words, words), row i: the law after word i
    bits = torch.special.entr(later).sum(dim=1) / math.log(2)  # (words,)
    return float(shares @ bits)
    ### END SOLUTION


# %% check="best_loss"
check(best_loss)

# %% [markdown]
# ## 6. In words · 4 points, graded by hand · 15 minutes
#
# "Model A has a perplexity of 20 on our test text, model B has 35. So A is the better model." A cuts the text into tokens of 4 bytes on average,
# B into tokens of 6. In 100 to 200 words: say why the two numbers cannot be compared as they are, compute two that can be, and
# say which model is ahead. Name one more thing that must be the same, or made sure of, for the comparison to be fair. A third team reports a loss *below* the entropy of
# the source that wrote the text: what may have happened?

# %% [markdown] written="why_not_perplexity"
# ### BEGIN SOLUTION
# A good answer says, in its own words:
#
# Perplexity is an average per token, and the two models have different tokens: B must guess six bytes at once, A only four. Fewer, harder guesses
# give a higher perplexity without being worse. Per byte of text, which is the same for both, A needs log2(20) / 4 = 4.32 / 4 = 1.08 bits and B
# log2(35) / 6 = 5.13 / 6 = 0.85 bits: B is ahead. To be fair, the text must be the same to the last byte (with ends of documents, and no
# words turned into `<unk>`, which is cheap to predict), neither model may have seen it in training, and both must get the same context. No model
# is below the entropy of the source on average. If one seems to be: the test text was in its training data, or the sample is small and was lucky (then the
# exact surprisal of the same tokens is low, too), or its numbers are no probabilities that sum to one, or bits and nats were mixed up.
#
# Rubric: 1 point for saying that perplexity is per token and the tokens differ; 1 for bits (or nats) per byte, computed for both (1.08 and 0.85 bits,
# or 0.75 and 0.59 nats) with B ahead; 1 for another condition with its reason; 1 for a correct cause of a loss below the entropy. Half a point
# off for a claim that is wrong, such as "a very good model can beat the entropy".
# ### END SOLUTION
