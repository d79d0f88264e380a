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
# # Recurrence: the past in a vector of fixed size
#
# > *Anna has just said a line. In a moment she will say it again. What must you keep, to know it then?*
#
# The n-gram models of chapter 00 kept the last few words and forgot the rest. In the play of that chapter, where speakers repeat their lines, the best of them stayed far above the floor: what they needed lay twenty
# words back. A window cannot simply be made longer, for nobody has seen most of the long contexts even once. So keep something else: not the words, but a **state**, a vector that is rewritten with every word. What ought to be in
# it? Nobody says; it is learnt. This chapter builds such models, uses two of them to translate, and drives them to the point where they fail.
#
# <div class="lesson-header">
#
# **You will be able to** write an RNN, an LSTM and a GRU and prove them equal to torch's; say why gradients vanish and what gates do about it; build an encoder-decoder, train it by teacher forcing, decode with it; show where a context of fixed size breaks.
#
# **You need** chapters 00 and 02, gradients. **Time** 45 minutes to read, one or two to run, three to four hours for the exercises. **Runs on** any CPU;
# one cell uses a GPU where there is one.
#
# </div>

# %%
import numpy as np
import torch

from lmcourse.corpora import filler, translation
from lmcourse.figures.charts import curves
from lmcourse.figures.floor import floor_table
from lmcourse.figures.plots import use_style
from lmcourse.recurrence import (
    GRUCell,
    LSTMCell,
    Recurrent,
    RecurrentLM,
    RecurrentLMConfig,
    RNNCell,
    Seq2Seq,
    Seq2SeqConfig,
    TruncatedLoss,
    batches_of_streams,
    beam_search,
    exact_match_by_length,
    exposure,
    gradient_norms,
    greedy,
    pad_pairs,
    recall_accuracy,
    rnn_step,
    trace,
    train_on_documents,
    train_translator,
)
from lmcourse.sequences import cross_entropy, generate
from lmcourse.training import TrainConfig, best_device, side_by_side

style = use_style()

# %% [markdown]
# ## One step at a time
#
# A **recurrent neural network** (RNN; Elman, 1990) has one rule, used at every step. The new state is made from the old one and from the vector of the word that is read:
#
# $$h_t = \tanh(W_x x_t + W_h h_{t-1} + b).$$
#
# Start with a state of a single number, $W_x = 1$, $W_h = 0.5$, no bias, and let it read a 1 and then zeros. How long is the 1 remembered?

# %%
h = torch.zeros(1, 1)
W_h, no_bias = torch.tensor([[0.5]]), torch.zeros(1)
for t, x in enumerate([1.0, 0, 0, 0, 0], start=1):
    h = rnn_step(torch.tensor([[x]]), h, W_h, no_bias)
    print(f"step {t}: read {x:.0f}, state {h.item():.3f}")

# %% [markdown]
# At each step a little less than half is left. With a large $W_h$ the state would stick at the ends of the tanh, near 1 or −1, and hear nothing new. Hold on to this: *one* number decides both how long something is kept and how well something new is heard.
#
# With vectors it is the same rule. Two of them by hand, in two dimensions: the state after a sentence depends on the order of its words, which a bag of words could not know.

# %%
vector = {"dog": [1.0, 0.0], "bites": [0.0, 0.5], "man": [-1.0, 1.0]}
W = torch.tensor([[0.5, -0.4], [0.3, 0.2]])
for sentence in ["dog bites man", "man bites dog"]:
    h = torch.zeros(1, 2)
    for word in sentence.split():
        h = rnn_step(torch.tensor([vector[word]]), h, W, torch.zeros(2))
    print(f"{sentence}: {h.numpy().round(2)[0]}")

# %% [markdown]
# The package writes this out for whole batches; each of its networks computes what torch's computes with the same weights, gradients included. The weights are **shared** by all steps: a sentence of a hundred words needs no more of them than one of three.

# %%
theirs = torch.nn.RNN(8, 16, batch_first=True)
ours = Recurrent.from_torch(theirs)
x = torch.randn(4, 12, 8, generator=torch.Generator().manual_seed(0))
assert torch.allclose(ours(x)[0], theirs(x)[0], atol=1e-6)
print(sum(weights.numel() for weights in ours.parameters()), "weights")

# %% [markdown]
# <details class="checkpoint"><summary>A batch holds sentences of 12 and of 5 words, the shorter one padded. Which state is the short sentence's last?</summary>
#
# The one after its fifth word. Whoever takes the state of the last column gets a state that has also "read" seven pads. Our layers take `lengths` and let the state rest on padding; reading from right to left they begin at the last real word.
# </details>
#
# ## A language model with a memory
#
# Put an embedding before it and an output layer behind it, which scores every word of the vocabulary from the state, and you have a recurrent language model (Mikolov et al., 2010). It is trained like any other: the gradient of $-\log P$ of the next word flows back
# through all steps. For a text of a million words that is too far. It is read in pieces: the *state* is carried over from piece to piece, the *gradient* stops at the seam. This is **truncated backpropagation through time** (Williams and Peng, 1990).

# %%
tiny = RecurrentLM(RecurrentLMConfig(vocab_size=10, d_model=4, hidden_size=8))
loss_fn = TruncatedLoss()
stream = batches_of_streams(np.arange(9), row=4, batch_size=1)
for piece in (next(stream), next(stream)):
    loss = loss_fn(tiny, piece)
    loss.backward()
    read = tiny.embedding.weight.grad.norm(dim=1) > 0
    print(
        f"read {piece.input_ids[0].tolist()}: gradient for {read.nonzero().flatten().tolist()}"
    )
    tiny.zero_grad()

# %% [markdown]
# In the second piece words 4 to 7 are read on from a state that knows 0 to 3; but nothing is learnt any more about *how* 0 to 3 were read.
#
# Now three of them, with three kinds of cell. The first is the one above; the other two will be explained in a minute. They read the *filler* grammar of chapter 00, in rows of 80 words that each begin anew (short enough that nothing need be cut), two trainings at a time:

# %% tags=["nbval-ignore-output"]
source = filler()
corpus = source.sample(200_000, seed=0)
held_out = source.sample(10_000, seed=1)
floor = cross_entropy(source.surprisal(held_out))
cells = ["rnn", "gru", "lstm"]
sizes = [
    RecurrentLMConfig(len(source.vocab), hidden_size=128, cell=cell, fused=True)
    for cell in cells
]
config = TrainConfig(steps=400, batch_size=16, lr=3e-3)


def trained_lm(sizes):
    model = RecurrentLM(sizes)
    train_on_documents(model, corpus, config, progress=False)
    return model


models = dict(zip(cells, side_by_side(trained_lm, [(s,) for s in sizes])))
for cell, model in models.items():
    loss = cross_entropy(model.surprisal(held_out.documents()))
    print(f"{cell:5} {loss:.3f} nats a word, the floor is {floor:.3f}")
    assert floor < loss < 1.12 * floor

# %% [markdown]
# All three are nearer to the floor than any n-gram model that read the same text. Let one of them talk:

# %% tags=["nbval-ignore-output"]
for seed in range(3):
    written = generate(models["gru"], end=source.end_id, seed=seed)
    print(" ".join(source.vocab[i] for i in written))

# %% [markdown]
# Trained three times as long, and on the other sources too, they give these rows of the book's table. On the play the LSTM is far better than any n-gram model, and still at twice the floor. It has room for what was said, and does not find it again. Remember that number; the next chapter returns to it.

# %%
floor_table(upto="03_recurrence", highlight=["RNN", "GRU", "LSTM"])

# %% [markdown]
# ## How far back can it learn?
#
# Whether a state *can* hold something is one question. Whether training ever *finds out* is another. If the loss at step $T$ is to teach the network about a word $k$ steps before, the gradient must pass through $k$ steps:
#
# $$\frac{\partial h_T}{\partial h_{T-k}} = \prod_{t=T-k+1}^{T} \operatorname{diag}(1 - h_t^2)\, W_h,$$
#
# a product of $k$ matrices that are all much alike. If they shrink, it vanishes exponentially with $k$; if they stretch, it may explode (Bengio et al., 1994). Shortening long gradients cures the second (we clip at 1, in all trainings of this chapter; Pascanu et al., 2013). Nothing so simple cures the first. Measured, as
# the largest singular value of that product, in networks that have learnt nothing yet:

# %% mystnb={"image": {"alt": "Largest singular value of the Jacobian over distance, logarithmic: all four lines fall nearly straight; at sixty steps the RNN has shrunk to ten to the minus eighteen, the GRU and the LSTM with forget bias 0 to about ten to the minus twelve, the LSTM with forget bias 1 to ten to the minus five."}}
untrained = {
    "RNN": (RNNCell, {}),
    "GRU": (GRUCell, {}),
    "LSTM, bias 0": (LSTMCell, {"forget_bias": 0.0}),
    "LSTM, bias 1": (LSTMCell, {"forget_bias": 1.0}),
}
reach = {}
for name, (cell_type, options) in untrained.items():
    generator = torch.Generator().manual_seed(0)
    cell = cell_type(32, 64, generator=generator, **options)
    inputs = torch.randn(4, 60, 32, generator=generator)
    reach[name] = gradient_norms(cell, inputs).mean(axis=0)
curves(
    range(61),
    reach,
    xlabel="distance k in steps",
    ylabel="largest singular value",
    title="What a step back still feels of the end",
    log_y=True,
)

# %% [markdown]
# The plain network's line falls by a factor of two a step: what lies forty words back gets a millionth of a millionth of the gradient of what lies close by, and drowns in it. The others fall as well, but less steeply, and one number, a bias, makes a large difference. What do they do?
#
# ## Gates
#
# The trouble is that the state is *rewritten* at each step. The **LSTM** (long short-term memory; Hochreiter and Schmidhuber, 1997; Gers et al., 2000) keeps a second vector beside $h$, the memory $c$, and never passes it through a matrix. It is only scaled and added to:
#
# $$c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(c_t).$$
#
# The three **gates** are numbers between 0 and 1, one for each place of the memory, computed like a state but with the logistic function: $f_t = \sigma(W_f x_t + U_f h_{t-1} + b_f)$, and so on. $f$ says what is kept, $i$ what is written, $o$ what is shown; $g$ is what would be written. Where $f = 1$ and $i = 0$ a number stays as it is for ever, and the gradient passes along it undiminished.
# So keeping and hearing are two decisions now, not one. Try it. How near to 1 must $f$ be, to keep half of a memory for fifty steps?

# %%
from lmcourse.widgets.recurrence import encoder_decoder_steps, gate_playground

gate_playground()

# %% [markdown]
# <details class="checkpoint"><summary>Solve it with a pencil: f<sup>50</sup> = 1/2.</summary>
#
# $f = 2^{-1/50} \approx 0.986$, so the gate's input must be $\log(f / (1 - f)) \approx 4.3$. A gate that starts near 0.5, as it does with all biases at zero, keeps $2^{-50}$.
# </details>
#
# The **GRU** (Cho et al., 2014) does it with one vector and two gates: $h_t = z_t \odot h_{t-1} + (1 - z_t) \odot n_t$, where $z$ decides between old and new, and a reset gate $r$ how much of the old state the proposal $n$ sees. All three cells are a screen of code each, in `lmcourse/recurrence/steps.py`.
#
# What is it worth? A task that needs nothing but memory: the first symbol of a row, one of eight, must be named at its end, behind a gap of blanks. Each network is trained for 400 steps, from three seeds:

# %% tags=["nbval-ignore-output"]
kinds = {
    "RNN": {"cell": "rnn"},
    "GRU": {"cell": "gru"},
    "LSTM, forget bias 1": {"cell": "lstm"},
    "LSTM, forget bias 4": {"cell": "lstm", "forget_bias": 4.0},
}
gaps = [10, 20, 40]


def recalled(options, gap, seed):
    sizes = RecurrentLMConfig(10, 16, 64, fused=True, seed=seed, **options)
    return recall_accuracy(RecurrentLM(sizes), gap)


runs = [
    (o, gap, seed) for o in kinds.values() for gap in gaps for seed in range(3)
]
shares = np.reshape(side_by_side(recalled, runs), (len(kinds), len(gaps), 3))

# %% mystnb={"image": {"alt": "Share of first symbols recalled against the gap: the LSTM with forget bias 4 and the GRU stay near 100 per cent up to 40 blanks; the RNN and the LSTM with forget bias 1 fall from nearly all at 10 blanks to guessing at 40."}} tags=["nbval-ignore-output"]
curves(
    gaps,
    dict(zip(kinds, 100 * shares.mean(axis=-1))),
    xlabel="blanks between symbol and question",
    ylabel="recalled, mean of three seeds (%)",
    title="Gates help, but not by being there",
    log_x=True,
    y_from=0,
)
assert shares[0, -1].mean() < 0.4
assert shares[2, -1].mean() < 0.4
assert shares[1, -1].mean() > 0.7
assert shares[3, -1].mean() > 0.9

# %% [markdown]
# Guessing gives one in eight. Over 40 blanks the RNN guesses, as expected. But so does an LSTM with a forget bias of 1, while with 4 it recalls from all three seeds. How much of a memory is left, before anything is learnt?

# %%
for bias in [0, 1, 4]:
    kept = 1 / (1 + np.exp(-bias))
    print(f"bias {bias}: {kept:.2f} a step, {kept**40:.1e} over 40 steps")

# %% [markdown]
# With a bias of 1 next to nothing of the first symbol arrives at the end, so there is little to learn from. That is not the whole story: the GRU's gradient at the start is smaller still, and it learns the task. Gates help, but not by being there, and which cell is best is a matter of the task. (Jozefowicz et al. (2015) compared thousands of cells, and recommend a forget bias of 1.)
#
# ### Layers, and both directions
#
# Two things more for what comes next. Layers can be **stacked**, the states of one being the inputs of the other. And when the whole sentence lies there, as it does for a translator, a second network may read it from right to left; the two states of a word side by side then know what stands before it and behind it. Such a network is **bidirectional**. It cannot be a language model: it would look at the word that it is to guess.
#
# ## From a sentence to a sentence
#
# Translation is where recurrent networks had their great days, about 2014 to 2017. We need pairs of sentences of which we know everything. The course has a little language of its own, with one right translation for each English sentence: verbs come last, adjectives behind their noun, articles are dropped, roles are marked by small words.

# %%
grammar = translation()
pairs = grammar.sample(20_000, lengths=(4, 24), seed=0)
test = grammar.sample(1_500, lengths=(4, 24), seed=1).without(pairs)
pair = grammar.sample(1, lengths=(7, 7), seed=7)[0]
print(" ".join(pair.source))
print(" ".join(pair.target))
print(" ".join(grammar.glosses[word] for word in pair.target))

# %% [markdown]
# Input and output have different lengths and another order, so a label for each word will not do. The **encoder-decoder** (Sutskever et al., 2014; Cho et al., 2014) splits the work. The **encoder** reads the whole source, word by word; its last state is the **context vector**. The **decoder** is a language model of the target
# language whose first state is not zero but this vector. Everything that it will ever know of the source is in there.
#
# How is it trained? The decoder reads a word and is to say the next. Which word does it read: the one it just wrote, or the right one? In training, the right one: **teacher forcing**. So its input is the target behind a `<bos>`, and what it must say is the same target, moved by one, with an `<eos>` at the end:

# %%
batch = pad_pairs(*map(list, grammar.sample(1, lengths=(7, 7), seed=7).ids()))
words = grammar.target_vocab
for read, said in zip(batch.target_ids[0], batch.targets[0]):
    print(f"reads {words[read]:6} and is to say {words[said]}")

# %% [markdown]
# Since all inputs are known in advance, all steps of a sentence count in one pass. Both sides are LSTMs with 192 numbers of $h$ and of $c$; the encoder is bidirectional, half of the numbers for each direction. It takes about half a minute:

# %% tags=["nbval-ignore-output"]
n_source, n_target = len(grammar.source_vocab), len(grammar.target_vocab)
sizes = Seq2SeqConfig(n_source, n_target, hidden_size=192, cell="lstm")
recipe = TrainConfig(
    steps=900, batch_size=64, lr=6e-3, warmup=100, flat_until=0.5
)
model, history = train_translator(Seq2Seq(sizes), pairs, recipe)
print(history)

# %% [markdown]
# After training there is no teacher. The decoder writes a word, reads it, writes the next, until it writes `<eos>`: it is **autoregressive**. Taking the most probable word each time is **greedy** decoding. Choose a sentence and go through it step by step; each row of colours is a state. Watch the last one of the encoder: that is all that is handed over.

# %% tags=["nbval-ignore-output"]
encoder_decoder_steps(trace(model, test, n=160), glosses=grammar.glosses)

# %% [markdown]
# ## Where it breaks
#
# Here are all test sentences by length, none of them seen in training. A translation counts when every word of it is right. (It is a strict measure, but a fair one: this language allows one translation.)

# %% tags=["nbval-ignore-output"]
bands = exact_match_by_length(model, test)
for band in bands:
    print(
        f"{band.shortest:2}-{band.longest:2} words: {100 * band.share:3.0f} % of {band.n} right"
    )

# %% mystnb={"image": {"alt": "Share of test sentences translated exactly against their length in words: nearly all up to ten words, then a steep fall to almost none from nineteen words on, although sentences of up to 24 words were in the training data."}} tags=["nbval-ignore-output"]
curves(
    [(band.shortest + band.longest) / 2 for band in bands],
    {"fixed context": [100 * band.share for band in bands]},
    xlabel="words in the source sentence",
    ylabel="translated exactly (%)",
    title="Good at short sentences, lost in long ones",
    y_from=0,
)
assert bands[0].share > 0.95
assert bands[1].share > 0.7
assert bands[-2].share < 0.2
assert bands[-1].share < 0.1

# %% [markdown]
# The model was trained on sentences of all these lengths, as many long ones as short ones. It falls off a cliff *inside* its training range. Cho et al. (2014b) saw the same in translation from English into French.
#
# Why? The usual answer is that a vector of fixed size has no room for a long sentence. Let us count. How much is there to be held?

# %%
for n in [4, 12, 24]:
    nats = grammar.source_entropy(lengths=(n, n))
    print(f"{n:2} words: {nats:4.1f} nats = {nats / np.log(2):3.0f} bits")
print(f"the context: {2 * sizes.hidden_size} numbers of 32 bits")

# %% [markdown]
# So there is room enough, many times over: a sentence of 24 words is worth 78 bits, and the context ($h$ and $c$) has 384 numbers. The trouble is what must be *done* with the room. The encoder has to write each word where the later ones do not overwrite it; the decoder has to find word 17 in the mixture when it is due; and both must be learnt by a gradient that comes from far away. More units and more training move the cliff to the right.
# They do not remove it, since the demand grows with every word and the vector does not. This is the **bottleneck** of the encoder-decoder.
#
# <details class="checkpoint"><summary>Sutskever et al. (2014) read the source sentence backwards, and long sentences became better. Why might that help, in two languages with a similar order of words?</summary>
#
# The first source words then stand right before the first target words. The mean distance between words that belong together is the same as before, but some of them are now near, and a beginning that is right helps with the rest: the gradient finds a foothold. (Our encoder reads in both directions; for it, nothing would change.)
# </details>
#
# ### A wider search?
#
# Greedy decoding never takes a step back. **Beam search** keeps the $k$ most probable beginnings and extends all of them. If the decoder knew better and only stumbled, that would help.


# %% tags=["nbval-ignore-output"]
def beam(model, source_ids, lengths, max_length):
    found = beam_search(model, source_ids, lengths, 4, max_length)
    return [hypotheses[0].ids for hypotheses in found]


few = test[:300]
for name, decode in {"greedy": greedy, "beam of 4": beam}.items():
    found = exact_match_by_length(model, few, [(4, 24)], decode)[0]
    print(f"{name:9} {found.exact} of {found.n} right")

# %% [markdown]
# A little is gained. Mostly the decoder has not stumbled; it no longer knows what was said. (In real translation, where many answers are right, a small beam gains a little and a large one loses; Koehn and Knowles, 2017.)
#
# ## Fed with its own words
#
# In training the decoder always read a right beginning. Now it reads what it wrote. After its first mistake it stands where it has never stood before: **exposure bias** (Ranzato et al., 2016). How much does that cost? Give it the same sentences twice, once with the true words to read and once with its own:

# %% mystnb={"image": {"alt": "Share of right next words against the place in the translation: fed with the truth it dips to about 85 per cent and recovers; fed with its own words it falls to about half."}} tags=["nbval-ignore-output"]
long_ones = grammar.sample(400, lengths=(15, 18), seed=2)
at = exposure(model, long_ones)
places = [t for t in range(len(at.n)) if at.n[t] >= 100]
curves(
    [t + 1 for t in places],
    {
        "reads the truth": [100 * at.truth_accuracy[t] for t in places],
        "reads its own words": [100 * at.own_accuracy[t] for t in places],
    },
    xlabel="place in the translation",
    ylabel="right next words (%)",
    title="A mistake is read, and makes the next",
    y_from=0,
)
assert at.truth_accuracy[places].mean() > at.own_accuracy[places].mean() + 0.1

# %% [markdown]
# The gap is the price of mistakes once made. (That the upper line recovers does not acquit the bottleneck: a true beginning gives much away, and near the end little is left to be remembered.) Part of it is confusion, part is plain arithmetic: leave out one word, and all that follow stand in the wrong place. **Scheduled sampling** (Bengio et al., 2015) lets the decoder read its own words now and then while it trains (`ScheduledSampling` in the package). It is no sure cure: once a word was left out, the word that it is told to say next may be right no longer.
#
# ## On a GPU, with more room
#
# Does a larger state move the cliff? With a GPU the next cell trains a state of 512 numbers for 4,000 steps, and you will see. Without one it shows only that the code runs: a state of 32 has learnt nothing after 100 steps.

# %% tags=["gpu", "nbval-ignore-output"]
device = best_device()
hidden, steps = (512, 4000) if device == "cuda" else (32, 100)
large = Seq2Seq(
    Seq2SeqConfig(n_source, n_target, hidden_size=hidden, cell="lstm")
)
plan = TrainConfig(steps=steps, batch_size=64, lr=2e-3, device=device)
large, history = train_translator(large, pairs, plan, progress=False)
print(f"{hidden} numbers, {history}")
for band in exact_match_by_length(large, test):
    print(
        f"{band.shortest:2}-{band.longest:2} words: {100 * band.share:3.0f} %"
    )

# %% [markdown]
# ## Summary
#
# - A **recurrent network** reads one vector at a time and rewrites a **state** of fixed size, with the same weights at each step.
# - As a **language model** it beats all n-gram models here, and stays far from the floor where something must be recalled.
# - Over $k$ steps the gradient is a product of $k$ matrices, and **vanishes**. **Gates** (LSTM, GRU) can let a memory pass unchanged; whether that is learnt depends on where they start.
# - **Encoder-decoder**: the last state of the one is the first state of the other. It is trained by **teacher forcing** and used **autoregressively**; what lies between is **exposure bias**.
# - All that is known of the source passes through one vector, the **bottleneck**: good at short sentences, lost in long ones, whatever the search.
#
# **Terms**: [recurrent neural network](../../book/glossary.md#recurrent-neural-network), [state](../../book/glossary.md#state), [backpropagation through time](../../book/glossary.md#backpropagation-through-time), [vanishing gradient](../../book/glossary.md#vanishing-gradient), [gate](../../book/glossary.md#gate), [LSTM](../../book/glossary.md#lstm), [GRU](../../book/glossary.md#gru), [encoder-decoder](../../book/glossary.md#encoder-decoder), [context vector](../../book/glossary.md#context-vector), [teacher forcing](../../book/glossary.md#teacher-forcing), [autoregressive](../../book/glossary.md#autoregressive), [greedy decoding](../../book/glossary.md#greedy-decoding), [beam search](../../book/glossary.md#beam-search), [exposure bias](../../book/glossary.md#exposure-bias), [scheduled sampling](../../book/glossary.md#scheduled-sampling), [bottleneck](../../book/glossary.md#bottleneck).
#
# **Simplified here**: one layer and 192 units, where Sutskever et al. had four layers of 1,000; a language with one right translation, where real ones have many; whole words as tokens. Real systems also used dropout, ensembles and subwords.
#
# **Sources**: Elman (1990); Williams and Zipser (1989) and Williams and Peng (1990) on training; Bengio et al. (1994) and Pascanu et al. (2013) on gradients; Hochreiter and Schmidhuber (1997), Gers et al. (2000), Cho et al. (2014) and Jozefowicz et al. (2015) on cells; Schuster and Paliwal (1997); Mikolov et al. (2010); Sutskever et al. (2014) and Cho et al. (2014b) on translation; Bengio et al. (2015), Ranzato et al. (2016) and Koehn and Knowles (2017) on decoding. Full entries in the [references](../../book/references.md).
#
# **Next**: do the [exercises](exercises.ipynb). Then chapter 04 lets the decoder look back.
