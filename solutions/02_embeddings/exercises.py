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
# # Exercises: embeddings
#
# Seven exercises: 20 points, and 4 by hand for an answer in words. They climb: the first takes a few minutes, the last
# is one to be proud of. Each is judged as soon as you run the cell below it: you see which cases pass, the first that
# does not, and often what was misunderstood. Try as often as you like; only the last state counts.
#
# Write the functions yourself, with Python's standard library, NumPy or torch. Importing the answer from `lmcourse` or
# another library is refused, in words, at once. Tensors come as float32 and go back as float32; what you do in between,
# float64 for example, is up to you. Leave the arguments as they are.

# %% tags=["imports"]
import math

import torch
import torch.nn.functional as F
from torch import Tensor

# %%
from lmcourse.exercises import open_exercises

check = open_exercises("02_embeddings")

# %% [markdown]
# ## 1. The odd one out · 2 points · 8 minutes
#
# *Herring, cod, plaice, bicycle*: which word does not belong? Word vectors can say. For each word take the mean of its
# cosines to the **other** words; the word with the lowest mean is the odd one.
#
# `odd_one_out(vectors)` gets one vector a row and returns the number of the odd row, an `int`. There are at least two
# rows. A row of zeros has no direction: its cosine with everything is 0. On a tie the first row wins. By hand:
#
# - `odd_one_out(torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]]))`: the means are 1/2, 1/2 and 0, so `2`


# %% exercise="odd_one_out"
def odd_one_out(vectors: Tensor) -> int:
    """Return the row of `vectors` [n, d] whose mean cosine to the other rows
    is lowest, the first on a tie.
    """
    ### BEGIN SOLUTION
    lengths = vectors.norm(dim=1, keepdim=True)
    unit = vectors / torch.where(lengths > 0, lengths, 1.0)
    cosines = unit @ unit.T  # (n, n)
    cosines.fill_diagonal_(0)
    return int(cosines.sum(1).argmin())
    ### END SOLUTION


# %% check="odd_one_out"
check(odd_one_out)

# %% [markdown]
# ## 2. Predict the contexts · 2 points · 10 minutes
#
# With pencil and paper, before any code. A corpus has two sentences:
#
# 1. `the storm broke the wall of the mill`
# 2. `of stone was the mill`
#
# Sub-sampling goes first: in this pass it drops every `the`, `of` and `was`, and keeps all the rest. Then a window of 2
# is laid over what is left: a word's contexts are the words at most two places before it or behind it, in the same
# sentence.
#
# Which contexts does each word get from the whole corpus? Return a dictionary from each word that is left to the
# **set** of its contexts, such as `{"storm": {"mill"}, "stone": {"storm", "wall"}}`. The panel says only whether it is
# right.


# %% exercise="predict_contexts"
def predict_contexts() -> dict[str, set[str]]:
    """Return the set of contexts of each word, found by hand."""
    ### BEGIN SOLUTION
    return {
        "storm": {"broke", "wall"},
        "broke": {"storm", "wall", "mill"},
        "wall": {"storm", "broke", "mill"},
        "mill": {"broke", "wall", "stone"},
        "stone": {"mill"},
    }
    ### END SOLUTION


# %% check="predict_contexts"
check(predict_contexts)

# %% [markdown]
# ## 3. Who learns from a mean? · 3 points · 25 minutes
#
# CBOW looks up the vectors of the context words and takes their **mean**. Training hands you the gradient of the loss
# with respect to that mean. Which row of the embedding matrix gets how much of it? Work it out with the chain rule:
# let autograd check your answer, but do not let it give it.
#
# `mean_lookup_gradient(grad_means, ids, vocab_size, pad_id)` gets
#
# - `grad_means`, float32 (batch, d): for each example the gradient with respect to its mean,
# - `ids`, int64 (batch, window): the context words of each example. Windows at the edge of a text are filled up with
#   `pad_id`, which may be any id. Padding takes no part: the mean is over the real words only. An example may be
#   nothing but padding; its mean is constant, so nobody learns from it.
#
# and returns the gradient with respect to the matrix, float32 (vocab_size, d). The row of `pad_id` is zero. A word may
# come twice in one example, and in several. By hand, with `vocab_size=4` and `pad_id=0`:
#
# - `grad_means = [[6.0]]` and `ids = [[1, 3, 1]]`: the mean is (2 e₁ + e₃) / 3, so the gradient is
#   `[[0.0], [4.0], [0.0], [2.0]]`


# %% exercise="mean_lookup_gradient"
def mean_lookup_gradient(
    grad_means: Tensor, ids: Tensor, vocab_size: int, pad_id: int
) -> Tensor:
    """Return the gradient [vocab_size, d] of an embedding matrix whose
    looked-up rows were averaged.
    """
    ### BEGIN SOLUTION
    real = ids != pad_id  # (batch, window)
    share = real / real.sum(1, keepdim=True).clamp(min=1)  # (batch, window)
    grad_rows = share[:, :, None] * grad_means[:, None, :]  # (batch, window, d)
    gradient = torch.zeros(vocab_size, grad_means.shape[1])
    return gradient.index_add(0, ids.flatten(), grad_rows.flatten(0, 1))
    ### END SOLUTION


# %% check="mean_lookup_gradient"
check(mean_lookup_gradient)

# %% [markdown]
# ## 4. Repair the skip-gram loss · 3 points · 30 minutes
#
# A colleague wrote the loss of skip-gram with negative sampling. It runs, it falls, and the vectors are useless. Now
# and then it is infinite. **Four** things are wrong with it.


# %%
def skipgram_loss_wrong(inputs, outputs, centres, contexts, negatives):
    centre = inputs[centres]  # (batch, d)
    true = (centre * outputs[contexts]).sum(-1)  # (batch,)
    noise = (centre[:, None] * outputs[negatives]).sum(-1)  # (batch, k)
    noise = noise * (
        negatives != contexts[:, None]
    )  # a noise word may be the true context: leave it out
    return -(
        torch.log(torch.sigmoid(true))
        + torch.log(torch.sigmoid(noise)).mean(-1)
    ).mean()


vectors = torch.tensor([[0.0], [1.0], [120.0]])
one, two = torch.tensor([1]), torch.tensor([2])
print(
    skipgram_loss_wrong(vectors, vectors, one, one, torch.tensor([[0, 1, 0]]))
)
print(
    skipgram_loss_wrong(vectors, vectors, one, one - 1, torch.tensor([[1, 1]]))
)
print(
    skipgram_loss_wrong(vectors, -vectors, one, two, torch.tensor([[0, 0, 0]]))
)

# %% [markdown]
# Write it right. With c the input vector of the centre, o the output vector of the true context and n those of the
# noise words, a pair costs
#
# $$-\log\sigma(c \cdot o) \;-\; \sum_{n \ne o} \log\sigma(-\,c \cdot n), \qquad \sigma(x) = \frac{1}{1 + e^{-x}}$$
#
# `skipgram_loss(inputs, outputs, centres, contexts, negatives)` returns the mean of this over the batch, in nats, a
# float32 tensor of shape (). `inputs` and `outputs` are (vocab, d); `centres` and `contexts` are ids, (batch,);
# `negatives` are ids, (batch, k). A noise word that is the true context of its own pair is left out: it costs nothing.
# Scores may be 200 or -200. By hand, with one dimension and `vectors = [[0], [1], [120]]` as inputs and as outputs:
#
# - centre 1, context 1, negatives `[0, 1, 0]`: -log σ(1) - 2 log σ(0) = 0.3133 + 1.3863 = `1.6996`; the 1 is left out
# - centre 1, context 0, negatives `[1, 1]`: -log σ(0) - 2 log σ(-1) = 0.6931 + 2.6265 = `3.3197`
# - with `-vectors` as outputs, centre 1, context 2, negatives `[0, 0, 0]`: 120 + 3 log 2 = `122.0794`


# %% exercise="skipgram_loss"
def skipgram_loss(
    inputs: Tensor,
    outputs: Tensor,
    centres: Tensor,
    contexts: Tensor,
    negatives: Tensor,
) -> Tensor:
    """Return the mean loss of skip-gram with negative sampling, in nats a
    pair, a tensor of shape ().
    """
    ### BEGIN SOLUTION
    centre = inputs[centres]  # (batch, d)
    true = (centre * outputs[contexts]).sum(-1)  # (batch,)
    noise = (centre[:, None] * outputs[negatives]).sum(-1)  # (batch, k)
    counts = negatives != contexts[:, None]  # (batch, k)
    return -(
        F.logsigmoid(true) + (F.logsigmoid(-noise) * counts).sum(-1)
    ).mean()
    ### END SOLUTION


# %% check="skipgram_loss"
check(skipgram_loss)

# %% [markdown]
# ## 5. RoPE without positions · 3 points · 30 minutes
#
# Rotary embeddings turn the query by its position and the key by its own. Yet the score depends only on how far apart
# they are. So it must be possible to compute it from the distance alone, without knowing where the two stand. Do that.
#
# `rope_score(q, k, distances, base)` gets a query and a key, float32 (d_head,), **not yet turned**, and distances,
# int64 (n,), each the position of the key minus that of the query: -3 means three places before. It returns the dot
# products after RoPE, float32 (n,), one for each distance. No division by the root of d_head. The pairs are
# **interleaved** as in the paper: entries 0 and 1, 2 and 3, and so on. At position p, pair i = 0, 1, ... is turned by
# the angle p · base^(-2 i / d_head), in radians: (a, b) becomes (a cos - b sin, a sin + b cos). By hand, with
# `d_head=2`, so that there is one pair, of speed 1:
#
# - `q = [1, 0]`, `k = [0, 1]`, distances `[0, 1, -1]`: the key turned by 1 is (-sin 1, cos 1), so the scores are
#   `[0, -0.8415, 0.8415]`
# - `q = k = [1, 0]`, distances `[0, 1, -1]`: `[1, 0.5403, 0.5403]`
# - with `d_head=4` and `base=100` the second pair has speed 100^(-2/4) = 0.1: `q = k = [1, 0, 1, 0]` at distance 1 gives
#   cos 1 + cos 0.1 = `1.5353`


# %% exercise="rope_score"
def rope_score(
    q: Tensor, k: Tensor, distances: Tensor, base: float = 10_000.0
) -> Tensor:
    """Return q . k after interleaved RoPE for each distance (key position
    minus query position), [n].
    """
    ### BEGIN SOLUTION
    d_head = q.shape[0]
    speeds = torch.exp(
        -math.log(base) / d_head * torch.arange(0, d_head, 2)
    )  # (pairs,)
    angles = distances[:, None] * speeds  # (n, pairs)
    (qa, qb), (ka, kb) = q.view(-1, 2).T, k.view(-1, 2).T
    together, across = qa * ka + qb * kb, qb * ka - qa * kb  # (pairs,)
    return angles.cos() @ together + angles.sin() @ across
    ### END SOLUTION


# %% check="rope_score"
check(rope_score)

# %% [markdown]
# ## 6. How low can skip-gram go? · 3 points · 45 minutes
#
# A language model cannot beat the entropy of its data. The loss of skip-gram with negative sampling has such a floor,
# too, and the counts alone tell it. Find it, and you know what word2vec is really after.
#
# `counts[i, j]` says how often word j stood in the window of centre i: so often the trainer meets the **true** pair
# (i, j). Beside each true pair of centre i it draws k noise words, word j with probability P(j), proportional to the
# **column** sum of `counts` to the `power`. Hence (i, j) comes as **noise**
#
# $$N_{ij} = k \cdot \text{row sum}_i \cdot P(j)$$
#
# times on average. A true pair with score s costs -log σ(s), a noise pair -log σ(-s), and noise that hits the true word
# is counted like any other. Let the vectors have as many dimensions as they like, so that each cell (i, j) is free to
# choose its own score. Find the best one (derivative zero), put it in, and return the total cost of all cells divided
# by the number of **true** pairs, a `float` in nats.
#
# `skipgram_floor(counts, k, power)` gets `counts`, int64 (vocab, vocab), not all zero and not always symmetric. A pair
# that never came has its best score at minus infinity, and then costs nothing. By hand, with
# `counts = [[0, 2], [2, 0]]` and `k=1`:
#
# - each cell meets 1 noise pair on average. In a cell with 2 true ones the best is σ(s) = 2/3, at the price of
#   2 log(3/2) + 1 log 3 = 1.9095. The cells without true ones cost nothing. So 2 · 1.9095 / 4 = `0.9548`
# - `counts = [[0, 2], [1, 0]]` with `power=1`: the columns sum to 1 and 2, so P is 1/3 and 2/3. Cell (0, 1) meets
#   1 · 2 · 2/3 = 4/3 noise pairs, cell (1, 0) meets 1/3, and it comes to `0.9977`


# %% exercise="skipgram_floor"
def skipgram_floor(counts: Tensor, k: int, power: float = 0.75) -> float:
    """Return the lowest possible mean loss of skip-gram with k negative
    samples, in nats a true pair.
    """
    ### BEGIN SOLUTION
    true = counts.double()  # (vocab, vocab)
    law = true.sum(0) ** power  # (vocab,)
    noise = k * true.sum(1)[:, None] * (law / law.sum())  # (vocab, vocab)
    # The best s = log(true / noise), which for power 1 is PMI - log k. xlogy(0, ...) is 0.
    both = true + noise
    cost = (
        torch.xlogy(both, both)
        - torch.xlogy(true, true)
        - torch.xlogy(noise, noise)
    )
    return float(cost.sum() / true.sum())
    ### END SOLUTION


# %% check="skipgram_floor"
check(skipgram_floor)

# %% [markdown]
# ## 7. Few labels, not all of them true · 4 points · 60 minutes
#
# Label propagation takes each given label for the truth. But labels come from people, and some are careless. So each
# label now comes with a **trust**: how much weight it has beside the neighbours. A little trust, and the neighbourhood
# may overrule it.
#
# The points are the nodes of a graph with symmetric weights w. Each has a vector f of class scores, which is the
# **weighted mean** of the vectors of its neighbours, with weights w; a labelled point counts its own label, as a
# one-hot vector y, as one neighbour more, whose weight is its trust t:
#
# $$f_i = \frac{\sum_j w_{ij} f_j + t_i\, y_i}{\sum_j w_{ij} + t_i}, \qquad t_i = 0 \text{ where } i \text{ has no label}$$
#
# All points at once: each f depends on the others. Repeat this until nothing moves, or solve it as one linear system.
#
# `trusting_labels(weights, labels, trust, n_classes)` gets
#
# - `weights`, float32 (n, n), symmetric, not negative, zero on the diagonal,
# - `labels`, int64 (n,): 0 ... n_classes - 1, and -1 where none is known,
# - `trust`, float32 (n,), positive; where there is no label it means nothing,
#
# and returns f, float32 (n, n_classes). Where no label reaches a point, along whatever path, its row is zeros. Some
# graphs are long chains, along which labels creep: 100 rounds are not enough there. To within 0.001 is near enough, and a
# case may take a few seconds, so stop when nothing moves any more, or solve the system. By
# hand:
#
# - two points with weight 1 between them, labels `[0, -1]`, trust `[3, 3]`, two classes: both rows are `[1, 0]`
# - the same with labels `[0, 1]`: f₀ = (f₁ + 3 y₀) / 4 and f₁ = (f₀ + 3 y₁) / 4, so f₀ is `[0.8, 0.2]` and f₁ is
#   `[0.2, 0.8]`


# %% exercise="trusting_labels"
def trusting_labels(
    weights: Tensor, labels: Tensor, trust: Tensor, n_classes: int
) -> Tensor:
    """Return class scores [n, n_classes]: each row the weighted mean of its
    neighbours' and of its own label.
    """
    ### BEGIN SOLUTION
    known = labels >= 0
    own = torch.where(known, trust, 0.0).double()  # (n,)
    # Labels reach what is tied to a reached point: at most n - 1 rounds.
    reached = known.clone()
    for _ in range(len(labels)):
        reached = reached | (weights[:, reached] > 0).any(1)
    given = own[:, None] * F.one_hot(
        labels.clamp(min=0), n_classes
    )  # (n, n_classes)
    system = torch.diag(weights.double().sum(1) + own) - weights  # (n, n)
    scores = torch.zeros(len(labels), n_classes, dtype=torch.float64)
    scores[reached] = torch.linalg.solve(
        system[reached][:, reached], given[reached]
    )
    return scores.float()
    ### END SOLUTION


# %% check="trusting_labels"
check(trusting_labels)

# %% [markdown]
# ## 8. In words · 4 points, graded by hand · 15 minutes
#
# A hospital wants its search to find letters by meaning. Its word vectors were trained with skip-gram. In the letters
# *discharge* mostly means that a patient goes home, and now and then a fluid from a wound. Whoever looks for letters
# about wounds finds the wrong ones. In 100 to 200 words: say what the one vector of *discharge* looks like and **why**,
# from the way it was trained; what a contextual model would do otherwise, and what that costs; and how you would
# measure, before anyone pays, whether it helps.

# %% [markdown] written="one_vector_two_senses"
# ### BEGIN SOLUTION
# A good answer says, in its own words:
#
# Skip-gram has one input vector for each spelling, and every occurrence, of either sense, pulls at it. It settles where
# it predicts the contexts of both best on average, weighted by how often each sense occurs: near *home*, *admitted*,
# *ward*, with a small part of *wound* and *fluid*. So the neighbours are those of the frequent sense, and a query by
# the rare one lands in the wrong place. A contextual model computes a vector for each *occurrence*, from the words
# around it, so that the two senses come to lie in different places. It costs a pass through a network for every text
# (instead of a lookup), a vector for each occurrence or letter to store, and a model to be trained or chosen. To
# measure: take some hundred occurrences, label their sense by hand, keep the test part apart, and compare a probe on
# both kinds of vectors (or the share of right letters among the first ten) with a baseline that always says the
# frequent sense; for static vectors the probe *cannot* beat that baseline, since all occurrences look alike.
#
# Rubric: 1 point for one vector as a mixture weighted by frequency, with its cause in training (every occurrence
# updates the same row); 1 for the contextual mechanism (a vector for each occurrence, computed from its neighbours); 1
# for a real cost (computing, storage, training data, privacy of letters sent to a service); 1 for a measurement with
# labelled examples kept apart *and* a baseline. Half a point off for a claim that is wrong, such as "more dimensions
# would separate the senses" without a way to tell which occurrence is meant.
# ### END SOLUTION
