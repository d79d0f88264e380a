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
# # Encoder and decoder: the Transformer
#
# > *"Attention is all you need", says the title. Then why is more than two thirds of the model something else?*
#
# Chapter 04 ended with a translator made of attention and nothing else. It had no bottleneck and no recurrence, and it still lost to the recurrent decoder with attention: of the longest sentences it got a fifth right, where the other had two thirds. It lacks two things that the paper of that title puts around attention: a network that works on what was looked up, and an encoder with weights of its own, which only reads, beside a decoder that only writes. Put them together and you have the
# **Transformer**, the model under nearly all that followed. This chapter builds it, checks it against the framework's own, and lets it translate.
#
# <div class="lesson-header">
#
# **You will be able to** build the Transformer of "Attention Is All You Need" block by block; count its parameters on paper; train it; decode with greedy and beam search and judge the result by exact match, BLEU and chrF; say what each part is good for.
#
# **You need** chapters 03 and 04. **Time** 50 minutes to read, two to run, four to five hours for the exercises. **Runs on** any CPU;
# one cell uses a GPU where there is one.
#
# </div>

# %%
import tempfile

import numpy as np
import torch

from lmcourse.attention import influence
from lmcourse.attention import recorded_study as recorded_in_04
from lmcourse.attention import translators as translators_of_04
from lmcourse.corpora import translation
from lmcourse.encoder_decoder import (
    BlockConfig,
    DecoderBlock,
    EncoderBlock,
    FeedForward,
    Transformer,
    TransformerConfig,
    count_parameters,
    cross_attention_errors,
    cross_weights,
    gradient_norms_by_layer,
    label_smoothing_loss,
    layer_norm,
    load_marian,
    load_torch_layer,
    recorded_study,
    search_tree,
    transformer_recipe,
    translation_scores,
    warmup_rate,
    write_step_by_step,
)
from lmcourse.figures.charts import curves
from lmcourse.figures.diagram import plot_stacks
from lmcourse.figures.plots import use_style
from lmcourse.recurrence import (
    exact_match_by_length,
    pad_pairs,
    train_translator,
)
from lmcourse.training import TrainConfig, best_device, side_by_side
from lmcourse.widgets.encoder_decoder import HeadMaps, beam_tree, head_explorer

style = use_style()

# %% [markdown]
# ## A network at each place
#
# Attention moves things from place to place. What it moves, it moves by matrices and a mean; nothing in it *works* on what has come together at a place. Suppose that a place has found out "the next word is a noun" and "it is black, and it sleeps". To make *cat* of this takes an *and*, and an *and* of two features is no weighted sum. So the Transformer puts a small network behind each attention, the same for all places, each place for itself:
#
# $$\text{FF}(x) = W_2 \max(0, W_1 x + b_1) + b_2.$$
#
# The bend, $\max(0, \cdot)$, is called **ReLU**. By hand: two features, 0 or 1, and one hidden unit that fires only when both are there.

# %%
both = FeedForward(d_model=2, d_ff=1)
with torch.no_grad():
    both.up_proj.weight.copy_(torch.tensor([[1.0, 1.0]]))
    both.up_proj.bias.copy_(torch.tensor([-1.0]))  # needs both to get above 0
    both.down_proj.weight.copy_(torch.tensor([[0.0], [1.0]]))
    for x in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]:
        print(x, "->", both(torch.tensor(x)).tolist())

# %% [markdown]
# Here is half of the answer to the question on top. With $d$ numbers at a place, attention has four matrices of $d \times d$; the **feed-forward network**, with its usual $4d$ hidden units, has two of $d \times 4d$:

# %%
block = EncoderBlock(BlockConfig(d_model=512, n_heads=8, d_ff=2048))
for part in ["attention", "feed_forward"]:
    n = sum(w.numel() for w in getattr(block, part).parameters())
    print(f"{part:13} {n:9,} weights")

# %% [markdown]
# <details class="checkpoint"><summary>Without the bend in the middle, what would the feed-forward network be?</summary>
#
# $W_2 W_1 x$ with a bias: one matrix. It could be multiplied into the matrices of the attention before and after it, and the model could do nothing new.
# </details>
#
# ## Keep what you have, and keep it in size
#
# A layer that replaces its input can lose it. A layer that **adds** to its input cannot, and the gradient finds its way back through the sum whatever the layer does: the **residual connection** (He et al., 2016). Its price is that the sums grow. **Layer normalization** (Ba et al., 2016) keeps them in size: for each place alone, take the mean away and divide by the standard deviation; then a learnt gain and shift for each entry.

# %%
x = torch.tensor([[1.0, 3.0, 5.0, 7.0], [100.0, 300.0, 500.0, 700.0]])
print(layer_norm(x, torch.ones(4), torch.zeros(4)).numpy().round(3))
assert torch.allclose(
    layer_norm(x, torch.ones(4), torch.zeros(4)),
    torch.nn.LayerNorm(4)(x),
    atol=1e-5,
)

# %% [markdown]
# Both rows come out the same: the size is gone, the pattern stays. And no row has looked at the other. That is why it is this norm and not batch normalization: a sentence must not depend on which others are in its batch, nor a word on words that come later.
#
# Where does the norm stand? The paper put it *behind* the sum, $\text{norm}(x + f(x))$: **post-norm**. Most models since put it *before* the sublayer, $x + f(\text{norm}(x))$: **pre-norm**, with one more norm at the very end, since a sum to which every layer has added has no set size. It looks like a detail. Here is the size of the gradient of $W_2$ in each block of the decoder, before the first step of training:

# %% mystnb={"image": {"alt": "Gradient of the feed-forward matrices in six decoder blocks before training: with the norm behind the sum it grows towards the output, with the norm before the sublayer it is nearly level."}}
grammar = translation()
pairs = grammar.sample(20_000, lengths=(4, 24), seed=0)
test = grammar.sample(700, lengths=(4, 24), seed=1).without(pairs)
sizes = (len(grammar.source_vocab), len(grammar.target_vocab))
batch = pad_pairs(*(side[:64] for side in pairs.ids()))
first = {}
for order, name in [("post", "norm behind"), ("pre", "norm before")]:
    deep = Transformer(TransformerConfig(*sizes, 64, 4, 6, 256, order=order))
    first[name] = gradient_norms_by_layer(deep, batch)[1]
curves(
    range(1, 7),
    first,
    xlabel="block of the decoder",
    ylabel="length of the gradient",
    title="Before the first step",
    y_from=0,
)

# %% [markdown]
# With the norm behind, the last blocks would be thrown about by large first steps. Xiong et al. (2020) see here the reason for the paper's **warm-up**. It cannot be all of it, since Adam divides by the size of the gradients; Liu et al. (2020) blame small changes of weights that grow from layer to layer. What helps is agreed: the learning rate rises for 4,000 steps and then falls with the root of the step number (equation 3).

# %% mystnb={"image": {"alt": "The learning rate of the paper against the step: a straight rise to 0.0007 at step 4,000, then a slow fall like one over the square root."}}
steps = list(range(1, 20_001, 50))
curves(
    steps,
    {"rate": [warmup_rate(step, d_model=512) for step in steps]},
    xlabel="step",
    ylabel="learning rate",
    title="Warm-up, then patience",
    y_from=0,
)

# %% [markdown]
# ## The encoder block
#
# All parts are there. A block of the encoder is two sublayers, each in its residual connection: first every word looks at all words of its sentence, then each thinks about what it has seen. Written out it is short, and equal to torch's, weight for weight:


# %%
def encoder_block(x, block):  # pre-norm
    h = block.around_attention.norm(x)
    x = x + block.attention(h)
    h = block.around_feed_forward.norm(x)
    return x + block.feed_forward(h)


torch.manual_seed(0)
block = EncoderBlock(BlockConfig(d_model=16, n_heads=4, d_ff=64))
theirs = torch.nn.TransformerEncoderLayer(
    16, 4, 64, dropout=0.0, norm_first=True, batch_first=True
)
load_torch_layer(block, theirs)
x = torch.randn(2, 5, 16)
assert torch.allclose(encoder_block(x, block), block(x), atol=1e-6)
assert torch.allclose(block(x), theirs(x), atol=1e-5)
print(tuple(x.shape), "->", tuple(block(x).shape))

# %% [markdown]
# What goes in has the shape of what comes out, so blocks can be stacked. The output of the last one is the **memory**: one vector for each source word, which knows about all the others.
#
# ## The decoder block
#
# It writes, so it must not look ahead; and it translates, so it must look at the source. Three sublayers:
#
# 1. **masked self-attention** over the target so far;
# 2. **cross-attention**: the queries come from the target, the keys and values from the memory;
# 3. a **feed-forward network**.
#
# Who can feel whom? Take the gradient of each output with respect to each target place and each place of the memory.

# %%
torch.manual_seed(0)
decoder_block = DecoderBlock(BlockConfig(d_model=16, n_heads=4, d_ff=64))
target, memory = torch.randn(4, 16), torch.randn(5, 16)
on_target = influence(lambda t: decoder_block(t, memory[None]), target)
on_memory = influence(lambda m: decoder_block(target[None], m), memory)
print("output i feels target j:", *on_target.gt(0).int().tolist(), sep="\n")
print("output i feels memory j:", *on_memory.gt(0).int().tolist(), sep="\n")
assert on_target.triu(1).eq(0).all()
assert on_memory.gt(0).all()

# %% [markdown]
# <details class="checkpoint"><summary>Why is there no causal mask on cross-attention?</summary>
#
# The source is given, all of it, before the first word is written. There is nothing in it to be guessed, so nothing can leak. What must be hidden there is padding, and only that.
# </details>
#
# ## The whole
#
# Embeddings and positions on either side (sinusoids, chapter 02; the embeddings are multiplied by $\sqrt d$, so that the sinusoids do not drown them), $N$ blocks each, and a last matrix that turns a vector into a score for each word of the target language. That matrix is the target's embedding once more (**weight tying**; Press and Wolf, 2017).

# %% mystnb={"image": {"alt": "The Transformer: a stack of encoder blocks of self-attention and feed-forward network beside a stack of decoder blocks of masked self-attention, cross-attention and feed-forward network; an arrow from the encoder's end to the cross-attention."}}
picture = plot_stacks(
    {
        "encoder": [
            "source ids",
            "embedding + positions",
            "self-attention",
            "feed-forward",
            "norm: the memory",
        ],
        "decoder": [
            "target ids so far",
            "embedding + positions",
            "masked self-attention",
            "cross-attention",
            "feed-forward",
            "norm",
            "linear + softmax",
            "law of the next token",
        ],
    },
    repeated={"encoder": (2, 3, "N ×"), "decoder": (2, 4, "N ×")},
    across=[("encoder", 4, "decoder", 3)],
    colours={
        "embedding + positions": "purple",
        "self-attention": "blue",
        "masked self-attention": "blue",
        "cross-attention": "orange",
        "feed-forward": "green",
        "linear + softmax": "purple",
    },
)

# %% [markdown]
# How large is the model of the paper? Do it on paper first: six blocks on each side, $d = 512$, $d_\text{ff} = 2048$, some 37,000 tokens shared by both languages.

# %%
parts = count_parameters(TransformerConfig.paper_base(37_000, 37_000))
for name, n in parts.items():
    print(f"{name:13} {n:10,}")
print(f"{'in all':13} {sum(parts.values()):10,}")

# %% [markdown]
# The paper's table 3 says 65 million; the vocabulary was "about 37,000", and each thousand of tokens is half a million. Attention is 30 % of it: here is the other half of the answer.
#
# ## Training it
#
# Ours is small: three blocks a side, $d = 64$, hidden layers of 128, norms in front, rotary positions (chapter 02) instead of sinusoids, biases of queries and keys drawn at random as in chapter 04. It gets the sentences and the time of the translators there, 100 steps of warm-up and then a straight fall. One more thing of the paper deserves a look.
#
# **Label smoothing.** The target is not "this word with certainty" but "this word with 0.9, and the rest for all": $(1 - \varepsilon)$ times the usual loss and $\varepsilon$ times the mean surprisal of all words. A model that has become sure gains nothing by becoming surer. And the loss can no longer reach 0; its floor is the entropy of the smoothed law, and to be *too* sure costs:

# %%
vocab, eps = sizes[1], 0.1
law = torch.full((vocab,), eps / vocab)
law[7] += 1 - eps
best = label_smoothing_loss(law.log()[None], torch.tensor([7]), eps)
entropy = -(law * law.log()).sum()
print(f"entropy {entropy:.3f} nats, loss of the perfect logits {best:.3f}")
for sure in [5.0, 10.0, 20.0]:
    logits = torch.zeros(1, vocab)
    logits[0, 7] = sure
    loss = label_smoothing_loss(logits, torch.tensor([7]), eps)
    print(f"logit {sure:4.0f} for the right word: loss {loss:.3f}")

# %% [markdown]
# Whether it helps is another question; ours trains without, and the table further down compares. Now train, beside the recurrent decoder with attention, on the same pairs.

# %% tags=["nbval-ignore-output"]
model, recipe = transformer_recipe(grammar)
runs = {
    "RNN + attention": translators_of_04(grammar)["RNN + attention"],
    "Transformer": (model, recipe),
}
for name, (untrained, config) in runs.items():
    n = sum(weights.numel() for weights in untrained.parameters())
    print(
        f"{name:16} {n:7,} weights, {config.steps:,} steps of {config.batch_size}"
    )
trained = dict(
    zip(
        runs,
        side_by_side(
            train_translator,
            [(net, pairs, config, False) for net, config in runs.values()],
        ),
    )
)
for name, (_, history) in trained.items():
    print(f"{name:16} {history}")

# %% mystnb={"image": {"alt": "Exactly right translations against source length for the recurrent network with attention and the Transformer."}} tags=["nbval-ignore-output"]
bands = {
    name: exact_match_by_length(net, test) for name, (net, _) in trained.items()
}
curves(
    [(band.shortest + band.longest) / 2 for band in bands["Transformer"]],
    {
        name: [100 * band.share for band in found]
        for name, found in bands.items()
    },
    xlabel="words in the source sentence",
    ylabel="translated exactly (%)",
    title="The same sentences, the same time",
    y_from=0,
)

# %%
print("words                  3-6     7-10    11-14    15-18    19-22    23-24")
for name, seeds in {
    **recorded_in_04("lengths"),
    **recorded_study("lengths"),
}.items():
    mean, spread = np.mean(seeds, axis=0), np.std(seeds, axis=0, ddof=1)
    shares = (f"{100 * m:3.0f} ± {100 * s:2.0f}" for m, s in zip(mean, spread))
    print(f"{name:20}", "  ".join(shares))

# %% [markdown]
# The first four rows are those of chapter 04. What was missing there is worth a lot: of the longest sentences attention alone got a fifth right, and with feed-forward networks, an encoder and a decoder it is half, in the same time. But in this time the recurrent decoder with attention is ahead. Perhaps because a recurrence is *born* with the order of words, while a Transformer must first learn that neighbours belong together. The last two rows had three times as many,
# and the difference is gone. So much for the title of the paper. Its claim was never that attention learns from less. It was that all places are computed at once: on hardware that does thousands of things at a time, steps are cheap, and the recurrence is what cannot be made faster.
#
# <details class="checkpoint"><summary>All these models were trained on up to 24 words. What would you expect at 30, and why?</summary>
#
# Worse, for all of them. A Transformer meets distances that its heads have never seen; a recurrence only takes more steps, though its state was never asked to count so far. Try it: `translation().sample(300, lengths=(25, 30))`.
# </details>
#
# ## What it writes goes back in
#
# Trained, it writes as every translator of this book does: one token at a time, its own output becoming input. A language model reads *gen ai is*, writes *interesting*, reads that too, and writes *domain*; a translator does the same, with the source before its eyes:

# %% tags=["nbval-ignore-output"]
transformer = trained["Transformer"][0]
chosen = next(k for k in range(len(test)) if len(test.source[k]) == 8)
print("source:", *test.source[chosen])
source_ids = torch.tensor(test[chosen : chosen + 1].ids()[0][0])
vocabulary = grammar.target_vocab
for step in write_step_by_step(transformer, source_ids):
    so_far = " ".join(vocabulary[i] for i in step.read)
    guesses = ", ".join(f"{vocabulary[i]} {p:.2f}" for i, p in step.candidates)
    print(f"{so_far:48} -> {guesses}")

# %% [markdown]
# Each line of this table repeats the one before. A program that recomputed all of it for each new word would read about $n/2$ times as many places. But the keys and values of places that were read do not change: nothing they depend on comes later. So the decoder keeps them, for itself and for the memory, and each step costs one place. In training nothing of this is needed, since all right words are known and all places run at once. Chapter 06 measures what the **cache** saves.
#
# ## Beams
#
# The most probable word at each step need not lead to the most probable sentence. **Beam search** (chapter 03) keeps the best few beginnings. Unfold one:

# %% tags=["nbval-ignore-output"]
long_ones = [k for k in range(len(test)) if 9 <= len(test.source[k]) <= 12]
beam_tree(
    [
        search_tree(transformer, test, k, width)
        for k in long_ones[:3]
        for width in [1, 2, 4]
    ]
)

# %% [markdown]
# A log-probability falls with each token, so long hypotheses are at a disadvantage. Wu et al. (2016) rank by $\log P / \big((5 + n)/6\big)^\alpha$ instead; move $\alpha$ in the figure, and see whether the order changes. What does it bring?
#
# ### Exact match, BLEU, chrF
#
# Our grammar has one right answer, so we can ask for exact match. Real translation cannot: a good sentence may differ from the reference in each word. **BLEU** (Papineni et al., 2002) counts the n-grams up to four words that stand in the reference, each at most as often as there, and punishes what is too short; **chrF** (Popović, 2015) compares runs of one to six characters both ways: how many of those written are in the reference, and, counted double, how many of the reference's were written. The counts are added up over the whole corpus before they are divided. Scores of different programs can be compared only if they cut words alike, which is why one computes them with `sacrebleu` (Post, 2018). (Our words are cut already, so its own cutting is off.)

# %%
print("                         exact    BLEU    chrF   length")
for name, seeds in recorded_study("decoding").items():
    exact, bleu, chrf, length = np.mean(seeds, axis=0)
    print(
        f"{name:24} {100 * exact:3.0f} % {bleu:7.1f} {chrf:7.1f} {length:7.3f}"
    )

# %% tags=["nbval-ignore-output"]
scores = translation_scores(transformer, test[:200])
print(
    f"this one, greedy: {100 * scores.exact:.0f} % exact, "
    f"BLEU {scores.bleu:.1f}, chrF {scores.chrf:.1f}"
)

# %% [markdown]
# The beam gains one or two sentences in a hundred, the length penalty nothing: the model is rarely unsure, and in our language all translations of a sentence are about equally long. Where outputs are long and right answers many, both matter more, and wide beams may even do harm: for more than half of the sentences of a real system the most probable output of all was the empty one (Stahlberg and Byrne, 2019).
#
# Look at the scores, too. Four in five exactly right and 95 BLEU are *the same* translations. One wrong word of fifteen costs a sentence all of the one and some of the other.
#
# <details class="checkpoint"><summary>Two systems have the same BLEU. The first makes a small mistake in each sentence, the second a gross one in each tenth. Which has more exact matches, and which would you rather use?</summary>
#
# The second has nine in ten exactly right, the first none. Which is better depends on the reader: who repairs by hand likes small mistakes, who trusts blindly likes rare ones. No single number decides it.
# </details>
#
# ## Where the heads look
#
# Three layers of four heads: twelve maps of cross-attention for each sentence, with the true alignment on request.

# %% tags=["nbval-ignore-output"]
few = [k for k in range(len(test)) if 5 <= len(test.source[k]) <= 12][:6]
looks = cross_weights(transformer, test[:300])
head_explorer(
    [
        HeadMaps(
            (*test.target[k], "<eos>"),
            (*test.source[k], "<eos>"),
            torch.stack(looks[k]).numpy(),
            test.alignment[k],
            "cross-attention",
        )
        for k in few
        if k < 300
    ]
)

# %% tags=["nbval-ignore-output"]
print("layer  head   largest weight beside the true word, if a row is read for")
print("              the word before   the word to be written   the one after")
for row in cross_attention_errors(transformer, test[:300]):
    early, now, late = (f"{100 * row.errors[s]:3.0f} %" for s in (-1, 0, 1))
    print(
        f"{row.layer + 1:5} {row.head + 1:5} {early:>16} {now:>20} {late:>20}"
    )

# %% [markdown]
# The heads have divided the work, and the same division comes back with other seeds, though not in the same heads. In the first layer one head looks at the source of the word that has *just been read*: where are we? The others there fit neither reading. In the last layer all look at the source of the word that is *about to be written*: what comes next? And even the best head is beside the truth for a quarter of the words or more; what chapter 04 said about maps still holds.
#
# ## What each part is good for
#
# Take one thing away at a time, and train as before:

# %%
print("half the steps                exact       BLEU   loss (nats per token)")
for name, seeds in recorded_study("ablations").items():
    exact, bleu, loss = np.mean(seeds, axis=0)
    spread = np.std(seeds, axis=0, ddof=1)[0]
    print(
        f"{name:26} {100 * exact:3.0f} ± {100 * spread:2.0f} % {bleu:7.1f} {loss:8.3f}"
    )

# %% [markdown]
# In so few steps two things are indispensable. **Positions**: without them, on both sides or in the encoder alone, the source is a bag of words. And the **scale** $1/\sqrt{d}$, small as it looks: without it the softmax is saturated from the start. With the norm behind, leaving out the **warm-up** costs a good deal; with the norm in front it even gains, in a training this short. One **head** in place of four did worse with two seeds of three. What remains lies within the spread or near it:
# sinusoids instead of rotary positions, the norm behind, biases that start at 0. And **label smoothing** makes the loss worse, as in the paper, and leaves exact matches where they were.
#
# ## Real models in the same code
#
# Marian, BART and T5 are this model with other choices: where the norm stands, which positions, which bend. So their weights can be loaded into our classes. Where the library is installed, the next cell makes a small Marian model with random weights, writes it as the hub would hand it out, reads the files back into *our* Transformer, and compares:

# %%
try:
    import transformers
except ImportError:
    print("pip install transformers, and this cell compares.")
else:
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    theirs = transformers.MarianMTModel(
        transformers.MarianConfig(
            vocab_size=100,
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            pad_token_id=99,
            decoder_start_token_id=99,
        )
    ).eval()
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        ours = load_marian(folder)
    source, target = torch.randint(0, 99, (2, 1, 7))
    with torch.no_grad():
        logits = ours(source, torch.tensor([7]), target)
        expected = theirs(input_ids=source, decoder_input_ids=target).logits
    assert torch.allclose(logits, expected, atol=1e-4)
    print(
        "equal logits:", tuple(logits.shape), "in", ours.config.order + "-norm"
    )

# %% [markdown]
# ## Larger
#
# With a GPU, the paper's base model learns our language for a few hundred steps; without one, the same code with a model that fits.

# %% tags=["gpu", "nbval-ignore-output"]
device = best_device()
on_gpu = device == "cuda"
larger = (
    TransformerConfig.paper_base(*sizes, order="pre")
    if on_gpu
    else TransformerConfig(*sizes, 64, 4, 2)
)
steps = 300 if on_gpu else 20
_, history = train_translator(
    Transformer(larger),
    pairs,
    TrainConfig(
        steps=steps,
        batch_size=256 if on_gpu else 32,
        lr=warmup_rate(100, larger.d_model, 100) / 4,
        warmup=steps // 3,
        schedule="inverse_sqrt",
        device=device,
        precision="bf16" if on_gpu else "float32",
    ),
    progress=False,
)
n = sum(count_parameters(larger).values())
print(f"{n:,} weights on {device}: {history}")
print(f"{history.examples[-1] / history.seconds:,.0f} sentences a second")

# %% [markdown]
# ## Summary
#
# - A **block** is attention, which moves things between places, and a **feed-forward network**, which works on each place; both inside **residual connections** with a **norm**.
# - **Pre-norm** keeps the path free and trains with little or no **warm-up**; **post-norm**, the paper's, is more delicate.
# - The **encoder** reads all at once. The **decoder** has a causal mask, and **cross-attention** to the encoder's output.
# - It writes **autoregressively**: what it wrote goes back in. Keys and values of what was read are kept.
# - **Beam search** looks a little further than greedy decoding; it needs a **length penalty** where probabilities are compared across lengths.
# - **Exact match** where there is one right answer, **BLEU** and **chrF** where there are many.
#
# **Terms**: [Transformer](../../book/glossary.md#transformer), [encoder block](../../book/glossary.md#encoder-block), [decoder block](../../book/glossary.md#decoder-block), [feed-forward network](../../book/glossary.md#feed-forward-network), [residual connection](../../book/glossary.md#residual-connection), [layer normalization](../../book/glossary.md#layer-normalization), [post-norm and pre-norm](../../book/glossary.md#post-norm-and-pre-norm), [cross-attention](../../book/glossary.md#cross-attention), [warm-up](../../book/glossary.md#warm-up), [label smoothing](../../book/glossary.md#label-smoothing), [weight tying](../../book/glossary.md#weight-tying), [beam search](../../book/glossary.md#beam-search), [length penalty](../../book/glossary.md#length-penalty), [BLEU](../../book/glossary.md#bleu), [chrF](../../book/glossary.md#chrf).
#
# **Simplified here**: a language with one right translation and whole words as tokens; no dropout, because a pair is read hardly more than once; the paper also averaged its last checkpoints.
#
# **Sources**: Vaswani et al. (2017), the whole of it; He et al. (2016) on residuals; Ba et al. (2016), Xiong et al. (2020) and Liu et al. (2020) on norms; Szegedy et al. (2016) on label smoothing; Press and Wolf (2017) on tying; Wu et al. (2016) and Stahlberg and Byrne (2019) on beams; Papineni et al. (2002), Popović (2015) and Post (2018) on scores; Raffel et al. (2020) and Lewis et al. (2020) on T5 and BART. Full entries in the [references](../../book/references.md).
#
# **Next**: do the [exercises](exercises.ipynb). Then chapter 06 leaves the encoder away, and asks what a decoder alone can do.
