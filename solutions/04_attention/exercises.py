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
# # Exercises: attention
#
# Seven exercises: 20 points, and 4 by hand for an answer in words. They climb: the first takes a few minutes, the last
# is one to be proud of. Each is judged as soon as you run the cell below it: you see which cases pass, the first that
# does not, and often what was misunderstood. Try as often as you like; only the last state counts.
#
# Write the functions yourself, with Python's standard library, NumPy or torch. Importing the answer from `lmcourse` or
# another library is refused, in words, at once; hold torch's own attention beside your results, but do not let it give
# them (exercises 3 and 6 refuse it). Where nothing else is said, tensors come as float32 and go back as float32; what you do in between is up to you.
# Leave the arguments as they are. A mask says **True = may look**.

# %% tags=["imports"]
import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

# %%
from lmcourse.exercises import open_exercises

check = open_exercises("04_attention")

# %% [markdown]
# ## 1. One query, by hand · 2 points · 8 minutes
#
# With pencil and paper, before any code. One query looks at three words and at a place that only fills the row. The dot
# products of the query with the four keys have been worked out already, as plain products of vectors with
# **d_head = 4** numbers, and they come out handy:
#
# | place | query · key | value |
# |---|---|---|
# | `the` | 0 | (4, 8) |
# | `old` | log 4 = 1.386 | (2, 0) |
# | `mill` | log 25 = 3.219 | (4, -4) |
# | `<pad>` | log 64 = 4.159 | (8, 8) |
#
# What does scaled dot-product attention give to this query? Nobody looks at `<pad>`. (The square root of 25 is 5, and
# exp(log 5) is 5: no calculator is needed.)
#
# Put the two numbers into the list `output`, such as `output = [1.5, 2.0]`; they are rounded to one decimal. The panel
# says only whether both are right.


# %% exercise="predict_context"
def predict_context() -> list[float]:
    """Return the output of attention for the query, found by hand: fill the
    list `output`.
    """
    ### BEGIN SOLUTION
    # Scores 0, log 2, log 5: the weights are 1/8, 2/8 and 5/8.
    output = [3.5, -1.5]
    ### END SOLUTION
    return [round(float(number), 1) for number in output]


# %% check="predict_context"
check(predict_context)

# %% [markdown]
# ## 2. How long may a text be? · 2 points · 15 minutes
#
# You want to train on texts as long as the memory allows. Attention that is written out keeps, until the backward pass,
#
# - for each text of the batch, in each layer, for each head: **two** tables of n × n numbers, the scores and the weights,
# - for each text, in each layer, for each of the n tokens: **four** vectors of d_model numbers: query, key, value and
#   output, of all heads together.
#
# `longest_text(budget, batch, n_layers, n_heads, d_model, bytes_per_number)` returns the largest n, an `int`, for which
# all this takes at most `budget` bytes, and 0 if not even one token fits. By hand, with one text, one layer, one head,
# d_model 4 and 2 bytes a number:
#
# - n tokens take 2 · (2n² + 16n) bytes: 192 for n = 4 and 260 for n = 5. So a budget of 192 gives `4`, one of 259 gives
#   `4`, and one of 260 gives `5`


# %% exercise="longest_text"
def longest_text(
    budget: int,
    batch: int,
    n_layers: int,
    n_heads: int,
    d_model: int,
    bytes_per_number: int,
) -> int:
    """Return the largest number of tokens whose attention fits into `budget`
    bytes.
    """
    ### BEGIN SOLUTION
    numbers = budget // (batch * n_layers * bytes_per_number)
    # 2 h n^2 + 4 d n <= numbers, solved for n in whole numbers.
    root = math.isqrt(4 * d_model**2 + 2 * n_heads * numbers)
    return (root - 2 * d_model) // (2 * n_heads)
    ### END SOLUTION


# %% check="longest_text"
check(longest_text)

# %% [markdown]
# ## 3. Repair the attention · 3 points · 30 minutes
#
# A colleague wrote scaled dot-product attention. Training runs, the loss falls for a while, and then it is nan.
# **Four** things are wrong with it.


# %%
def attention_wrong(q, k, v, mask):
    scores = q @ k.mT / q.shape[-1]  # (batch, query, key)
    scores = scores * mask
    scores = scores.masked_fill(scores == 0, -torch.inf)
    weights = scores.softmax(dim=-2)
    return weights @ v, weights


q = torch.tensor([[[2.0, 0, 0, 0], [1.0, 1, 0, 0]]])
k = torch.tensor([[[2.0, 0, 0, 0], [1.0, 1, 0, 0], [0.0, 1, 0, 0]]])
mask = torch.tensor([[[True, True, True], [False, False, False]]])
print(attention_wrong(q, k, k, torch.ones_like(mask))[1])
print(attention_wrong(q, k, k, mask)[1])

# %% [markdown]
# Write it right. `attention(q, k, v, mask)` gets
#
# - `q`, (batch, query, d_head); `k`, (batch, key, d_head); `v`, (batch, key, d_value),
# - `mask`, bool (batch, query, key), True = may look,
#
# and returns `(output, weights)`, (batch, query, d_value) and (batch, query, key). A query that may look at nothing takes
# nothing: its weights and its output are 0. A score is often exactly 0, and may be 1000. The inputs are float32 or,
# all three, **float16**, and the results have the type of the inputs. By hand, with d_head 4:
#
# - `q = [[[2, 0, 0, 0]]]`, `k = [[[log 4, 0, 0, 0], [0, 1, 0, 0]]]`: the scores are 2 log 4 / 2 = log 4 and 0, the
#   weights `[[[0.8, 0.2]]]`. Where the mask hides the first key, they are `[[[0, 1]]]`


# %% exercise="attention"
def attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the output [batch, query, d_value] and the weights
    [batch, query, key] of scaled dot-product attention.
    """
    ### BEGIN SOLUTION
    scores = q @ k.mT / math.sqrt(q.shape[-1])  # (batch, query, key)
    # The lowest number that the type has: -1e9 is too low for float16, and with -inf a row of them gives nan.
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = scores.softmax(dim=-1).masked_fill(~mask, 0)
    return weights @ v, weights
    ### END SOLUTION


# %% check="attention"
check(attention)

# %% [markdown]
# ## 4. Several texts in one row · 3 points · 30 minutes
#
# Texts differ in length, and filling wastes work. So several short texts are **packed** into one row, one behind the
# other. Then the causal mask is no longer enough: a letter should not be able to read the one before it.
#
# `packed_mask(text_ids)` gets int64 (batch, time): tokens with the same number belong to the same text of the row, and
# each text stands in one piece. 0 is filling, which may stand on the left, on the right or between texts. The numbers
# come in any order. It returns `(mask, positions)`:
#
# - `mask`, bool (batch, time, time), [batch, query, key], True = may look. A token looks at itself and at the earlier
#   tokens of its own text, at nothing else. Filling looks at itself alone (many libraries give nan for a query that may
#   look at nothing), and no other place looks at it.
# - `positions`, int64 (batch, time): the place of each token in its **own** text, from 0; filling gets 0.
#
# By hand:
#
# - `text_ids = [[7, 7, 3, 0]]` gives positions `[[0, 1, 0, 0]]` and as mask, with 1 for True, `[[[1, 0, 0, 0],
#   [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]]`


# %% exercise="packed_mask"
def packed_mask(text_ids: Tensor) -> tuple[Tensor, Tensor]:
    """Return who may look at whom [batch, time, time] and the places of the
    tokens in their texts [batch, time].
    """
    ### BEGIN SOLUTION
    time = text_ids.shape[1]
    same = text_ids[:, :, None] == text_ids[:, None, :]  # (batch, query, key)
    real = (text_ids != 0)[:, :, None]  # (batch, query, 1)
    earlier = torch.ones(time, time, dtype=torch.bool).tril()
    itself = torch.eye(time, dtype=torch.bool)
    mask = same & earlier & real | itself
    # Whom a token sees are the tokens of its text up to itself.
    return mask, mask.sum(-1) - 1
    ### END SOLUTION


# %% check="packed_mask"
check(packed_mask)

# %% [markdown]
# ## 5. Looking back while writing · 3 points · 40 minutes
#
# In Bahdanau's decoder, attention sits *inside* the loop. The state before the step asks, what was found goes into the
# step, and the new state asks next time. Write the loop, with the simplest of cells. At step t, with s₀ = `state`:
#
# $$e_{tj} = v \cdot \tanh(W s_{t-1} + U h_j), \qquad w_t = \mathrm{softmax}_j\, e_{tj}, \qquad c_t = \sum_j w_{tj} h_j$$
#
# $$s_t = \tanh(A x_t + B s_{t-1} + C c_t)$$
#
# `write_with_attention(inputs, state, memory, mask, W, U, v, A, B, C)` gets
#
# - `inputs`, x, (batch, steps, d_in); `state`, s₀, (batch, d_state); `memory`, h, (batch, source, d_memory),
# - `mask`, bool (batch, source), True where there is a word; each source has at least one. Filling gets weight 0,
# - the matrices, which stand on the **left** of what they multiply, as in the formulas: `W` (d_attention, d_state), `U`
#   (d_attention, d_memory), `A` (d_state, d_in), `B` (d_state, d_state), `C` (d_state, d_memory); and `v` (d_attention,),
#
# and returns `(states, weights)`: s₁, s₂, ..., (batch, steps, d_state), and w, (batch, steps, source). By hand, with one
# dimension for everything, all matrices and v equal to 1, two inputs of 0, s₀ = 0 and the memory 1, -1:
#
# - e₁ is tanh 1 and tanh -1, the weights 0.8210 and 0.1790, so c₁ = 0.6420 and s₁ = tanh 0.6420 = `0.5663`
# - e₂ is tanh 1.5663 and tanh -0.4337, so c₂ = 0.5800 and s₂ = tanh(0.5663 + 0.5800) = `0.8165`


# %% exercise="write_with_attention"
def write_with_attention(
    inputs: Tensor,
    state: Tensor,
    memory: Tensor,
    mask: Tensor,
    W: Tensor,
    U: Tensor,
    v: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return the states [batch, steps, d_state] of a decoder with additive
    attention, and its weights [batch, steps, source].
    """
    ### BEGIN SOLUTION
    keys = memory @ U.T  # (batch, source, d_attention), the same at each step
    states, weights = [], []
    for x in inputs.unbind(1):
        hidden = torch.tanh((state @ W.T)[:, None] + keys)
        scores = (hidden @ v).masked_fill(~mask, -torch.inf)
        w = scores.softmax(-1)  # (batch, source)
        context = (w[:, :, None] * memory).sum(1)  # (batch, d_memory)
        state = torch.tanh(x @ A.T + state @ B.T + context @ C.T)
        states.append(state)
        weights.append(w)
    return torch.stack(states, 1), torch.stack(weights, 1)
    ### END SOLUTION


# %% check="write_with_attention"
check(write_with_attention)

# %% [markdown]
# ## 6. What each head says · 3 points · 40 minutes
#
# The outputs of the heads are joined and multiplied by one matrix. That is the same as giving each head its own slice of
# the matrix and adding up. So the output of the layer falls into parts, one a head, and one can ask which head
# says what. Take a layer of causal self-attention apart.
#
# `head_shares(x, W_q, W_k, W_v, W_o, n_heads, n_kv_heads)` gets
#
# - `x`, (batch, time, d_model),
# - the matrices, which stand on the **right** here, as in `x @ W_q`: `W_q` (d_model, n_heads · d_head), `W_k` and `W_v`
#   (d_model, n_kv_heads · d_head), `W_o` (n_heads · d_head, d_model). Each head has d_head columns side by side, head 0 the
#   first; and likewise d_head rows of `W_o`,
# - `n_kv_heads`, which divides `n_heads`. Several heads share one head of keys and values, **neighbours** first: with
#   four heads and two of keys and values, heads 0 and 1 use the first, heads 2 and 3 the second.
#
# Each head is scaled dot-product attention: scores divided by the square root of d_head, and no token looks ahead.
# Returned is (batch, n_heads, time, d_model): the sum over the heads is the output of the layer. By hand, with
# one token, which can only look at itself, d_model 2, two heads, d_head 1 and one head of keys and values:
#
# - `x = [[[1, 2]]]`, `W_v = [[1], [1]]`, `W_o = [[1, 0], [0, 10]]`: the value is 3, head 0 says `[3, 0]` and head 1 says
#   `[0, 30]`, whatever the queries and keys are
# - with a second token `[3, 2]`, of value 5, and a `W_q` of zeros, all scores are 0. The first token still sees itself
#   alone; the second sees both alike, and the mean of 3 and 5 is 4: head 0 says `[4, 0]` and head 1 says `[0, 40]`


# %% exercise="head_shares"
def head_shares(
    x: Tensor,
    W_q: Tensor,
    W_k: Tensor,
    W_v: Tensor,
    W_o: Tensor,
    n_heads: int,
    n_kv_heads: int,
) -> Tensor:
    """Return what each head adds to the output of causal self-attention,
    [batch, n_heads, time, d_model].
    """
    ### BEGIN SOLUTION
    group = n_heads // n_kv_heads
    time, d_head = x.shape[1], W_q.shape[1] // n_heads

    def split(y, n):  # (batch, time, n * d_head) -> (batch, n, time, d_head)
        return y.unflatten(-1, (n, d_head)).transpose(1, 2)

    q = split(x @ W_q, n_heads)
    k = split(x @ W_k, n_kv_heads).repeat_interleave(group, dim=1)
    v = split(x @ W_v, n_kv_heads).repeat_interleave(group, dim=1)
    scores = q @ k.mT / math.sqrt(d_head)  # (batch, n_heads, time, time)
    ahead = torch.ones(time, time, dtype=torch.bool).triu(1)
    weights = scores.masked_fill(ahead, -torch.inf).softmax(-1)
    slices = W_o.view(n_heads, d_head, -1)  # (n_heads, d_head, d_model)
    return weights @ v @ slices
    ### END SOLUTION


# %% check="head_shares"
check(head_shares)

# %% [markdown]
# ## 7. Attention in one pass · 4 points · 60 minutes
#
# The softmax seems to need all scores at once: it divides by a sum that is known only at the end. Yet attention can be
# computed while keys and values stream by, with nothing kept of what has passed but a few numbers. Programs that attend
# to a million tokens rest on this.
#
# `running_attention(blocks)` takes an iterator of blocks, each a pair `(scores, values)` for the next few keys: float32
# (n,) and (n, d). The scores are those of **one** query. After each block it **yields** the output of attention
# over all keys so far, the mean of their values weighted by the softmax of all their scores, float32 (d,).
#
# Scores may be 1,000 or -1,000, far beyond what `exp` can hold in a float. A masked key has the score -inf, and while
# there was no other key, the output is zeros. Each block has at least one key, and d is the same for all.
#
# The blocks are still being made while you work. So `blocks` can be gone through once, and each output is yielded
# **before the next block is taken**: the check counts the blocks taken. Keep no scores and no values: a running maximum,
# a sum and a vector will do. (What you keep, no check can see; a million tokens would.) By hand:
#
# - block `([0], [[4]])` gives `[4]`. Then block `([log 3], [[8]])`: the weights are 1/4 and 3/4, which gives `[7]`
# - block `([1000, 1000], [[2], [4]])` gives `[3]`; after `([-1000], [[50]])` it is still `[3]`


# %% exercise="running_attention"
def running_attention(
    blocks: Iterable[tuple[Tensor, Tensor]],
) -> Iterator[Tensor]:
    """Yield after each block of scores [n] and values [n, d] the output of
    attention over all keys so far, [d].
    """
    ### BEGIN SOLUTION
    top = torch.tensor(-math.inf)  # the largest score so far
    total = torch.tensor(0.0)  # sum of exp(score - top)
    mixed = torch.tensor(0.0)  # sum of exp(score - top) * value
    for scores, values in blocks:
        new_top = torch.maximum(top, scores.max())
        if new_top == -math.inf:
            yield torch.zeros(values.shape[1])
            continue
        # What was summed relative to the old maximum is now made relative to the new one.
        shrink = torch.exp(top - new_top)
        weights = torch.exp(scores - new_top)  # (n,)
        total = total * shrink + weights.sum()
        mixed = mixed * shrink + weights @ values
        top = new_top
        yield mixed / total
    ### END SOLUTION


# %% check="running_attention"
check(running_attention)

# %% [markdown]
# ## 8. In words · 4 points, graded by hand · 15 minutes
#
# A translation office shows its customers, for each word of a translation, the source word it came from: the one with the
# largest attention weight of an RNN with attention. The translations are right. Yet for one word in three the mark stands on the
# wrong source word, mostly on a neighbour of the right one. In 100 to 200 words: say **why** a model that translates
# perfectly may put its weight beside the word (think of what a state of the encoder holds); what the office may claim
# about these marks and what not; and which experiment, with numbers, would tell whether a source word really
# matters for a target word.

# %% [markdown] written="is_it_an_alignment"
# ### BEGIN SOLUTION
# A good answer says, in its own words:
#
# The weights are not over words but over *states* of the encoder, and a state is not its word: a recurrent encoder has
# carried the neighbours, from the left or from both sides, into it. So what the decoder needs may be read
# next door, and the loss asks for the right translation only: nothing in training rewards a weight on the right place. Besides, what is looked for
# depends on the decoder: the state that asks has not yet written the word, or the word follows from what was
# written already. The office may say where the model looked, a trace of the computation and on average near the source; it
# may not say that this word is the cause, or that the mark is an alignment. To test it: replace or delete one source word at a
# time, keep the rest, and measure how far the log-probability of the target word falls; compare with other words at the same distance, over many sentences,
# and with the true links where they are known (the share of words where the largest fall hits the link, beside the
# share for the largest weight). An extra loss that pulls weights to known links would make cleaner
# marks, at the price of labelled links.
#
# Rubric: 1 point for weights over states that hold their neighbours, not over words; 1 for the objective: training asks
# for the translation, not for the alignment; 1 for a claim that is kept apart from causality (where it looked, not why);
# 1 for an intervention on the input (delete, replace) with a number that is compared with something. Half a point off for
# a claim that is wrong, such as "the model has not been trained long enough" for errors at perfect translation.
# ### END SOLUTION
