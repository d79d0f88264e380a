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
# # Exercises: encoder and decoder
#
# Seven exercises: 20 points, and 4 by hand for an answer in words. They climb: the first takes a few minutes, the last
# is one to be proud of. Each is judged as soon as you run the cell below it: you see which cases pass, the first that
# does not, and often what was misunderstood. Try as often as you like; only the last state counts.
#
# Write the functions yourself, with Python's standard library, NumPy or torch. Importing the answer from `lmcourse` or
# another library is refused, in words, at once; hold torch's own layers beside your results, but do not let them give
# them (exercises 3, 4, 5 and 7 refuse those that would be the answer). Tensors come as float32 and go back as float32;
# what you do in between is up to you. Leave the arguments as they are. A mask says **True = may look**, and matrices
# stand on the **right** of what they multiply, as in `x @ W`.

# %% tags=["imports"]
import math
from collections import Counter

import torch
from torch import Tensor

# %%
from lmcourse.exercises import open_exercises

check = open_exercises("05_encoder_decoder")

# %% [markdown]
# ## 1. Count the numbers · 2 points · 10 minutes
#
# With pencil and paper, before any code. How many parameters does a Transformer learn? Take a small one:
#
# - **d_model = 10**, d_ff = 40, **2 heads**, two encoder blocks and two decoder blocks, pre-norm.
# - Every linear layer has a bias: the four of an attention (for queries, keys, values and output) and the two of a
#   feed-forward network. A layer norm has a gain and a bias.
# - Each sublayer has its own norm, and each of the two stacks ends with one more.
# - Source and target share a vocabulary of **100** tokens. **One** matrix serves as embedding of the source, as
#   embedding of the target and, without a bias, as output layer. The positions are sines and cosines.
#
# 1. How many parameters has **one** encoder block?
# 2. And **one** decoder block?
# 3. And the whole model?
# 4. Now source, target and output get a matrix each, and there are 5 heads of 2 numbers instead of 2 heads of 5. How
#    many parameters **more** than in 3 are that?
#
# Put the four numbers into the list `answers`, such as `answers = [900, 1100, 5000, 300]`. The panel says only whether
# all four are right; where a slip explains all you wrote, it says which.


# %% exercise="predict_parameters"
def predict_parameters() -> list[int]:
    """Return the four counts, found by hand: fill the list `answers`."""
    ### BEGIN SOLUTION
    # A square layer has 110 numbers, an attention 440, a feed-forward network 440 + 410, a norm 20.
    # 440 + 850 + 2 * 20; 2 * 440 + 850 + 3 * 20; 2 * (1330 + 1790) + 2 * 20 + 1000; two more matrices.
    answers = [1330, 1790, 7280, 2000]
    ### END SOLUTION
    return [round(answer) for answer in answers]


# %% check="predict_parameters"
check(predict_parameters)

# %% [markdown]
# ## 2. How long to warm up? · 2 points · 30 minutes
#
# The paper's learning rate rises, and then falls with the root of the step. With s = 1, 2, 3, ...:
#
# $$\mathrm{rate}(s) = \frac{1}{\sqrt{d_\mathrm{model}}} \cdot \min\!\left(\frac{1}{\sqrt{s}},\; \frac{s}{\mathrm{warmup}^{1.5}}\right)$$
#
# The warm-up sets two things at once: how high the rate gets, and how gently it begins. You have tried out which rates
# your model stands. Find the warm-up from them.
#
# `shortest_warmup(d_model, largest, gentle, n)` returns the smallest whole number `warmup`, at least 1, with which
#
# - no step has a rate above `largest`, and
# - none of the first `n` steps (n ≥ 1) has a rate above `gentle`.
#
# Rates that are equal to the bound are allowed. It may be that the rate has its peak within the first n steps.
# Warm-ups may be of two hundred thousand steps, and n may be 10,000. By hand, with `d_model=4`, so that 1 / √4 = 1/2:
#
# - `shortest_warmup(4, 0.125, 1.0, 16)`: the peak is at s = warmup, where the rate is 1 / (2 √warmup). That is 0.125 for
#   `16`
# - `shortest_warmup(4, 0.125, 0.03, 16)`: with 16 the first 16 steps go up to 0.125. With a longer warm-up the rate of
#   step 16 is 8 / warmup^1.5: 0.0305 for 41 and 0.0294 for `42`


# %% exercise="shortest_warmup"
def shortest_warmup(d_model: int, largest: float, gentle: float, n: int) -> int:
    """Return the smallest warm-up with which no rate is above `largest` and
    none of the first `n` rates is above `gentle`.
    """
    ### BEGIN SOLUTION
    warmup = math.ceil(1 / (d_model * largest**2))  # the peak, anywhere
    if 1 / (d_model * gentle**2) <= n:  # it may stand within the first n steps
        begin = math.ceil(1 / (d_model * gentle**2))
    else:  # all of the first n steps are on the way up: step n is the highest
        begin = math.ceil((n / (gentle * math.sqrt(d_model))) ** (2 / 3))
    return max(warmup, begin, 1)
    ### END SOLUTION


# %% check="shortest_warmup"
check(shortest_warmup)

# %% [markdown]
# ## 3. Repair the pre-norm stack · 3 points · 30 minutes
#
# A colleague wrote a stack of pre-norm sublayers, here feed-forward networks alone. A word's result changes with the
# words beside it, and that is not all: **five** things are wrong.


# %%
def normed_wrong(x, gain, bias, eps):
    mean = x.mean(dim=1, keepdim=True)
    std = x.std(dim=1, keepdim=True)
    return gain * (x - mean) / (std + eps) + bias


def pre_norm_stack_wrong(x, sublayers, gain, bias, eps):
    for sublayer_gain, sublayer_bias, W_1, W_2 in sublayers:
        x = normed_wrong(x, sublayer_gain, sublayer_bias, eps)
        x = x + torch.relu(x @ W_1) @ W_2
    return x


x = torch.tensor([[[3.0, 11.0], [2.0, 0.0], [4.0, 5.0]]])
gain, bias = torch.ones(2), torch.zeros(2)
sublayers = [
    (gain, bias, torch.tensor([[0.0], [10.0]]), torch.tensor([[1.0, -1.0]]))
]
print(pre_norm_stack_wrong(x, sublayers, gain, bias, 9.0)[:, 0])
print(pre_norm_stack_wrong(x[:, :2], sublayers, gain, bias, 9.0)[:, 0])

# %% [markdown]
# Write it right. A layer norm brings **each vector**, on its own, to mean 0 and variance 1. The variance is the mean
# of the squared distances from the mean (over all d numbers, not d - 1), and `eps` is added to the **variance**:
#
# $$\mathrm{norm}(x) = \mathrm{gain} \cdot \frac{x - \mathrm{mean}}{\sqrt{\mathrm{variance} + \mathrm{eps}}} + \mathrm{bias}$$
#
# A pre-norm sublayer computes x + f(norm(x)), here with f(y) = relu(y W₁) W₂. What passes it by is the x from before the
# norm. What leaves the whole stack is normed once more.
#
# `pre_norm_stack(x, sublayers, gain, bias, eps)` gets
#
# - `x`, (batch, time, d),
# - `sublayers`, a list, which may be empty, of tuples: gain (d,) and bias (d,) of the sublayer's norm, `W_1`
#   (d, d_ff) and `W_2` (d_ff, d),
# - `gain` and `bias`, (d,), of the last norm; `eps`, which all norms share and which need not be small,
#
# and returns (batch, time, d). The numbers may lie around 1000, and still differ only by 1. By hand, with all gains 1,
# all biases 0 and `eps=9`:
#
# - no sublayers, `x = [[[3, 11]]]`: mean 7, variance 16, √(16 + 9) = 5, so `[[[-0.8, 0.8]]]`
# - before it the sublayer of the cell above: norm(x) is (-0.8, 0.8), f adds (8, -8), and x becomes (11, 3):
#   `[[[0.8, -0.8]]]`


# %% exercise="pre_norm_stack"
def pre_norm_stack(
    x: Tensor,
    sublayers: list[tuple[Tensor, Tensor, Tensor, Tensor]],
    gain: Tensor,
    bias: Tensor,
    eps: float,
) -> Tensor:
    """Return what a stack of pre-norm feed-forward sublayers with a last norm
    makes of x, [batch, time, d].
    """
    ### BEGIN SOLUTION

    def normed(x, gain, bias):
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)
        return gain * centred / torch.sqrt(variance + eps) + bias

    for sublayer_gain, sublayer_bias, W_1, W_2 in sublayers:
        y = normed(x, sublayer_gain, sublayer_bias)
        x = x + torch.relu(y @ W_1) @ W_2
    return normed(x, gain, bias)
    ### END SOLUTION


# %% check="pre_norm_stack"
check(pre_norm_stack)

# %% [markdown]
# ## 4. Smooth labels, but not onto the filling · 3 points · 30 minutes
#
# Label smoothing asks the model to keep a little probability for every token. torch spreads it over the whole
# vocabulary, `<pad>` included: so the model is taught to say `<pad>` now and then. Write the loss that does not.
#
# `smoothed_loss(logits, targets, smoothing, pad_id)` gets `logits`, (batch, time, vocab), `targets`, int64
# (batch, time), in which `pad_id` marks filling, and `smoothing`, from 0 to below 1. At each real place the wanted
# law q gives
#
# - `smoothing`, in equal parts, to **all** tokens but `<pad>`, the true one among them,
# - the rest, 1 - smoothing, to the true token on top of that; and nothing to `<pad>`.
#
# The loss of a place is -Σ q(w) log p(w), in nats, where p is the softmax over the **whole** vocabulary. Returned is
# its mean over the real places of the whole batch (there is at least one), a tensor without axes. Logits may be 1000;
# the logit of `<pad>` may be -inf, in a model that cannot say it. What the logits are at filling means nothing, and
# may be nan. By hand, with a vocabulary of 4, `pad_id=0` and `smoothing=0.3`, so that three tokens get 0.1 each:
#
# - one place, p = (1/8, 1/8, 1/4, 1/2), true token 3: q = (0, 0.1, 0.1, 0.8), and the loss is
#   0.1 log 8 + 0.1 log 4 + 0.8 log 2 = 1.3 log 2 = `0.9011`


# %% exercise="smoothed_loss"
def smoothed_loss(
    logits: Tensor, targets: Tensor, smoothing: float, pad_id: int
) -> Tensor:
    """Return the mean loss in nats against labels that are smoothed over all
    tokens but <pad>, a tensor without axes.
    """
    ### BEGIN SOLUTION
    real = targets != pad_id  # (batch, time)
    log_p = logits[real].log_softmax(-1)  # (real places, vocab)
    true = log_p.gather(1, targets[real][:, None])[:, 0]
    # Left out, not multiplied by 0: 0 * -inf is nan.
    sayable = torch.arange(logits.shape[-1]) != pad_id
    even = log_p[:, sayable].mean(-1)
    return -((1 - smoothing) * true + smoothing * even).mean()
    ### END SOLUTION


# %% check="smoothed_loss"
check(smoothed_loss)

# %% [markdown]
# ## 5. One source, several beginnings · 3 points · 35 minutes
#
# In beam search several hypotheses are written for each source, and all of them look at the same encoder output. It
# would be a waste to keep that once a hypothesis. Write cross-attention, with one head, that takes it once a source.
#
# `cross_attention(x, memory, mask, W_q, W_k, W_v)` gets
#
# - `x`, (batch · width, target, d_model), from the decoder: first the `width` hypotheses of source 0, then those of
#   source 1, and so on,
# - `memory`, (batch, source, d_memory), from the encoder, and `mask`, bool (batch, source), True where there is a
#   word: at least one in each source,
# - `W_q` (d_model, d_head), `W_k` (d_memory, d_head) and `W_v` (d_memory, d_value),
#
# and returns `(output, weights)`: (batch · width, target, d_value) and (batch · width, target, source), the rows in
# the order of `x`. It is scaled dot-product attention: the scores are divided by √d_head, and filling gets weight 0.
# Scores may be very large, or very negative. By hand, with one source, two hypotheses of one word, and d_head 1:
#
# - `x = [[[0]], [[log 4]]]`, `memory = [[[1], [2]]]`, `W_q = W_k = [[1]]`, `W_v = [[10]]`: the scores are 0, 0 and
#   log 4, 2 log 4; the weights `[[[0.5, 0.5]], [[0.2, 0.8]]]`; the output `[[[15]], [[18]]]`


# %% exercise="cross_attention"
def cross_attention(
    x: Tensor,
    memory: Tensor,
    mask: Tensor,
    W_q: Tensor,
    W_k: Tensor,
    W_v: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return the output [batch * width, target, d_value] and the weights
    [batch * width, target, source] of cross-attention.
    """
    ### BEGIN SOLUTION
    batch, target = len(memory), x.shape[1]
    # The places of all hypotheses of a source, in one row: to keys they are all alike.
    q = (x @ W_q).reshape(
        batch, -1, W_q.shape[1]
    )  # (batch, width * target, d_head)
    k, v = memory @ W_k, memory @ W_v
    scores = q @ k.mT / math.sqrt(W_q.shape[1])
    weights = scores.masked_fill(~mask[:, None], -torch.inf).softmax(-1)
    output = weights @ v
    return (
        output.reshape(len(x), target, -1),
        weights.reshape(len(x), target, -1),
    )
    ### END SOLUTION


# %% check="cross_attention"
check(cross_attention)

# %% [markdown]
# ## 6. The number in the paper's table · 3 points · 45 minutes
#
# The paper reports 28.4 and 41.8 BLEU. The score is two decades old, has a dozen details, and programs that get one of
# them wrong report numbers that cannot be compared. Get them right (Papineni et al., 2002).
#
# `bleu(hypotheses, references, max_n)` gets a list of hypotheses, each a list of words, and for each hypothesis a list
# of one or more references, each a list of words. It returns a `float` from 0 to 100:
#
# - For n = 1, ..., `max_n`, the precision p_n: of all n-grams of the hypotheses, how many are **matched**? In each
#   sentence an n-gram is matched at most as often as it occurs in that one of its references in which it occurs most.
#   Matches and n-grams are added up over the **whole corpus**, and then divided.
# - The brevity penalty: c is the number of words of all hypotheses. r adds up, for each hypothesis, the length of the
#   reference that is nearest to its own length; of two that are equally near, the **shorter**. The penalty is
#   1 where c ≥ r, and exp(1 - r / c) where c < r.
# - Words are compared as they are given: `The` is not `the`.
# - BLEU is 100 · penalty · (p_1 · ... · p_max_n)^(1 / max_n). It is 0 if some p_n is 0 or there is no n-gram of
#   that order.
#
# By hand, with `max_n=2`:
#
# - hypothesis `the old the mill`, reference `the old mill turns slowly`: matched are one `the`, `old` and `mill`, so
#   p₁ = 3/4, and `the old`, so p₂ = 1/3. The penalty is exp(1 - 5/4) = 0.7788. BLEU = 100 · 0.7788 · √(1/4) = `38.94`


# %% exercise="bleu"
def bleu(
    hypotheses: list[list[str]],
    references: list[list[list[str]]],
    max_n: int = 4,
) -> float:
    """Return the BLEU of a corpus, from 0 to 100."""
    ### BEGIN SOLUTION

    def ngrams(words, n):
        return Counter(zip(*(words[i:] for i in range(n)), strict=False))

    log_precision = 0.0
    for n in range(1, max_n + 1):
        matched = total = 0
        for hypothesis, group in zip(hypotheses, references, strict=True):
            found, most = ngrams(hypothesis, n), Counter()
            for reference in group:
                most |= ngrams(reference, n)  # the larger count of each
            matched += (found & most).total()  # the smaller count of each
            total += found.total()
        if matched == 0:
            return 0.0
        log_precision += math.log(matched / total) / max_n
    c = sum(len(hypothesis) for hypothesis in hypotheses)
    r = 0
    for hypothesis, group in zip(hypotheses, references, strict=True):
        own = len(hypothesis)
        r += min((abs(len(one) - own), len(one)) for one in group)[1]
    return 100 * math.exp(min(0.0, 1 - r / c) + log_precision)
    ### END SOLUTION


# %% check="bleu"
check(bleu)

# %% [markdown]
# ## 7. Token by token · 4 points · 75 minutes
#
# All parts together: a decoder that writes. What it says is fed back, and it says the next token, until it says `<eos>`.
#
# `translate(memory, mask, weights, bos_id, eos_id, max_length)` gets the encoder's output `memory`,
# (batch, source, d), with its `mask`, bool (batch, source), True where there is a word (at least one in each), and the
# decoder's `weights`, a dict:
#
# - `"embedding"`, (vocab, d), and `"positions"`, (places, d), with places ≥ max_length: the token w at place t enters
#   as embedding[w] + positions[t]. `<bos>` stands at place 0.
# - `"blocks"`, a list of dicts, one a block, the lowest first. Each block does three things in a row, **each** of
#   which is added to its input x (to keep it short, there are no norms and no biases):
#   1. self-attention, with `"self_q"`, `"self_k"`, `"self_v"`: a place looks at itself and at the earlier ones,
#   2. cross-attention, with `"cross_q"`, `"cross_k"`, `"cross_v"`, over the words of the source,
#   3. relu(x W₁) W₂, with `"ff_1"` (d, d_ff) and `"ff_2"` (d_ff, d).
#
#   Both attentions are scaled dot-product attention with one head; the matrices are (d, d).
# - The logits are x · embedding[w] for each token w, with x the output of the last block: the embedding is the output
#   layer, too.
#
# Written is the token with the largest logit, whichever it is. A sentence ends with `<eos>`, or when `max_length`
# tokens (`<bos>` does not count) have been written. Returned is a list of lists of ids, one a sentence, without
# `<bos>` and without `<eos>`. A sentence comes out the same whether or not others are in the batch. Recompute
# everything at each step, or keep keys and values: both are right. torch's `scaled_dot_product_attention` is welcome
# here. By hand, with these weights:

# %%
embedding = torch.eye(4)  # 0 is a word, 1 <bos>, 2 <eos>, 3 a word
positions = 2 * torch.eye(4)[[3, 0, 2, 2]]
zeros = torch.zeros(4, 4)
names = [
    "self_q",
    "self_k",
    "self_v",
    "cross_q",
    "cross_k",
    "cross_v",
    "ff_1",
    "ff_2",
]
block = dict.fromkeys(names, zeros)
weights = {"embedding": embedding, "positions": positions, "blocks": [block]}
memory, mask = torch.tensor([[[5.0, 0, 0, 0]]]), torch.tensor([[True]])

# %% [markdown]
# - all blocks add nothing. `<bos>` at place 0 is embedding[1] + positions[0] = (0, 1, 0, 2): the largest logit is
#   that of 3. Then 3 at place 1 is (2, 0, 0, 1), which says 0, and 0 at place 2 is (1, 0, 2, 0), which says `<eos>`:
#   `[[3, 0]]`
# - with `block["cross_v"] = torch.eye(4)` every place takes in (5, 0, 0, 0) from the one source word and says 0: with
#   `max_length=3` it is `[[0, 0, 0]]`


# %% exercise="translate"
def translate(
    memory: Tensor,
    mask: Tensor,
    weights: dict,
    bos_id: int,
    eos_id: int,
    max_length: int,
) -> list[list[int]]:
    """Return what a Transformer decoder writes for each source, token by
    token, without <bos> and <eos>.
    """
    ### BEGIN SOLUTION

    def attention(q, k, v, may_look):
        scores = q @ k.mT / math.sqrt(q.shape[-1])
        return scores.masked_fill(~may_look, -torch.inf).softmax(-1) @ v

    ids = torch.full((len(memory), 1), bos_id)
    done = torch.zeros(len(memory), dtype=torch.bool)
    while ids.shape[1] <= max_length and not done.all():
        time = ids.shape[1]
        earlier = torch.ones(time, time, dtype=torch.bool).tril()
        x = weights["embedding"][ids] + weights["positions"][:time]
        for b in weights["blocks"]:
            q, k, v = x @ b["self_q"], x @ b["self_k"], x @ b["self_v"]
            x = x + attention(q, k, v, earlier)
            q, k, v = (
                x @ b["cross_q"],
                memory @ b["cross_k"],
                memory @ b["cross_v"],
            )
            x = x + attention(q, k, v, mask[:, None])
            x = x + torch.relu(x @ b["ff_1"]) @ b["ff_2"]
        said = (x[:, -1] @ weights["embedding"].T).argmax(-1)
        ids = torch.cat([ids, said[:, None]], dim=1)
        done |= said == eos_id
    rows = [row[1:] for row in ids.tolist()]
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]
    ### END SOLUTION


# %% check="translate"
check(translate)

# %% [markdown]
# ## 8. In words · 4 points, graded by hand · 15 minutes
#
# A team makes its translator deeper, from 6 to 18 blocks on each side, with post-norm as in the paper and Adam. With
# the full learning rate from the first step, the loss stays where a model would be that knows only how frequent each
# word is. With a warm-up of 4,000 steps, two of five seeds train. With pre-norm, all five train, even without a
# warm-up. In 100 to 200 words: explain **why** the order of norm and addition decides this (follow the gradient from
# the loss down to the decoder's first block); what a warm-up changes about it, and what not; why a pre-norm stack
# needs one more norm at its end; and which **measurement before the first step** of training would have told the
# team, with what outcome.

# %% [markdown] written="why_pre_norm_trains"
# ### BEGIN SOLUTION
# A good answer says, in its own words:
#
# In a pre-norm block the output is x + f(norm(x)): the identity leads from the loss past all sublayers to the first
# block, and the gradient there is the one from above plus what comes through f. In a post-norm block the sum itself
# is normed, so on its way down the gradient passes a norm at every sublayer; each has to shrink the sum of two parts
# back to length 1, a factor of about 1/√2 at initialization, which multiplies up with depth. So at the start
# gradients are very uneven over depth: large near the output, tiny at the bottom (Xiong et al., 2020, show that those
# of the last layers are large whatever the depth). The full rate at once throws the upper layers, and Adam's still
# unreliable estimates with them, to where the model only repeats frequencies. Adam divides by the gradient's size, so
# small gradients at the bottom do not mean small steps: Liu et al. (2020) blame small changes of the weights, which in
# post-norm grow from layer to layer until the output is another one. A warm-up keeps the first steps small until
# weights and estimates have settled; it does not repair the path, so a deep stack still depends on luck.
# Pre-norm's stream is never normed on its way and grows with each block, so without a last norm the logits' size
# would grow with depth. The measurement: at initialization, one batch, one backward pass, the norm of the gradient in
# each block of the decoder, for several depths and seeds. Post-norm: it falls from the last block to the first, and
# the more so the deeper the stack. (The course's Transformer with d_model 64: by a factor of about 7 with 6 blocks, of
# about 300 with 18.) Pre-norm: at either depth the blocks differ by a factor of two or so. (The encoder shows it less:
# every decoder block looks at its end, the last one, too.)
#
# Rubric: 1 point for the path (identity past the sublayers against a norm on every step down), with an effect on the
# gradients that fits; 1 for the warm-up (small first steps, with either reason: Adam's estimates, or changes that grow
# from layer to layer; does not change the path); 1 for the last norm (the stream grows and is not normed anywhere
# else); 1 for the gradient norm by block at initialization, with both outcomes. Half a point off for a claim that is
# wrong, such as "post-norm has no residual connection".
# ### END SOLUTION
