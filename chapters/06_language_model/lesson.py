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
# # The language model, end to end
#
# > *Throw half of the Transformer away. What is left writes novels.*
#
# A translator has an encoder because its source is there, whole, before it writes. A language model has only one text: what stands there already is the beginning of what it writes. So drop the encoder, and with it cross-attention. A stack of blocks with causal masks is left, with a tokenizer in front and a matrix behind. That is all of GPT, Llama and their relatives, and this chapter builds it, trains it, makes it write, and loads the files of real models into the same
# lines of code.
#
# <div class="lesson-header">
#
# **You will be able to** follow a sentence through every tensor of a model; say what RMSNorm, SwiGLU, rotary positions and grouped queries change; train a model and measure it against the floor; choose how to sample; explain the KV cache and its cost; read the card of a real model.
#
# **You need** chapters 01, 02, 04 and 05. **Time** 60 minutes to read, two to run, four hours for the exercises. **Runs on** any CPU;
# one cell uses a GPU where there is one.
#
# </div>

# %%
import math
import tempfile
import time

import numpy as np
import torch

from lmcourse.corpora import filler, osier_bay, text8
from lmcourse.figures.charts import curves
from lmcourse.figures.diagram import plot_stacks
from lmcourse.figures.floor import floor_table
from lmcourse.figures.plots import use_style
from lmcourse.language_model import (
    GREEDY,
    PUBLISHED_MODELS,
    GatedFeedForward,
    KVCache,
    LanguageModel,
    LanguageModelConfig,
    SamplingConfig,
    beam,
    cache_bytes,
    compare_both_sides,
    fetch_pretrained,
    fit_power_law,
    generate,
    load_pretrained,
    mask_tokens,
    measure_scaling,
    model_card,
    recorded_bytes,
    recorded_scaling,
    small_sentences,
    trace,
)
from lmcourse.recurrence import document_surprisal
from lmcourse.sequences import cross_entropy
from lmcourse.tokens import BPETokenizer, WordTokenizer
from lmcourse.training import (
    TrainConfig,
    batches_of_rows,
    best_device,
    next_token_loss,
    side_by_side,
    train,
)
from lmcourse.widgets.encoder_decoder import HeadMaps, head_explorer
from lmcourse.widgets.language_model import NextToken, flow, sampling_playground

style = use_style()

# %% [markdown]
# ## Three parts
#
# A **Transformer language model** consists of a **tokenizer** (chapter 01), a **stack of blocks** (self-attention: relevance scoring, then combining; and a feed-forward network), and the **LM head**, a matrix that turns the last vector into a score for each token. Each is one class here.

# %% mystnb={"image": {"alt": "A language model as one stack: text, tokenizer, ids, embedding, N times a block of masked self-attention and feed-forward network, norm, LM head, softmax, and the token that is drawn."}}
picture = plot_stacks(
    {
        "language model": [
            "text",
            "tokenizer",
            "embedding",
            "masked self-attention",
            "feed-forward",
            "norm",
            "LM head",
            "softmax, draw a token",
        ]
    },
    repeated={"language model": (3, 4, "N ×")},
    colours={
        "tokenizer": "orange",
        "embedding": "purple",
        "masked self-attention": "blue",
        "feed-forward": "green",
        "LM head": "purple",
    },
)

# %% [markdown]
# Here is a small one with its three parts, for the Osier Bay papers of chapter 01. It has not learnt anything yet.

# %%
papers = osier_bay()
tokenizer = BPETokenizer.train(papers, 1000, ["<eos>"])
config = LanguageModelConfig(
    vocab_size=tokenizer.vocab_size,
    d_model=128,
    n_heads=4,
    n_kv_heads=2,
    n_layers=4,
    max_length=128,
)
model = LanguageModel(config, tokenizer)
ids = model.from_text("The tide was out")
with torch.no_grad():
    logits = model(ids)
print("ids   ", ids.tolist())
print("logits", tuple(logits.shape), "(batch, tokens, vocabulary)")
print("first guess:", repr(model.to_text([logits[0, -1].argmax()])))

# %% [markdown]
# ## The block, ten years on
#
# The block is the decoder block of chapter 05 without its middle. Four details have changed since 2017, and the defaults of our class are today's.
#
# **RMSNorm** (Zhang and Sennrich, 2019) leaves out the mean: divide each vector by the root of its mean square, and multiply by a learnt gain. By hand, (3, 4, 0, 0) has a mean square of 25/4, so it becomes (1.2, 1.6, 0, 0).
#
# **SwiGLU** (Shazeer, 2020) gives the feed-forward network a gate. One matrix makes hidden units, another decides how much of each passes: $W_\text{down}\big(\text{silu}(W_\text{gate} x) \cdot W_\text{up} x\big)$. (silu$(z) = z \, \sigma(z)$ is a soft ReLU.) A product of two views of $x$ is something that sums and bends can only imitate. With three matrices instead of two, the hidden layer is made a third smaller.

# %%
gated = GatedFeedForward(d_model=1, d_ff=1)
with torch.no_grad():
    for matrix in gated.parameters():
        matrix.fill_(1.0)
    for x in [-2.0, 0.0, 1.0, 2.0]:
        print(f"{x:4} -> {gated(torch.tensor([x])).item():.3f}")
silu = 2 / (1 + math.exp(-2))
print(f"by hand, for 2: silu(2) * 2 = {silu * 2:.3f}")

# %% [markdown]
# **Rotary positions** turn queries and keys by their places (chapter 02), so nothing is added to the embeddings. And with **grouped-query attention** (chapter 04) several heads share their keys and values; why one wants this, you will see when the model writes.
#
# <details class="checkpoint"><summary>Why do language models have no dropout in their defaults?</summary>
#
# Dropout, setting random entries to 0 in training, is a remedy against learning the training text by heart. A model that sees each text once, or a grammar that never repeats itself, cannot do that. Where the text is small and read many times, as a fine-tuning set is, dropout is worth its price.
# </details>
#
# ## Training
#
# One loss, next-token prediction, and a recipe that nearly everyone uses: **AdamW** (Loshchilov and Hutter, 2019: Adam, which divides each step by the recent size of the gradient, with weights that also shrink a little), a short **warm-up**, a learning rate that falls along half a **cosine**, gradients cut to a length of 1. Two models train side by side, with the same block: a *speaker* of the filler grammar, whose floor we know, and a *reader* of the papers.

# %% tags=["nbval-ignore-output"]
source = filler()
words = WordTokenizer({word: i for i, word in enumerate(source.vocab)})
sizes = {
    "d_model": 64,
    "n_heads": 4,
    "n_kv_heads": 2,
    "n_layers": 2,
    "base": 100.0,
    "max_length": 96,
}
speaker = LanguageModel(LanguageModelConfig(len(source.vocab), **sizes), words)
reader = LanguageModel(LanguageModelConfig(1000, **sizes), tokenizer)
recipe = TrainConfig(steps=600, batch_size=16, lr=6e-3, schedule="cosine")
grammar_text = source.sample(200_000, seed=0)
held_out = " ".join(papers[-2:])


def train_rows(model, text, length):
    """Train on rows of so many tokens, cut from one long text."""
    rows = batches_of_rows(text, length, recipe.batch_size)
    return model, train(model, rows, next_token_loss, recipe, progress=False)


jobs = [
    (speaker, grammar_text.tensor(), 80),
    (reader, torch.tensor(tokenizer.encode(" ".join(papers[:-2]))), 96),
]
(speaker, spoken), (reader, read) = side_by_side(train_rows, jobs)
print("grammar", spoken)
print("papers ", read)

# %% mystnb={"image": {"alt": "Training loss of both models against steps: the speaker of the grammar falls quickly to its floor near 1.95, the reader of the papers falls slowly to about 4."}} tags=["nbval-ignore-output"]
steps, losses = spoken.mean_loss()
curves(
    steps,
    {"grammar": losses, "papers": read.mean_loss()[1]},
    xlabel="step",
    ylabel="loss (nats per token)",
    title="The same block, two texts",
    y_from=0,
)
judge = source.sample(20_000, seed=1)
floor = cross_entropy(source.surprisal(judge))
loss = cross_entropy(document_surprisal(speaker, judge.documents()))
print(
    f"grammar: {loss:.3f} nats per word, floor {floor:.3f}, excess {100 * (loss / floor - 1):.1f} %"
)
assert loss < 1.05 * floor

# %% [markdown]
# The speaker has all but learnt its grammar. The reader has read 55,000 words seven or eight times in a few seconds, and has got as far as that goes. Everything below works on both.
#
# A training of days adds three things, and `lmcourse.training` has them. **Mixed precision**: matrix products in bf16 on a GPU, everything delicate in float32. **Checkpoints** that hold the weights, the optimizer's memory, the random numbers and the place in the text, so that a run that was killed goes on *bit for bit* as if it had not been. And **data parallel**: several processes read different rows and average their gradients, which is the same step as one process with all the rows (`torchrun`). The same
# script does it on a laptop and on eight GPUs: `python -m lmcourse.language_model.train --help`.
#
# ## A sentence, end to end
#
# Text → ids → embeddings → blocks → logits → probabilities → sampled token → text, and round again. Every tensor on the way has a name and a shape. Step through them:

# %% tags=["nbval-ignore-output"]
rounds = trace(speaker, "the dog that the girls", max_new_tokens=3)
flow(rounds)

# %% [markdown]
# What do its heads look at, after so short a training? In *the dog that the girls follow sleeps*, the word *sleeps* is chosen in the row of *follow*: which head there goes back to *dog*?

# %% tags=["nbval-ignore-output"]
shown = [
    "the dog that the girls follow sleeps .",
    "because the cats near the harbour sleep , the king smiles .",
]
head_explorer(
    [
        HeadMaps(
            text.split(),
            text.split(),
            torch.cat(speaker.weights(speaker.from_text(text))).numpy(),
            kind="self-attention",
            causal=True,
        )
        for text in shown
    ]
)

# %% [markdown]
# ## Choosing a token
#
# The model gives a law; somebody has to choose. **Greedy** takes the most probable token. **Temperature** $T$ divides the logits before the softmax: below 1 the probable gains, above 1 all become more alike. **Top-k** (Fan et al., 2018) draws among the $k$ best. **Top-p** (Holtzman et al., 2020) draws among the smallest set that has probability $p$ together: many tokens where the model is unsure, few where it is sure. Where several are set they are applied in this order.

# %% tags=["nbval-ignore-output"]
prompts = ["the dog", "the girls that the king", "because the cats sleep ,"]
with torch.no_grad():
    last = {text: speaker(speaker.from_text(text))[0, -1] for text in prompts}
sampling_playground(
    [
        NextToken(text, source.vocab, logits.numpy())
        for text, logits in last.items()
    ]
)

# %% [markdown]
# Which setting is best? For English this is a matter of taste. For a grammar it can be measured: is a sentence **possible** at all, and do three hundred of them use the **whole vocabulary**?


# %% tags=["nbval-ignore-output"]
def possible(ids):
    try:
        source.surprisal(list(ids))
    except ValueError:  # the grammar cannot say this
        return False
    return True


strategies = {
    "greedy": GREEDY,
    "temperature 0.5": SamplingConfig(temperature=0.5),
    "temperature 1": SamplingConfig(),
    "temperature 1.5": SamplingConfig(temperature=1.5),
    "top-k, k = 10": SamplingConfig(top_k=10),
    "top-p, p = 0.9": SamplingConfig(top_p=0.9),
}
found = {}
print("                  possible   words used   for example")
for name, sampling in strategies.items():
    texts = generate(speaker, [[0]] * 300, 60, sampling, stop_ids=[0], seed=1)
    written = [text.ids for text in texts if text.reason == "stop"]
    found[name] = sum(map(possible, written)) / len(texts)
    used = len({i for ids in written for i in ids})
    print(
        f"{name:17} {100 * found[name]:6.0f} %   {used:4} of {len(source.vocab)}   {words.decode(written[0])}"
    )
assert (
    found["temperature 1.5"] < found["temperature 1"] < found["top-p, p = 0.9"]
)

# %% [markdown]
# Greedy decoding says one sentence, always. At temperature 1 the variety is right, and about a fifth of the sentences go wrong somewhere: the model gives ninety words a little more than it should, ten times in a row. Cutting the tail removes half of the mistakes and loses a word or three; that is the bargain of top-p. (Here most laws are flat over a class of words, so a low temperature costs little. In English it costs the rare words first.) And **beam search**, which served translation well? It looks for the *one* most probable text:

# %% tags=["nbval-ignore-output"]
lengths = []
for width in [1, 4, 30]:
    (found_by_beam,) = beam(speaker, [[0]], 60, width=width, stop_id=0)
    best = found_by_beam[0]
    lengths.append(len(best.ids))
    print(
        f"beam of {width:2}: log P = {best.log_probability:5.1f}: {words.decode(best.ids)}"
    )
assert lengths[-1] < lengths[0]

# %% [markdown]
# The wider the beam, the more probable what it finds, and the shorter: every word costs, and the cheapest text of all is nearly no text. Stahlberg and Byrne (2019) met the same in translation (chapter 05), but there the source says how much is to be said. An open task has nothing of the kind.
#
# <details class="checkpoint"><summary>At temperature 1 the model's own law is sampled, and its loss is some 2 % above the floor. Why is one sentence in five impossible?</summary>
#
# The 2 % are a mean over all words; the loss hardly notices a probability of, say, 0.02 on words that cannot stand there. Sampling does: over ten words the chance that none of them is drawn is $0.98^{10} \approx 0.82$. This is not yet exposure bias (chapter 03). That comes on top.
# </details>
#
# And the reader? It has seen too little for anything but a good imitation of the sound:

# %% tags=["nbval-ignore-output"]
for name in ["greedy", "temperature 1", "top-p, p = 0.9"]:
    ids = [tokenizer.encode("The tide was out, and")]
    (text,) = generate(reader, ids, 40, strategies[name], seed=3)
    print(f"{name}: {reader.to_text(text.ids)!r}")

# %% [markdown]
# ## The KV cache
#
# The decoder of chapter 05 kept the **keys and values** of what it had read, since a causal mask lets nothing change them later. Here they lie in memory that is taken once, and a new token costs one place.

# %% tags=["nbval-ignore-output"]
writer = LanguageModel(
    LanguageModelConfig(
        1000, d_model=128, n_heads=4, n_kv_heads=2, max_length=512
    )
).eval()
lengths, seconds = [32, 64, 128, 256], {"again and again": [], "cached": []}
for n in lengths:
    texts = []
    for name in seconds:
        start = time.perf_counter()
        texts += generate(writer, [[1, 2, 3]], n, cache=name == "cached")
        seconds[name].append(time.perf_counter() - start)
    assert texts[0].ids == texts[1].ids

# %% mystnb={"image": {"alt": "Seconds to write n tokens, with and without a cache: with the cache the time grows in proportion to n, without it faster; at 256 tokens the cache is several times faster."}} tags=["nbval-ignore-output"]
curves(
    lengths,
    seconds,
    xlabel="tokens written",
    ylabel="seconds",
    title="The same tokens, word for word",
    y_from=0,
)
ratio = seconds["again and again"][-1] / seconds["cached"][-1]
print(f"{ratio:.1f} times faster at {lengths[-1]} tokens")
assert ratio > 1.5

# %% [markdown]
# It is bought with memory: 2 (keys and values) × layers × heads of keys and values × their length × tokens × bytes of a number. For every text that is being written:

# %%
cache = KVCache(writer.config, batch=1, length=512)
assert (
    cache.bytes
    == cache_bytes(writer.config, 1, 512)
    == 2 * 4 * 2 * 32 * 512 * 4
)
print(f"ours: {cache.bytes / 2**20:.1f} MiB for 512 tokens")
for name in [
    "meta-llama/Llama-2-7b-hf",
    "mistralai/Mistral-7B-v0.3",
]:
    card = model_card(PUBLISHED_MODELS[name].config)
    each = card.cache_bytes_per_token(torch.bfloat16)
    print(
        f"{name}: {card.config.kv_heads} heads of keys and values, "
        f"{each / 2**10:.0f} KiB a token, {4096 * each / 2**30:.1f} GiB for 4,096"
    )

# %% [markdown]
# Both models have 32 heads of queries and about the same size. One keeps keys and values for all, the other for eight: **grouped-query attention** is there for the cache.
#
# <details class="checkpoint"><summary>Why is nothing cached for queries?</summary>
#
# A query is used once, by its own place, when it is computed. Keys and values are asked for by all later places.
# </details>
#
# ## The context ends
#
# The **context length** counts everything: the prompt *and* what is generated. `max_new_tokens` counts only the second. Whoever asks for more than fits gets one of three things, and should know which.

# %%
full = [list(range(1, 91))]  # a prompt of 90 tokens; the context has 96
for on_limit in ["stop", "slide"]:
    (text,) = generate(speaker, full, max_new_tokens=20, on_limit=on_limit)
    print(f"{on_limit}: {len(text.ids)} new tokens, reason {text.reason!r}")
try:
    generate(speaker, full, max_new_tokens=20, on_limit="error")
except ValueError as error:
    print("error:", error)

# %% [markdown]
# To slide means to drop the oldest tokens and to read the rest anew. Why not keep their old keys and values? Heads park weight on the very first tokens; drop those and a model breaks down, keep four of them and it goes on (Xiao et al., 2024). But why not let the model read on beyond its context, when rotary positions have no last row? Because it has never met such distances:

# %% mystnb={"image": {"alt": "Loss of the reader of the papers by place in the text: it falls over the first places and stays level to 96, the length it was trained on; beyond, read in one piece, it rises; with a sliding window it stays about a tenth of a nat below."}} tags=["nbval-ignore-output"]
ids = torch.tensor(tokenizer.encode(held_out))
far = 240
rows = ids[: len(ids) // far * far].view(-1, far)
with torch.no_grad():
    whole = reader(rows[:, :-1]).log_softmax(-1)
    at_once = -whole.gather(-1, rows[:, 1:, None])[..., 0].mean(0)
    slid = at_once.clone()
    for last in range(96, far - 1):  # each place with the 95 before it
        law = reader(rows[:, last - 95 : last + 1])[:, -1].log_softmax(-1)
        slid[last] = -law.gather(-1, rows[:, last + 1, None]).mean()
places = list(range(12, far, 24))
curves(
    places,
    {
        "read in one piece": [at_once[p - 12 : p + 12].mean() for p in places],
        "a window of 96": [slid[p - 12 : p + 12].mean() for p in places],
    },
    xlabel="place in the text",
    ylabel="loss (nats per token)",
    title="Trained on rows of 96 tokens",
)

# %% [markdown]
# ## Reading from both sides
#
# A causal model knows only what came before. For *understanding* a text that is already there, that is half of it. **BERT** (Devlin et al., 2019) leaves the causal mask away, hides some words, and learns to guess them from both sides: a **masked language model**. Of 15 % of the words, 8 in 10 become `[MASK]`, one becomes a random word, one stays; all 15 % are asked for, and no others.

# %% tags=["nbval-ignore-output"]
hidden = mask_tokens(
    speaker.from_text("the dog that the girls follow sleeps ."),
    mask_id=len(source.vocab),
    vocab_size=len(source.vocab) + 1,
    special=[0],
    generator=torch.Generator().manual_seed(4),
)
names = (*source.vocab, "[MASK]")
print("read  ", *[names[i] for i in hidden.input_ids[0]])
print("asked ", *[names[i] if i >= 0 else "." * 3 for i in hidden.targets[0]])

# %% [markdown]
# What is it worth to see both sides? Take sentences of three words, *subject verb object*, with laws so small that everything can be computed exactly: how uncertain a word is if nothing is known, if all words to its left are known, and if all others are. And train two models of one size on the same sentences.

# %% tags=["nbval-ignore-output"]
few_steps = TrainConfig(steps=400, batch_size=256, lr=5e-3)
guesses = compare_both_sides(small_sentences(), few_steps, progress=False)
print(
    "          nothing known   from the left: floor, model    from both sides: floor, model"
)
for g in guesses:
    print(
        f"{g.word:8} {g.place:10.2f} {g.left:20.2f} {g.decoder:8.2f} {g.both:22.2f} {g.masked:8.2f}"
    )
assert guesses[0].masked < guesses[0].decoder - 0.3

# %% [markdown]
# The subject stands first: from the left there is nothing to know about it, and from both sides there is a good deal. At the object both know the same words, and the masked model, which was asked less often, is a little behind. What it loses is the chain rule: its guesses are no factors of a probability of the text, and it has no natural way to write one. The models that write are decoders; those that search and classify are often encoders. (Who wants both reads from both sides and writes from the left: chapter 05.)
#
# ## Larger is better, by how much?
#
# Train models from 1,500 to 95,000 parameters on the same number of tokens, and the same model on texts of several lengths. The grammar is that of the verbs with tastes (`preferences`): its law has some 29,000 probabilities, which a small model cannot all hold. Because its entropy is known, we can look at the **excess**, what is left to learn; for real text the floor must be guessed from the curve. Three recorded seeds, and one point made here:

# %% mystnb={"image": {"alt": "Excess over the floor against parameters on two logarithmic axes: nearly a straight line from 0.8 nats at 1,466 parameters down to 0.11 at 34,976; the last point, 95,040 parameters, does not go on with it."}}
by_size, by_text = recorded_scaling("sizes"), recorded_scaling("texts")
curves(
    by_size.parameters,
    {"excess": np.mean(by_size.excess, axis=0)},
    xlabel="parameters",
    ylabel="excess over the floor (nats per token)",
    title="A straight line, up to a point",
    log_x=True,
    log_y=True,
)
by_parameters = fit_power_law(
    by_size.parameters[:5], [row[:5] for row in by_size.excess]
)
for name, law in [
    ("parameters", by_parameters),
    ("tokens", by_text.fit("tokens")),
]:
    print(
        f"excess ~ {name} ** {law.exponent:.2f} (± {law.spread:.2f} over seeds), R² = {law.r2:.3f}"
    )

# %% tags=["nbval-ignore-output"]
again = measure_scaling([(8, 512, 64)])
print(
    f"{again.parameters[0]:,} parameters, here: {again.excess[0][0]:.3f}, "
    f"recorded: {', '.join(f'{row[2]:.3f}' for row in by_size.excess)}"
)

# %% [markdown]
# A **scaling law**: each doubling takes off the same share of what is left. Kaplan et al. (2020) found such lines over seven orders of magnitude; their exponents are much smaller (0.076 for parameters), but of the whole loss. Hoffmann et al. (2022), who fitted a floor too, found 0.34 and 0.28. Two warnings. A line in one direction holds only while nothing else is the limit. The last point leaves it, and not for want of text alone: the model before it, on as many tokens in smaller batches, came to 0.09 instead of 0.11, so 512 updates are few. And a training cut off half-way is
# no training of half the length, because its learning rate had not yet come down.
#
# <details class="checkpoint"><summary>Training costs about 6 operations for each parameter and token. Where does the 6 come from?</summary>
#
# Each weight of a matrix is used in one multiplication and one addition for each token: 2. The way back computes two products of the same size, the gradient of the inputs and that of the weights: 4 more.
# </details>
#
# ### Which loss, though?
#
# Losses per token cannot be compared between tokenizers: longer tokens carry more, and there are fewer of them. Bits per **byte** can (chapter 00). The same text, the same model, the same compute, four tokenizers of chapter 01:

# %%
print("                  tokens   bytes per token   perplexity   bits per byte")
for name, seeds in recorded_bytes().items():
    perplexity = np.mean([one.perplexity for one in seeds])
    bits = [one.bits_per_byte for one in seeds]
    print(
        f"{name:16} {seeds[0].vocab_size:7,} {seeds[0].bytes_per_token:17.2f} {perplexity:12.1f}"
        f" {np.mean(bits):10.2f} ± {np.std(bits, ddof=1):.2f}"
    )

# %% [markdown]
# By perplexity characters win by far. By bits per byte they come last, and the other three are as good as one another. (For the same compute they also read half as much text: more tokens for each word.) A perplexity without its tokenizer says nothing.
#
# ## Real models, these lines of code
#
# A published model is a folder: `config.json` with the sizes, `model.safetensors` with the tensors by name, `tokenizer.json`. `load_pretrained` reads it into our classes, checks that every tensor is used and every shape fits, and gives a `LanguageModel`. GPT-2 has LayerNorm, learned positions, GELU and biases; Llama has RMSNorm, rotary positions, SwiGLU and none. All of it is in `LanguageModelConfig`. The sizes of some, from `config.json` alone, without a single weight:

# %%
for name, published in PUBLISHED_MODELS.items():
    card = model_card(published.config)
    assert card.parameters.total == published.parameters
    c = card.config
    print(
        f"{name:38} {card.parameters.total / 1e6:8,.0f} M, {c.n_layers} layers, d {c.d_model}, "
        f"{c.n_heads}/{c.kv_heads} heads, {c.max_length} tokens, {c.vocab_size:,} in the vocabulary"
    )

# %% [markdown]
# And here is the proof that it is the same model, on small ones with random weights: written by the library in the hub's format, read by us, and the same logits.

# %%
try:
    import transformers
except ImportError:
    print("pip install transformers, and this cell compares.")
else:
    transformers.utils.logging.disable_progress_bar()
    kinds = {
        "GPT-2": transformers.GPT2Config(
            vocab_size=100,
            n_embd=32,
            n_layer=2,
            n_head=4,
            bos_token_id=0,
            eos_token_id=0,
        ),
        "BERT": transformers.BertConfig(
            vocab_size=100,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
        ),
        "Llama": transformers.LlamaConfig(
            vocab_size=100,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
        ),
    }
    ids = torch.randint(
        0, 100, (2, 12), generator=torch.Generator().manual_seed(0)
    )
    for name, kind in kinds.items():
        torch.manual_seed(0)
        auto = transformers.AutoModelForCausalLM
        if name == "BERT":
            auto = transformers.AutoModelForMaskedLM
        theirs = auto.from_config(kind).eval()
        with tempfile.TemporaryDirectory() as folder:
            theirs.save_pretrained(folder)
            ours = load_pretrained(folder)
        with torch.no_grad():
            difference = (ours(ids) - theirs(ids).logits).abs().max().item()
        assert difference < 1e-5
        print(f"{name}: logits equal to five decimal places")

# %% [markdown]
# With a network, take a real one: set `RUN_WITH_NETWORK = True`.

# %% tags=["network"]
RUN_WITH_NETWORK = False  # set to True to download half a gigabyte, once
if RUN_WITH_NETWORK:
    gpt2 = load_pretrained(fetch_pretrained("gpt2"))
    prompt = "The lighthouse keeper opened the door and"
    sampling = SamplingConfig(temperature=0.8, top_p=0.9)
    (text,) = generate(gpt2, gpt2.from_text(prompt), 30, sampling, seed=1)
    print(prompt + gpt2.to_text(text.ids))
else:
    print("not fetched: RUN_WITH_NETWORK is False")

# %% [markdown]
# ## Larger
#
# With a GPU, the next cell trains a model of ten million parameters on a downloaded text, with the fused kernel and bf16; without one it takes a few steps of a small one on the papers.

# %% mystnb={"image": {"alt": "Training loss against seconds of the larger run: it falls steeply at first and then ever more slowly."}} tags=["gpu", "nbval-ignore-output"]
device = best_device()
on_gpu = device == "cuda"
if on_gpu:
    big_text = " ".join(text8(2_000_000))
    big_tokenizer = BPETokenizer.train([big_text[:1_000_000]], 4000)
    sizes = {"d_model": 320, "n_heads": 5, "n_layers": 7, "max_length": 512}
    settings = {"steps": 500, "batch_size": 32, "precision": "bf16"}
else:
    big_text, big_tokenizer = " ".join(papers[:4]), tokenizer
    sizes = {"d_model": 64, "n_heads": 4, "n_layers": 2, "max_length": 128}
    settings = {"steps": 20, "batch_size": 8}
big = LanguageModel(
    LanguageModelConfig(big_tokenizer.vocab_size, **sizes), big_tokenizer
)
ids = np.array(big_tokenizer.encode(big_text))
history = train(
    big,
    batches_of_rows(ids, sizes["max_length"], settings["batch_size"]),
    next_token_loss,
    TrainConfig(
        **settings, lr=2e-3, warmup=10, schedule="cosine", device=device
    ),
    progress=False,
)
print(
    f"{sum(w.numel() for w in big.parameters()):,} parameters on {device}, "
    f"{history.tokens[-1] / history.seconds:,.0f} tokens a second"
)
print(history)
steps, losses = history.mean_loss()
curves(
    [step * history.seconds / len(history.loss) for step in steps],
    {"loss": losses},
    xlabel="seconds",
    ylabel="loss (nats per token)",
    title="Loss against time",
)

# %% [markdown]
# ## The distance to the floor
#
# The table of the book, with rows for a small model of this chapter: two layers, 64 wide. It had more time than those before it, 5,000 steps where they had 1,200, and read eight times as much text, since lines that come back are found late (chapter 04). On the play, where the LSTM pays twice the floor, it pays 7 % more than must be paid.

# %%
floor_table(upto="06_language_model", highlight=["Transformer, 2 layers"])

# %% [markdown]
# ## Summary
#
# - A **Transformer language model** is a tokenizer, a stack of blocks with causal masks, and an LM head.
# - The block of today: **RMSNorm** before each sublayer, **SwiGLU**, **rotary positions**, **grouped** keys and values, no biases.
# - It is trained by **AdamW** with warm-up and a cosine; checkpoints must hold more than weights.
# - **Temperature, top-k and top-p** trade mistakes against variety. A small error at each token is a large one over a text.
# - The **KV cache** makes a token cost one place and is paid in memory that grows with every token.
# - The **context length** counts prompt and new tokens. Beyond it the loss rises.
# - A **masked** model reads from both sides and does not write.
# - Excess over the floor falls as a **power** of size and of data, until the other one is the limit.
# - Real models are these lines of code with other numbers.
#
# **Terms**: [decoder-only](../../book/glossary.md#decoder-only), [LM head](../../book/glossary.md#lm-head), [logits](../../book/glossary.md#logits), [RMSNorm](../../book/glossary.md#rmsnorm), [SwiGLU](../../book/glossary.md#swiglu), [RoPE](../../book/glossary.md#rope), [grouped-query attention](../../book/glossary.md#grouped-query-attention), [AdamW](../../book/glossary.md#adamw), [cosine schedule](../../book/glossary.md#cosine-schedule), [temperature](../../book/glossary.md#temperature), [top-k sampling](../../book/glossary.md#top-k-sampling), [top-p sampling](../../book/glossary.md#top-p-sampling), [KV cache](../../book/glossary.md#kv-cache), [context length](../../book/glossary.md#context-length), [`max_new_tokens`](../../book/glossary.md#max_new_tokens), [masked language model](../../book/glossary.md#masked-language-model), [scaling law](../../book/glossary.md#scaling-law), [bits per byte](../../book/glossary.md#bits-per-byte).
#
# **Simplified here**: models of today are also tuned on instructions and preferences after this training, which is another book; large ones are spread over many devices (chapter 07 and 08 show two ways).
#
# **Sources**: Radford et al. (2019) on GPT-2; Touvron et al. (2023) on Llama; Devlin et al. (2019) on BERT; Zhang and Sennrich (2019), Shazeer (2020), Su et al. (2021) and Ainslie et al. (2023) on the block; Loshchilov and Hutter (2019); Fan et al. (2018), Holtzman et al. (2020) and Stahlberg and Byrne (2019) on choosing; Xiao et al. (2024) on sliding; Kaplan et al. (2020) and Hoffmann et al. (2022) on scaling. Full entries in the [references](../../book/references.md).
#
# **Next**: do the [exercises](exercises.ipynb). One of them asks you to train a model that comes near the floor.
