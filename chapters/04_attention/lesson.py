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
# # Attention: look again
#
# > *Read this page once, close the book, and translate it. Or may you look again?*
#
# The encoder-decoder of chapter 03 had to translate with the book closed. It read the sentence, kept one vector, and failed at fifteen words. Yet the encoder has a state for *every* word, and they were all thrown away but the last. Suppose that the decoder could go back to them, each time it needs one. Two questions follow. Which of them should it look at?
# And if it can look at all of them at any time, what is the recurrence still good for? The answer to the first is attention. The answer to the second took three more years, and gave us the models of today.
#
# <div class="lesson-header">
#
# **You will be able to** derive attention from the bottleneck; write scaled dot-product and multi-head attention with their masks, and prove that nothing leaks from the future; say what attention costs and what it buys; read an attention map with due doubt.
#
# **You need** chapter 03; positions from chapter 02. **Time** 55 minutes to read, two to run, three to four hours for the exercises. **Runs on** any CPU;
# one cell uses a GPU where there is one.
#
# </div>

# %%
import math
from collections import Counter, defaultdict

import numpy as np
import torch
import torch.nn.functional as F

from lmcourse.attention import (
    MultiHeadAttention,
    MultiHeadConfig,
    alignment_error,
    attention_cost,
    causal_mask,
    combine,
    combine_masks,
    fit_exponent,
    induction_score,
    influence,
    join_heads,
    padding_mask,
    peak_bytes,
    play_rows,
    previous_token_score,
    readers_of_plays,
    recorded_study,
    recurrent_cost,
    relevance,
    scaled_dot_product_attention,
    score_variance,
    seconds_against_length,
    short_play,
    softmax_saturation,
    split_heads,
    train_on_plays,
    translators,
)
from lmcourse.corpora import translation
from lmcourse.embeddings.plots import plot_matrix
from lmcourse.figures.charts import curves
from lmcourse.figures.floor import floor_table
from lmcourse.figures.plots import use_style
from lmcourse.recurrence import (
    Recurrent,
    RecurrentConfig,
    exact_match_by_length,
    pad_pairs,
    train_translator,
)
from lmcourse.training import best_device, side_by_side
from lmcourse.widgets.attention import (
    attention_by_hand,
    attention_map,
    mask_painter,
    softmax_playground,
)

style = use_style()

# %% [markdown]
# ## A mean with chosen weights
#
# How can a network "look at" one of several vectors? Taking one is a jump, and jumps have no gradient. Take a **weighted mean** of all of them instead, with most of the weight on one. The weights come from **scores**: a number for each vector that says how well it fits what is needed now. The **softmax** turns scores into weights that are positive and sum to 1.
#
# By hand: the encoder has left three states, for *the*, *black*, *cat*. The decoder's state says, in its way, "I need a noun".

# %%
states = torch.tensor([[0.0, 0.1], [1.0, 0.0], [0.2, 1.0]])  # the, black, cat
needed = torch.tensor([0.0, 3.0])
scores = states @ needed
weights = scores.softmax(0)
for word, score, weight in zip(["the", "black", "cat"], scores, weights):
    print(f"{word:5} score {score:.1f}, weight {weight:.2f}")
print("context", (weights @ states).numpy().round(2))

# %% [markdown]
# The result lies near the state of *cat*, and a change of the scores moves it smoothly. So the whole thing can be learnt with the rest: nobody will tell the decoder where to look.
#
# Bahdanau et al. (2015) computed the scores by a small network, $v \cdot \tanh(W s_t + U h_j)$ for a decoder state $s_t$ and an encoder state $h_j$: **additive** attention. Luong et al. (2015) took a product, $s_t \cdot W h_j$: **multiplicative** attention, which is one matrix product for all pairs. Both give the decoder a new **context vector**
# at each step,
#
# $$c_t = \sum_j \alpha_{tj} h_j, \qquad \alpha_{tj} = \operatorname{softmax}_j\big(\text{score}(s_t, h_j)\big).$$
#
# They also differ in order. Bahdanau's decoder asks with its last state, and what it finds enters the next step; so the steps must follow one another in training, too. Luong's takes its recurrent step first and then looks: the output layer reads $\tilde h_t = \tanh(W [c_t; s_t])$, and in training all places look back in one call. We take Luong's order, with either score.
#
# ## Three translators
#
# Now the experiment of chapter 03 again: same sentences, same training time. The first model is that of chapter 03, with its fixed context. The second has *the same encoder*, and a decoder that looks back. The third is where we are heading, a model with no recurrence at all; take it as a promise for now. They train two at a time, for a minute in all.

# %% tags=["nbval-ignore-output"]
grammar = translation()
pairs = grammar.sample(20_000, lengths=(4, 24), seed=0)
test = grammar.sample(700, lengths=(4, 24), seed=1).without(pairs)
untrained = translators(grammar)
for name, (model, recipe) in untrained.items():
    n = sum(weights.numel() for weights in model.parameters())
    print(
        f"{name:16} {n:7,} weights, {recipe.steps:,} steps of {recipe.batch_size}"
    )
runs = [(model, pairs, recipe, False) for model, recipe in untrained.values()]
trained = dict(zip(untrained, side_by_side(train_translator, runs)))
for name, (_, history) in trained.items():
    print(f"{name:16} {history}")

# %% mystnb={"image": {"alt": "Exactly right translations against source length for three models: the fixed context falls from all at five words to none at twenty; the recurrent network with attention stays highest all the way; the self-attention model falls slowly in between."}} tags=["nbval-ignore-output"]
bands = {
    name: exact_match_by_length(model, test)
    for name, (model, _) in trained.items()
}
curves(
    [(band.shortest + band.longest) / 2 for band in bands["fixed context"]],
    {
        name: [100 * band.share for band in found]
        for name, found in bands.items()
    },
    xlabel="words in the source sentence",
    ylabel="translated exactly (%)",
    title="No cliff for a decoder that may look back",
    y_from=0,
)
at_15_words = {name: found[3].share for name, found in bands.items()}
assert at_15_words["RNN + attention"] > at_15_words["fixed context"] + 0.3
assert at_15_words["self-attention"] > at_15_words["fixed context"]

# %% [markdown]
# The encoders of the first two are equal, down to their first weights. The second has some 110,000 weights more, for the look back, and it, too, begins in the encoder's last state; what is new is that it can see the others. One run is one draw of the weights. Here are three, recorded, and the additive score with them (`record_studies` in the package makes them again, in some ten minutes):

# %%
print("words              3-6     7-10    11-14    15-18    19-22    23-24")
for name, seeds in recorded_study("lengths").items():
    mean, spread = np.mean(seeds, axis=0), np.std(seeds, axis=0, ddof=1)
    shares = (f"{100 * m:3.0f} ± {100 * s:2.0f}" for m, s in zip(mean, spread))
    print(f"{name:16}", "  ".join(shares))

# %% [markdown]
# Both scores do it, and the additive one learns faster here. (Luong's product is not scaled; what that may do to a softmax, you will see below.) The model without recurrence had the same time and stands between the others: it has no feed-forward layers, and nothing in it reads in order. That it comes so far is the point. Chapter 05 gives it what it lacks.
#
# ### What the weights show, and what they do not
#
# Each word that was written has a row of weights. It is tempting to read them as an **alignment**: this word is the translation of that one. Our grammar knows the true alignment, so you can check. Choose a sentence, and switch the truth on.

# %% tags=["nbval-ignore-output"]
attentive = trained["RNN + attention"][0]


def looked(model, one):
    ids = pad_pairs(*map(list, one.ids()))
    with torch.no_grad():
        weights = model.weights(ids.source_ids, ids.lengths, ids.target_ids)
    return weights[0]


some = [k for k in range(len(test)) if 5 <= len(test.source[k]) <= 14][:24]
attention_map(
    [
        (
            (*test.source[k], "<eos>"),
            (*test.target[k], "<eos>"),
            looked(attentive, test[k : k + 1]).numpy(),
            test.alignment[k],
        )
        for k in some
    ]
)

# %% tags=["nbval-ignore-output"]
few = test[:300]
found = alignment_error(
    [looked(attentive, few[k : k + 1]) for k in range(len(few))], few.alignment
)
print(f"largest weight beside the truth: {100 * found.error:.0f} % of words")
for offset in [-2, -1, 1, 2]:
    print(f"  {offset:+d}: {100 * found.share(offset):.0f} %")
assert found.error > 0.05

# %% [markdown]
# Nearly a fifth of the largest weights lie beside the truth, in translations that are mostly right. Which words are those?

# %% tags=["nbval-ignore-output"]
met, read_at = Counter(), defaultdict(Counter)
for sentence, place, looked_at, off in zip(*found):
    pair = few[int(sentence)]
    meaning = grammar.glosses[pair.target[place]]
    met[meaning] += 1
    if off:
        read_at[meaning][(*pair.source, "<eos>")[looked_at]] += 1
for meaning, at in sorted(read_at.items(), key=lambda kv: -kv[1].total()):
    if at.total() > met[meaning] / 2 and met[meaning] >= 15:
        where = ", ".join(word for word, _ in at.most_common(3))
        print(
            f"{meaning:8} {at.total()} of {met[meaning]} times read at {where}"
        )

# %% [markdown]
# The mistakes are habits. *When*, *if* and *as soon as* ("at once") were read at the comma that ends their clause, where our language says them; a *house* at the *near* or *behind* before it. For the weights do not choose *words*. They choose *states*, and these have read their neighbours from both sides: the state at the comma knows the clause and how it began, the state at *near* what comes next. The decoder
# looks where it has found what it needs, and nothing in the training asks that this be the word itself. Another seed has other habits. Attention weights show what was read, not why (Jain and Wallace, 2019; Koehn and Knowles, 2017, met an attention that was shifted by one place in real translation). Enjoy the maps; do not use them as proof.
#
# <details class="checkpoint"><summary>How would you find out whether <em>when</em> matters for its translation, if not by the weights?</summary>
#
# Change it. Put *if* in its place, leave the rest, and see how the probabilities of the translation move. An intervention tells about causes; a weight tells where something was read.
# </details>
#
# ## Queries, keys and values
#
# So far one vector of the encoder had two jobs: it was compared (the score), and it was handed over (the mean). Separate them. From each vector make a **key**, by which it is found, and a **value**, which it hands over; from each vector that asks make a **query**. All three are made by matrices that are learnt, $q = x W_q$, $k = x W_k$, $v = x W_v$. And drop the distinction between who asks and who is asked: let each word of *one* text ask all the words of the same text.
# That is **self-attention**. It has two steps, and they are two functions in the package:
#
# 1. **relevance scoring**: compare each query with each key, $s_{ij} = q_i \cdot k_j / \sqrt{d}$;
# 2. **combining information**: $o_i = \sum_j w_{ij} v_j$ with the weights $w_i = \operatorname{softmax}(s_i)$.
#
# Move the arrows. Can you make *sleeps* take everything from *cat*?

# %%
attention_by_hand()

# %% [markdown]
# For all words at once it is two matrix products with a softmax in between (Vaswani et al., 2017, equation 1):
#
# $$\operatorname{attention}(Q, K, V) = \operatorname{softmax}\!\Big(\frac{Q K^\top}{\sqrt{d}}\Big)\, V.$$

# %%
generator = torch.Generator().manual_seed(0)
q, k, v = torch.randn(3, 5, 8, generator=generator)  # five words, d = 8
scores = relevance(q, k)  # (query, key)
output = combine(scores.softmax(dim=-1), v)
assert torch.allclose(output, scaled_dot_product_attention(q, k, v))
assert torch.allclose(
    output, F.scaled_dot_product_attention(q, k, v), atol=1e-6
)
print(scores.shape, output.shape)

# %% [markdown]
# What comes out for a word is a mixture of what its neighbours had to offer: a **contextual embedding**. The senses of *watch* and *bat* in chapter 02 were told apart by exactly this. Two things are missing. Self-attention knows no **order**: shuffle the words, and the outputs are shuffled with them.

# %%
torch.manual_seed(0)
layer = MultiHeadAttention(MultiHeadConfig(d_model=8, n_heads=1))
x = torch.randn(1, 5, 8)
shuffled = torch.tensor([3, 0, 4, 1, 2])
assert torch.allclose(layer(x)[:, shuffled], layer(x[:, shuffled]), atol=1e-6)

# %% [markdown]
# So our models turn queries and keys by their places (RoPE, chapter 02). And a mixture of others may lose the word itself. Where layers are stacked, each therefore *adds* what it found to what was there, a **residual** connection: the vector of a place collects notes from layer to layer.
#
# ### Why divide by the root of d?
#
# A dot product of two vectors with $d$ entries of variance 1 is a sum of $d$ products of variance 1: its variance is $d$. Measured on random vectors:

# %%
for d, plain, scaled in zip(
    [4, 16, 64, 256], *score_variance([4, 16, 64, 256])[1:]
):
    print(f"d = {d:3}: variance {plain:6.1f}, scaled {scaled:.2f}")

# %% [markdown]
# At $d = 256$ scores of ±16 are usual, and the softmax of such scores is nearly all on one key. That is not only hasty. It is the end of learning: the gradient of a softmax is $w_i(1 - w_i)$ on its diagonal, and vanishes when a weight is 0 or 1. The softmax is **saturated**.

# %%
softmax_playground()

# %% mystnb={"image": {"alt": "Gradient through the softmax against d: with the scale it stays level near 0.3, without it falls from 0.33 at 4 to about 0.05 at 1,024."}}
d_heads = [4, 16, 64, 256, 1024]
with_scale = softmax_saturation([1.0] * len(d_heads))
without = softmax_saturation([math.sqrt(d) for d in d_heads])
curves(
    d_heads,
    {"with the scale": with_scale.gradient, "without": without.gradient},
    xlabel="d of queries and keys",
    ylabel="gradient through the softmax",
    title="The scale keeps the softmax able to learn",
    log_x=True,
    y_from=0,
)

# %% [markdown]
# <details class="checkpoint"><summary>Why divide by √d and not by d?</summary>
#
# Then the scores of a large head would have a variance of $1/d$: all nearly equal, all weights nearly the same, the output close to the plain mean. √d is what makes the variance 1, whatever the head's size.
# </details>
#
# ## Who may look at whom
#
# Two kinds of looks must be forbidden. Nobody may look at **padding**. And in a language model nobody may look at the **future**: a model that is to guess the next word, and can see it, learns to copy and nothing else. This is the **causal mask**. A mask is a matrix of True and False, one row for each query, and where it says no, the score becomes $-\infty$ *before* the softmax, so that the weight is exactly 0 and the others still sum to 1.

# %%
mask = combine_masks(
    causal_mask(5), padding_mask(torch.tensor([[1, 1, 1, 0, 0]]))
)
_, w = scaled_dot_product_attention(
    q[None], k[None], v[None], mask, return_weights=True
)
print(w[0].numpy().round(2))

# %%
mask_painter()

# %% [markdown]
# Masks are where attention goes wrong most often, and without any noise: a leak makes the training loss *better*. So test for it. Two tests, since each sees what the other may miss. By gradients: no output may depend on a later input. By change: replace later words, and earlier outputs must stay as they were, to the last bit.

# %% mystnb={"image": {"alt": "Two matrices of influence, input columns against output rows: with the causal mask the upper right triangle is exactly zero."}}
torch.manual_seed(0)
attention = MultiHeadAttention(MultiHeadConfig(d_model=8, n_heads=2))
x = torch.randn(6, 8, generator=generator)
felt = influence(lambda row: attention(row, causal=True), x)
assert felt.triu(1).eq(0).all()
changed = x.clone()
changed[4:] = torch.randn(2, 8, generator=generator)
assert torch.equal(
    attention(x[None], causal=True)[:, :4],
    attention(changed[None], causal=True)[:, :4],
)
plot_matrix(
    felt.detach().numpy(),
    rows=[f"output {i}" for i in range(6)],
    columns=[f"input {i}" for i in range(6)],
    digits=2,
    title="Who feels whom under a causal mask",
)

# %% [markdown]
# A trap from real course material: `triu(scores, 1).bool()` as the mask of what is forbidden, that is, all that is *not 0* above the diagonal. It works until a forbidden score happens to be exactly 0. Build masks from positions, never from numbers that were computed.


# %%
def wrong(q, k, v):
    scores = relevance(q, k)
    future = torch.triu(scores, 1).bool()  # not where, but what
    return combine(scores.masked_fill(future, -torch.inf).softmax(-1), v)


keys, values = k.clone(), v.clone()
keys[4] = 0.0  # the last word fits nobody: all its scores are 0
before = wrong(q, keys, values)
values[4] += 5.0
moved = (wrong(q, keys, values) - before).abs().sum(-1)
print("earlier outputs moved by", moved[:4].numpy().round(2))
assert (moved[:4] > 0).all()

# %% [markdown]
# <details class="checkpoint"><summary>A query whose row is all False: what should it get?</summary>
#
# There is no right answer, only a defined one. A softmax of nothing but $-\infty$ is 0/0, NaN, and one NaN spreads through the whole batch. Here and in torch's newer kernels such a row gives zeros. Fill masked scores with −10⁹ instead, and the row becomes the mean of everything that it may not see.
# </details>
#
# ## Several heads
#
# One softmax gives one mean. But *sleeps* may want its subject for the number and its adverb for the sense, and a mean of both is neither. So attention runs several times side by side, each **head** with queries, keys and values of its own in $d/h$ dimensions; the outputs are joined and mixed by one more matrix. **Multi-head attention** needs as many operations as one large head, and one table of scores for each head.

# %%
x = torch.randn(2, 5, 8, generator=generator)  # (batch, time, d_model)
heads = split_heads(x, n_heads=4)
print(tuple(x.shape), "->", tuple(heads.shape), "(batch, heads, time, d_head)")
assert torch.equal(join_heads(heads), x)
wrongly = x.view(2, 4, 5, 2)  # the right shape, and the wrong numbers
print("a view without the transpose is the same:", torch.equal(heads, wrongly))

# %%
theirs = torch.nn.MultiheadAttention(8, 4, batch_first=True)
ours = MultiHeadAttention.from_torch(theirs)
forbidden = ~causal_mask(5)[0]  # torch's masks say True = may NOT look
expected, _ = theirs(x, x, x, attn_mask=forbidden)
assert torch.allclose(ours(x, causal=True), expected, atol=1e-6)
kernel = MultiHeadAttention.from_torch(theirs, fused=True)
assert torch.allclose(ours(x, causal=True), kernel(x, causal=True), atol=1e-6)

# %% [markdown]
# The same layer serves a decoder that looks at an encoder: then queries come from the one text, keys and values from the other (**cross-attention**, chapter 05). And keys and values need not be as many as queries: in **grouped-query attention** (Ainslie et al., 2023; with a single group, Shazeer, 2019) several heads share one set, which saves memory when a model writes (chapter 06).

# %%
grouped = MultiHeadAttention(
    MultiHeadConfig(d_model=64, n_heads=8, n_kv_heads=2)
)
for name, layer in {
    "8 of each": MultiHeadAttention(MultiHeadConfig(64, 8)),
    "2 for 8": grouped,
}.items():
    kept = 2 * layer.n_kv_heads * 8
    print(f"{name}: {kept} numbers kept for each token")

# %% [markdown]
# ## And then the recurrence went
#
# A self-attention layer lets every word reach every other in **one** step. In a recurrent network the path between two words is as long as their distance, and along it gradients vanish. And there is a second reason, which decided the matter: the steps of a recurrence must wait for one another, however many processors stand idle, while attention has all its places at once. Count both, for a layer of 64 numbers:

# %%
for n in [64, 512, 4096]:
    r, a = recurrent_cost(n, 64, "lstm"), attention_cost(n, 64)
    print(
        f"{n:5} words: LSTM {r.flops / 1e6:7.0f} million operations in {r.steps:4} steps, "
        f"attention {a.flops / 1e6:7.0f} million in {a.steps}"
    )

# %% mystnb={"image": {"alt": "Time of one layer against length on two logarithmic axes: the LSTM written step by step is slowest; torch's kernel and attention are about ten times as fast, and attention grows the fastest."}} tags=["nbval-ignore-output"]
lengths = [32, 64, 128, 256, 512]
attend = MultiHeadAttention(MultiHeadConfig(64, 1))
recur = Recurrent(RecurrentConfig(64, 64, "lstm"))
kernel = Recurrent(RecurrentConfig(64, 64, "lstm", fused=True))


@torch.no_grad()
def timed(layer, lengths, **options):
    def call(n):
        x = torch.randn(1, n, 64)
        return lambda: layer(x, **options)

    return seconds_against_length(call, lengths)


clock = {
    "LSTM, step by step": timed(recur, lengths),
    "LSTM, torch's kernel": timed(kernel, lengths),
    "self-attention": timed(attend, lengths, causal=True),
}
curves(
    lengths,
    {name: 1000 * seconds for name, seconds in clock.items()},
    xlabel="words",
    ylabel="milliseconds for one layer",
    title="Steps that wait for one another",
    log_x=True,
    log_y=True,
)
assert clock["self-attention"][-1] < clock["LSTM, step by step"][-1]

# %% [markdown]
# Step by step in Python, waiting is nearly all there is. torch's kernel hides it on a CPU, and is about as fast as attention, which at 512 words has more operations to do. What no kernel can do is to give the steps of one text to many processors at once; attention can. On hardware that does thousands of things at a time this decided the matter (Vaswani et al., 2017, section 4).
#
# ### Recall: what the LSTM did not learn
#
# Back to the play, where lines come again word for word and the LSTM stayed at twice the floor. Here is a shorter one, with lines of three words, 32 of each kind. Whoever recalls pays nothing for a line that comes back; whoever does not pays for each of its words what a fresh word costs, $\log 32 = 3.47$ nats. Three readers: two layers of self-attention, one layer, and an LSTM with a third more weights than the two. The first two have no feed-forward layers: nothing but attention.

# %% tags=["nbval-ignore-output"]
source = short_play()
print(source.sample(1, seed=3).text(20))
readers = readers_of_plays(len(source.vocab))
runs = [
    (config, source, recipe, 20_000, 100, False)
    for config, recipe in readers.values()
]
read = dict(zip(readers, side_by_side(train_on_plays, runs)))

# %% mystnb={"image": {"alt": "Excess on words that could be recalled against training steps: the two-layer model falls steeply to nearly zero; the one-layer model stays near 1.8 nats; the LSTM falls slowly to 2.3."}} tags=["nbval-ignore-output"]
curves(
    read["two layers"][1].evaluated_at,
    {
        name: history.evaluations["recalled"]
        for name, (_, history) in read.items()
    },
    xlabel="steps",
    ylabel="excess on recalled words (nats)",
    title="Two layers find it",
    y_from=0,
)
last = {name: h.evaluations["recalled"][-1] for name, (_, h) in read.items()}
assert last["two layers"] < 1.3 < min(last["one layer"], last["LSTM"])

# %% [markdown]
# For a while all learn the words and the grammar of a line. Then the two-layer model leaves the others: from "one of many words" to "this one". In large models the turn is so sudden that Olsson et al. (2022) call it a **phase change**. Here it is sharp in one run and slow in another, and when it comes is a matter of luck. Three recorded runs of each:

# %%
for name, seeds in recorded_study("recall").items():
    for losses in seeds:
        under = [100 * i for i, loss in enumerate(losses) if loss < 1.0]
        when = (
            f"below 1 nat after {under[0]} steps"
            if under
            else "never below 1 nat"
        )
        print(f"{name:10} {when}, {losses[-1]:.2f} at the end")

# %% [markdown]
# Why two layers? A place reads *kings*, and wants to say what came after *kings* the last time. One layer can find the earlier *kings*, but what it takes from there is *kings*. What is needed stands one place further. With two layers it works: in the first, each place looks at the place before it and adds to its vector what stood there; in the second, *kings* looks for the place that has noted *kings*. That place holds the answer. The second is called an **induction head** (Olsson et al., 2022; Elhage et al., 2021). Did training find this?

# %% mystnb={"image": {"alt": "Weights of the strongest induction head on one play: from most words of a line that comes back a bright cell points to the place behind the earlier occurrence of the same word."}} tags=["nbval-ignore-output"]
two = read["two layers"][0]
plays = play_rows(source, 20, seed=5).ids[:, :-1]
layers = two.weights(plays)
for number, weights in enumerate(layers, start=1):
    back = ", ".join(f"{s:.2f}" for s in previous_token_score(weights).tolist())
    after = ", ".join(
        f"{s:.2f}" for s in induction_score(weights, plays).tolist()
    )
    print(
        f"layer {number}: looks at the place before {back}; behind an earlier self {after}"
    )
head = int(induction_score(layers[1], plays).argmax())
shown = slice(0, 21)
words = [source.vocab[i] for i in plays[0, shown]]
plot_matrix(
    layers[1][0, head, shown, shown].numpy(),
    rows=words,
    columns=[w[:3] for w in words],
    title="The head that looks behind the last time",
)

# %% [markdown]
# <details class="checkpoint"><summary>One layer still gets below 3.47 nats. How, if it cannot see what stands behind an earlier word?</summary>
#
# It can see which words have been said in this play at all. Of 32 nouns only a few have come up, and one of them is likely to come again: better than guessing, and far from knowing.
# </details>
#
# Yes, though less tidily than the story has it: in the second layer one head puts about half of its weight where an induction head should, and in the first no head looks at the place before and at nothing else. In the table of the book, with the same text and steps as in chapter 03, attention with a third of the LSTM's weights halves its excess on the play. (1,200 steps are too few to find recall there.)

# %%
floor_table(
    upto="04_attention",
    highlight=["self-attention, 1 layer", "self-attention, 2 layers"],
)

# %% [markdown]
# ## What it costs
#
# Every word looks at every word: $n^2$ scores. Measured, in time and in memory at the peak, with everything written out:

# %% mystnb={"image": {"alt": "Peak memory of one attention layer against length, two logarithmic axes: the measured points follow the line of slope two once the table of scores outweighs the rest."}}
lengths = [128, 256, 512, 1024, 2048]


@torch.no_grad()
def peak(layer, n):
    x = torch.randn(1, n, 64)
    return peak_bytes(lambda: layer(x))


memory = {
    "written out": [peak(attend, n) / 2**20 for n in lengths],
    "the scores alone": [
        attention_cost(n, 64).pair_bytes / 2**20 for n in lengths
    ],
}
curves(
    lengths,
    memory,
    xlabel="words",
    ylabel="MiB at the peak",
    title="Twice the text, four times the memory",
    log_x=True,
    log_y=True,
)
power = fit_exponent(lengths[2:], memory["written out"][2:])
print(f"memory grows like length to the power {power:.2f}")
assert 1.8 < power < 2.1

# %% tags=["nbval-ignore-output"]
seconds = timed(attend, lengths[1:])
print(
    f"time grows like length to the power {fit_exponent(lengths[2:], seconds[1:]):.2f}"
)

# %% [markdown]
# This is why models have a **context length**, and why a longer one is dear. Two ways lead on. Chapter 07 looks at fewer pairs. And the same result can be had without ever writing the table down: torch's fused kernels go through keys in blocks and keep only running sums (FlashAttention; Dao et al., 2022). The time stays quadratic, the memory does not. With a GPU the next cell shows how far each gets; without one it does the same on small lengths.

# %% tags=["gpu", "nbval-ignore-output"]
device = best_device()
on_gpu = device == "cuda"
for n in [1024, 2048, 8192] if on_gpu else [128, 256, 512]:
    x = torch.randn(1, n, 512 if on_gpu else 64, device=device)
    for fused in [False, True]:
        config = MultiHeadConfig(x.shape[-1], n_heads=8, fused=fused)
        layer = MultiHeadAttention(config).to(device)
        with torch.no_grad():
            time = seconds_against_length(
                lambda _: lambda: layer(x, causal=True), [n], 3
            )[0]
            most = peak_bytes(lambda: layer(x, causal=True), device) / 2**20
        name = "fused" if fused else "written out"
        print(
            f"{n:6} words, {name:11} {1000 * time:8.1f} ms, {most:8.1f} MiB at the peak"
        )

# %% [markdown]
# ## Summary
#
# - **Attention** is a weighted mean; the weights are a softmax of scores. It lets a decoder look at all states of the encoder, and the bottleneck is gone.
# - Attention maps show where something was read, in states that know their neighbours. They are not alignments and no explanations.
# - **Self-attention**: queries ask, keys are found, values are handed over; first relevance, then combination. Its output is a **contextual embedding**.
# - $1/\sqrt d$ keeps the variance of the scores at 1 and the softmax able to learn.
# - **Masks** are built from positions and applied before the softmax: padding, and the future. Leaks are found by gradients and by change.
# - **Heads** look for several things at once. Two layers can learn to recall what one cannot.
# - All words at once, in one step; for that, time and memory grow with the **square** of the length.
#
# **Terms**: [attention](../../book/glossary.md#attention), [additive attention](../../book/glossary.md#additive-attention), [alignment](../../book/glossary.md#alignment), [softmax](../../book/glossary.md#softmax), [query, key, value](../../book/glossary.md#query-key-value), [self-attention](../../book/glossary.md#self-attention), [scaled dot product](../../book/glossary.md#scaled-dot-product), [attention mask](../../book/glossary.md#attention-mask), [causal mask](../../book/glossary.md#causal-mask), [head](../../book/glossary.md#head), [multi-head attention](../../book/glossary.md#multi-head-attention), [cross-attention](../../book/glossary.md#cross-attention), [induction head](../../book/glossary.md#induction-head).
#
# **Simplified here**: our third translator reads source and target as one text, so that one kind of attention suffices; the Transformer of 2017, in chapter 05, has an encoder, a decoder and feed-forward layers.
#
# **Sources**: Bahdanau et al. (2015); Luong et al. (2015); Vaswani et al. (2017), section 3.2 and table 1; Koehn and Knowles (2017) and Jain and Wallace (2019) on maps; Elhage et al. (2021) and Olsson et al. (2022) on induction; Shazeer (2019) and Ainslie et al. (2023) on shared keys; Dao et al. (2022). Full entries in the [references](../../book/references.md).
#
# **Next**: do the [exercises](exercises.ipynb). Then chapter 05 puts the parts together.
