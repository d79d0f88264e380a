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
# # Sequences: how surprised should you be?
#
# > *The dogs that every girl follows …* What comes next?
#
# You hesitate, but not over everything. A verb must come, and it is *sleep*, not *sleeps*, although the word right before it is
# about one girl. You have just done what every model in this book does: read a sequence, and say how probable each next
# token is. This chapter builds the oldest such model, finds out what it cannot do, and sets up the yardstick for all others: texts for which we
# know *exactly* how good a model can possibly become.
#
# <div class="lesson-header">
#
# **You will be able to** say what a language model is; turn probabilities into surprisal, perplexity and bits per byte; build n-gram models and smooth them;
# tell how far a model is from the best that is possible.
#
# **You need** Python and logarithms. **Time** 30 minutes to read, one to run, an hour or two for the exercises. **Runs on** any CPU.
#
# </div>

# %%
import textwrap

import numpy as np

from lmcourse.corpora import filler, osier_bay, osier_bay_names, play
from lmcourse.figures.charts import bars, curves
from lmcourse.figures.floor import floor_table
from lmcourse.figures.plots import use_style
from lmcourse.sequences import (
    COMPRESSORS,
    AbsoluteDiscounting,
    AddK,
    Katz,
    KneserNey,
    MaximumLikelihood,
    NGramModel,
    byte_documents,
    byte_model_bits,
    compressed_bits,
    cross_entropy,
    generate,
    heaps,
    hold_out,
    log_probability,
    mutual_information,
    number_names,
    paragraphs,
    perplexity,
    plots,
    rank_frequency,
    seen_share,
    standard_error,
    word_model_bits,
    worth_of_order,
    zipf,
)

style = use_style()

# %% [markdown]
# ## A world of 91 words
#
# Nobody knows the true probability of an English word. So we begin in a small world where somebody does: a grammar that writes
# sentences by drawing rules at random. We know its rules, and therefore everything that can be known about its texts.

# %%
source = filler()
vocab = source.vocab
print(f"{len(vocab)} words\n")
print(source.sample(60, seed=2).text())

# %% [markdown]
# A **language model** is a law for the next **token** (here a token is a word or a sign): given all tokens so far, a probability distribution over the vocabulary. The full stop is a token too, and ends the text; before the first word there is nothing but the beginning. The
# grammar's own law is the best there is. After our opening words it says this:

# %% mystnb={"image": {"alt": "Next-word probabilities under the grammar: after the dogs that every girl follows the best guesses are plural verbs such as watch and lift with about eleven per cent each; after the dog that every girl follows they are the same verbs in the singular."}}
plots.plot_laws(
    vocab,
    {
        f"{start} …": source.next_probabilities(
            f"{start} that every girl follows"
        )
        for start in ["the dogs", "the dog"]
    },
    title="One letter, five words back, changes every verb",
)

# %% [markdown]
# ## Surprisal
#
# How well did a model expect what came? If it gave the token probability $p$, its **surprisal** is $-\log p$. Certain means zero. Each halving of $p$
# adds one **bit** (with $\log_2$); with the natural logarithm the unit is the **nat**, and 1 nat is 1.44 bits. Three words by hand:

# %%
for word, p in {"the": 1 / 2, "girl": 1 / 8, "sings": 1 / 4}.items():
    bits, nats = -np.log2(p), -np.log(p)
    print(f"{word:6} p = {p:.3f}   {bits:.0f} bits = {nats:.3f} nats")
whole = 1 / 2 * 1 / 8 * 1 / 4
print(f"\nthe sentence: p = {whole:.4f}, {-np.log2(whole):.0f} bits")

# %% [markdown]
# Probabilities multiply, so surprisals add. That is the **chain rule**, and it turns a law for one token into a law for whole texts:
#
# $$P(w_1 \dots w_n) = \prod_{i=1}^{n} P(w_i \mid w_1 \dots w_{i-1}), \qquad -\log P = \sum_{i=1}^{n} -\log P(w_i \mid w_1 \dots w_{i-1}).$$
#
# Nothing is assumed here; any law over texts can be written like this. The mean surprisal per token is the **cross-entropy**, and it is the **loss** of every language model in this book. Its exponential is the
# **perplexity**: a fair die with so many sides would surprise you as much.

# %%
sentence = "the dogs that every girl follows sleep ."
nats = source.surprisal(sentence)
print("word by word:", " ".join(f"{x:.2f}" for x in nats))
loss = cross_entropy(nats)
print(
    f"sum {nats.sum():.2f} nats, loss {loss:.3f}, perplexity {perplexity(loss):.1f}"
)
ids = source.encode(sentence)
assert np.isclose(-log_probability(source, ids), nats.sum())

# %% [markdown]
# <details class="checkpoint"><summary>A model gives every one of 1,024 tokens the same probability. What are its surprisal in bits, and its perplexity?</summary>
#
# $\log_2 1024 = 10$ bits for each token, whatever comes; the perplexity is 1,024. A perplexity is never above the size of the vocabulary unless the model is worse than
# knowing nothing.
# </details>
#
# ## Counting
#
# Now forget the grammar, and take 200,000 tokens that it wrote. What can be learnt by counting? The **bigram** model looks one token back: $P(w \mid v)$ is the
# share of $w$ among all that followed $v$. A **trigram** model looks two back, an **$n$-gram** model $n-1$; a **unigram** model does not look at all.

# %%
train = source.sample(200_000, seed=0).documents()
held_out = source.sample(20_000, seed=1)
tests = held_out.documents()

counted = {
    order: NGramModel.train(train, order, len(vocab), MaximumLikelihood())
    for order in [1, 2, 3, 5]
}
for order, model in counted.items():
    ids = generate(model, end=source.end_id, max_new_tokens=18, seed=7)
    print(f"{order}-gram:", " ".join(vocab[i] for i in ids))

# %% [markdown]
# To write, a model draws a token from its law, appends it, and asks itself again: **generation** is prediction fed back. With more context the sentences grow more plausible. Are the
# models better, then? Ask them about text they have not seen:

# %%
for order, model in counted.items():
    nats = model.surprisal(tests)
    impossible = int(np.isinf(nats).sum())
    print(f"{order}-gram: loss {cross_entropy(nats):.2f}, ", end="")
    print(f"{impossible:,} of {len(nats):,} tokens 'impossible'")

# %% [markdown]
# One token with probability zero, and the loss is infinite. What was never counted is not impossible; it was only never seen. And longer contexts have seen less:

# %% mystnb={"image": {"alt": "Share of the held-out n-grams that the training text holds, against its size from 2,000 to 200,000 tokens: pairs are soon all known, trigrams reach 98 per cent, 4-grams 84 per cent and 5-grams 60 per cent."}}
sizes = [2_000, 10_000, 50_000, 200_000]
shares = [
    seen_share(source.sample(n, seed=0).documents(), tests, len(vocab))
    for n in sizes
]
curves(
    sizes,
    {f"{n}-grams": [100 * s[n] for s in shares] for n in [2, 3, 4, 5]},
    xlabel="tokens to learn from",
    ylabel="known (%)",
    title="The longer the context, the newer",
    log_x=True,
    y_from=0,
)

# %% [markdown]
# And this is a world of 91 words. With 50,000 there are 125 trillion trigrams; no text has room for them.
#
# ## Smoothing: what is owed to the unseen
#
# Every cure takes a little from what was seen and gives it to what was not.
#
# - **Add-k**: pretend that each token was seen $k$ times more: $\frac{c(vw) + k}{c(v) + kV}$. Simple, and blind: it gives as much to *the the* as to *the cat*.
# - **Interpolation with discounts**: take a fixed $D$ from each count, and let the next shorter context $h'$ say who gets it: $P(w \mid h) = \frac{\max(c(hw) - D, 0)}{c(h)} + \lambda_h P(w \mid h')$, with $\lambda_h$ the share that was taken.
# - **Back-off**: the same, but the shorter context is asked only for what the longer one has not seen (Katz, 1987, who estimated the discounts in another way).
# - **Kneser-Ney**: let the shorter context count not how *often* a token came but after how many *different* tokens. *Francisco* is frequent, but it only follows *San*: as a guess after
#   a new word it is poor.

# %% mystnb={"image": {"alt": "Loss against the order of the model for five kinds of smoothing: all fall from 4.07 nats for a unigram to about 2.5 for a bigram; add-one is worse from the trigram on and climbs above 3.5; the others reach about 2.35 with a trigram, and Kneser-Ney stays lowest after it, near 2.4."}}
orders = [1, 2, 3, 4, 5]
smoothings = {
    "add 1": AddK(1.0),
    "add 0.01": AddK(0.01),
    "discounts": AbsoluteDiscounting(),
    "back-off": Katz(),
    "Kneser-Ney": KneserNey(),
}
losses = {
    name: [
        cross_entropy(
            NGramModel.train(train, n, len(vocab), how).surprisal(tests)
        )
        for n in orders
    ]
    for name, how in smoothings.items()
}
curves(
    orders,
    losses,
    xlabel="order n",
    ylabel="loss (nats per token)",
    title="From 200,000 tokens, two words of context pay",
)
best = min(losses["Kneser-Ney"])
order = 1 + losses["Kneser-Ney"].index(best)
print(f"best: Kneser-Ney, order {order}, {best:.3f} nats")

# %% [markdown]
# Smoothing makes long contexts nearly harmless. It does not make them useful while the text is this small: the trigram stays the best. (With ten times the text the 4-gram wins, and later the 5-gram.) Is 2.34 nats good? That question cannot be answered by looking at models alone.
#
# <details class="checkpoint"><summary>Kneser-Ney's unigram level gives <em>Francisco</em> little. Does it then predict <em>San Francisco</em> badly?</summary>
#
# No. After *San* the bigram count decides, and it is large. The lower level is only asked to share out what was discounted.
# </details>
#
# ## The floor
#
# The text itself is random: even its author's law is surprised. That least possible mean surprisal is the **entropy** of the source. For a grammar it has a closed form: let $n_A$ be how often
# symbol $A$ is expanded in an average sentence, and $H_A$ the entropy of the choice among its rules. Then
#
# $$H = \sum_A n_A H_A, \qquad n = e_{\text{start}} + M^{\top} n,$$
#
# where $M_{AB}$ is the mean number of $B$'s in an expansion of $A$: a system of linear equations. That is the entropy of a sentence; divided by the mean length of a sentence it is the entropy per token. (It is the entropy of derivations; our grammar is unambiguous, so each sentence has one.)

# %% mystnb={"image": {"alt": "Sampled estimates of the entropy per token with two standard errors, from 1,000 to 100,000 tokens, close in on the closed form of 1.933 nats."}}
lengths = [1_000, 3_000, 10_000, 30_000, 100_000]
texts = [source.sample(n, seed=40 + i) for i, n in enumerate(lengths)]
exact = [source.surprisal(text) for text in texts]
errors = [
    standard_error(nats, [len(d) for d in text.documents()])
    for nats, text in zip(exact, texts)
]
plots.plot_estimates(
    lengths,
    [cross_entropy(nats) for nats in exact],
    errors,
    source.entropy_per_token,
)

# %% [markdown]
# No model can stay below 1.933 nats per token, whatever its size. One caution: a held-out text is a sample, and has luck of its own. So we do not compare with 1.933 but with the exact surprisal
# of *the same tokens*; most of the luck is in both and cancels. The difference is the **excess**, and it is never below zero on average.

# %%
floor = source.surprisal(held_out)
models = {
    name: NGramModel.train(train, order, len(vocab), AbsoluteDiscounting())
    for order, name in [(1, "unigram"), (2, "bigram"), (3, "trigram")]
}
print(f"{'floor':8} {cross_entropy(floor):.3f} nats on these tokens")
for name, model in models.items():
    excess = model.surprisal(tests) - floor
    share = 100 * excess.mean() / floor.mean()
    print(f"{name:8} {excess.mean():.3f} nats above it, {share:.0f} %")

# %% [markdown]
# The trigram pays a fifth too much. Where? Look at our sentence, word by word.

# %% mystnb={"image": {"alt": "Surprisal of each word of: the dogs that every girl follows sleep. Bigram and trigram stay close to the floor except at the two verbs: at follows they need 4 bits where the grammar needs 1.6, at sleep about twice the grammar's 3.6 bits or more."}}
ids = [source.encode(sentence)]
bits = {
    name: models[name].surprisal(ids) / np.log(2)
    for name in ["bigram", "trigram"]
}
plots.plot_surprisals(
    sentence.split(),
    {**bits, "the floor": source.surprisal(sentence) / np.log(2)},
    title="The models are lost where the sentence comes back",
)

# %% [markdown]
# Two words cost too much, and both for the same reason. After *that every girl* only a few verbs can stand, for the dogs are the object; the n-grams no longer know of a clause. And after *every girl follows* they expect the thing that is followed. They do not see *the dogs that*, and so cannot know that the clause is over. The next cell asks for the two laws:

# %% mystnb={"image": {"alt": "After the dogs that every girl follows the trigram expects the, a, this or every, as if an object came; the grammar expects plural verbs, and no article at all."}}
plots.plot_laws(
    vocab,
    {
        "trigram": models["trigram"].next_probabilities(ids[0][:6]),
        "grammar": source.next_probabilities(ids[0][:6]),
    },
    title="… that every girl follows …",
)

# %% [markdown]
# The same numbers say how much a model **understands**, in the plainest sense: of two sentences that differ in one letter, does it find the right one more probable?

# %%
starts = [
    "the dogs",
    "the dogs near the house",
    "the dogs that every girl follows",
    "the girls that every dog follows",
]
for start in starts:
    right, wrong = (
        log_probability(models["trigram"], source.encode(f"{start} {verb} ."))
        for verb in ["dance", "dances"]
    )
    print(f"{start:33} dance(s): {right - wrong:+.2f} nats for the right form")

# %% [markdown]
# Next to its subject the verb agrees. With a phrase or a clause between them the trigram sees no subject, and what little it prefers is luck.

# %% [markdown]
# ## What order is worth
#
# Is it really the *order* that helps, and not merely knowing which words are frequent? Shuffle the words within each sentence. All counts of single words stay the same; order is
# gone.

# %% mystnb={"image": {"alt": "Losses of the bigram and trigram: about 2.5 and 2.3 on ordered text, 4.0 and 4.1 when trained and tested on shuffled text, and 8.1 and 7.0 when trained on ordered and tested on shuffled text; the unigram has 4.07 in all three."}}
rows = worth_of_order(train, tests, len(vocab), orders=(1, 2, 3))
names = {1: "unigram", 2: "bigram", 3: "trigram"}
bars(
    {
        f"{names[row.order]}: {kind}": getattr(row, field)
        for row in rows
        for kind, field in [
            ("ordered", "ordered"),
            ("both shuffled", "shuffled"),
            ("test shuffled", "misled"),
        ]
    },
    xlabel="loss (nats per token)",
    title="Order is worth 1.7 nats to a trigram",
    notes={
        f"{names[row.order]}: {kind}": f"{getattr(row, field):.2f}"
        for row in rows
        for kind, field in [
            ("ordered", "ordered"),
            ("both shuffled", "shuffled"),
            ("test shuffled", "misled"),
        ]
    },
)

# %% [markdown]
# To the unigram all texts look alike. The others gain from order what they cannot gain without it, and a model that relies on order is *worse than ignorant* where there is none: a bigram that has
# learnt from ordered text meets shuffled text with 8 nats, twice what the unigram pays. That is what **sequence modelling** means.
#
# ## How far back must a model look?
#
# Our second source is a play. Each of three speakers has one line and says it again at every turn; now and then a narrator says something new.

# %%
drama = play()
print(drama.sample(40, seed=5).text().replace(" . ", " .\n"))

# %%
script = drama.sample(200_000, seed=0)
new_script = drama.sample(20_000, seed=1)
drama_floor = drama.surprisal(new_script)
print(f"floor {cross_entropy(drama_floor):.3f} nats")
known = 100 * (drama_floor == 0).mean()
print(f"{known:.0f} % of the tokens are certain for who remembers\n")
for order in [1, 2, 3, 4]:
    model = NGramModel.train(script.documents(), order, len(drama.vocab))
    loss = cross_entropy(model.surprisal(new_script.documents()))
    print(f"{order}-gram {loss:.3f} nats")

# %% [markdown]
# More than half of the tokens could be known for certain, and the n-gram pays for each of them, every time. Its window is too short. How long would it have to be? **Mutual information** measures what a token says about another at some distance, whatever model we have in mind:

# %% mystnb={"image": {"alt": "Shared information against distance: in the sentences of the first source it falls from 1.6 nats at distance 1 to below 0.1 at distance 7; in the play, after what any other play would tell is taken off, it stays at 0.28 nats from one line back to eight lines back."}}
near, lines_back = [1, 2, 3, 4, 5, 6, 7], [8, 16, 24, 32, 40, 48, 56, 64]
sentences = mutual_information(train, len(vocab), near)
scenes = np.stack(script.documents())  # (plays, 80 tokens)


def shared(first, second, distance):
    pairs = np.stack([first[:, :-distance], second[:, distance:]], axis=-1)
    pairs = pairs.reshape(-1, 2)
    return mutual_information(pairs, len(drama.vocab), [1])[0].corrected


memory = [
    shared(scenes[:-1], scenes[:-1], d) - shared(scenes[:-1], scenes[1:], d)
    for d in lines_back
]
curves(
    near + lines_back,
    {
        "sentences": [row.corrected for row in sentences]
        + [np.nan] * len(lines_back),
        "play": [np.nan] * len(near) + memory,
    },
    xlabel="distance in tokens",
    ylabel="shared information (nats)",
    title="In a play the past does not fade",
    y_from=0,
)

# %% [markdown]
# (Counts always find some information, even in noise; what a shuffled text shows has been taken off. Lines of the play have eight tokens each, so eight tokens back stands the same *place* of another line, which tells something in any play; what two *different* plays share
# has been taken off, too. What is left is memory: as strong eight lines back as one line back.)
#
# Models with a memory that reaches further are what chapters 03 to 07 are about, and this play will be their test.
#
# <details class="checkpoint"><summary>Why not simply use a 40-gram?</summary>
#
# A 40-gram helps only where the *same* 39 tokens were seen before, and almost every stretch of that length is new. The play repeats itself within one text, not between texts: what a speaker says
# must be looked up in *this* play. No table of counts from other plays has it.
# </details>
#
# ## Real text
#
# English is no different in kind; only nobody can tell us its floor. Two regularities show in any text. **Zipf's law**: the word of rank $r$ is about $1/r$ as frequent as the first. **Heaps' law**: the number of
# different words grows without end, as a power of the length. So the unseen never runs out.

# %% mystnb={"image": {"alt": "How often each word of the Osier Bay Papers occurs against its rank, on two logarithmic axes: nearly a straight line with a slope of about minus 0.93."}}
lines = paragraphs(osier_bay([n for n in osier_bay_names() if n != "scripts"]))
words = " ".join(lines).split()
number = {word: i for i, word in enumerate(dict.fromkeys(words))}
word_ids = [number[word] for word in words]
law = zipf(word_ids)
plots.plot_zipf(rank_frequency(word_ids), law.exponent, law.factor)
print(f"{len(words):,} words, {len(number):,} different")
print(f"Zipf: frequency falls as rank to the power {law.exponent:.2f}")
print(
    f"Heaps: words grow as length to the power {heaps(word_ids).exponent:.2f}"
)

# %% [markdown]
# Models with different tokens cannot be compared by loss per token: whoever cuts the text into fewer tokens pays more for each. **Bits per byte** can be compared: all the bits for a text, divided by its length in
# bytes. It is also what a file would need if a coder used the model, so compressors may join in. They are given the same text to learn from (gzip remembers only the last 32 kB of it).

# %% mystnb={"image": {"alt": "Bits per byte on held-out English: a 1-gram of bytes needs 4.6, gzip 3.4, lzma 2.7, bz2 2.4, a word bigram 2.27, a 4-gram of bytes 2.4 and a 7-gram of bytes 2.2."}}
learn, new = hold_out(lines)
needed = {
    f"{n}-gram of bytes": byte_model_bits(learn, new, n) for n in [1, 2, 4, 7]
}
by_words = word_model_bits(learn, new, 2)
needed["bigram of words"] = by_words.bits_per_byte
needed |= {
    name: compressed_bits(pack, new, learn)
    for name, pack in COMPRESSORS.items()
}
bars(
    needed,
    xlabel="bits per byte of new text",
    title="Every model is a compressor, and the other way round",
    notes={name: f"{value:.2f}" for name, value in needed.items()},
)
spelling = 100 * by_words.spelling / by_words.bits_per_byte
print(f"words: {100 * by_words.unknown_share:.0f} % are unknown,")
print(f"and {spelling:.0f} % of the bits go into spelling them")

# %% [markdown]
# A model of words must also spell the words that it has not met, else its number is a lie: a fifth of the words are unknown here, and spelling them is more than a third of the bits. How to cut text so that nothing is unknown is the
# next chapter's question. And this is what a 5-gram of bytes writes after reading them all:

# %%
speller = NGramModel.train(byte_documents(learn), 5, 256)
written = generate(
    speller, list(b"The ferry "), end=10, max_new_tokens=160, seed=4
)
text = bytes(list(b"The ferry ") + written).decode(errors="replace")
print(textwrap.fill(text, 72))

# %% [markdown]
# ## Play it yourself
#
# Shannon (1951) measured the entropy of English by letting people guess. Now it is your turn: pick the next word, and say how sure you are. You are scored in bits, beside the n-grams and the floor, on the same words.

# %%
from lmcourse.sequences import guessing_game
from lmcourse.widgets.sequences import guessing_game as shannons_game

texts = [
    d for d in source.sample(1_000, seed=22).documents() if 8 <= len(d) <= 13
]
players = {
    "bigram": models["bigram"],
    "trigram": models["trigram"],
    "exact": source,
}
games = guessing_game(texts[:6], players, vocab, top=12)
how_often = models["unigram"].next_probabilities([])
shannons_game(games, dict(zip(vocab, how_often)))

# %% [markdown]
# ## From sequences to sequences
#
# A language model continues a sequence. Many tasks turn one sequence into **another**, of another length: a sentence into its translation, a question into an answer, speech into text. A machine that does so is a
# **transducer**, or a **sequence-to-sequence** model. The simplest one is a table of states and arrows. This one reads digits and writes words:

# %%
machine = number_names()
for step in machine.steps("117"):
    written = " ".join(step.written) or "(nothing)"
    print(f"in state {step.state!r:12} reads {step.read}  writes {written}")
print("\n040 ->", " ".join(machine.transduce("040")))

# %% [markdown]
# Look at the second step: having read a 1 it writes only *and*, because *ten* and *seventeen* cannot yet be told apart. A transducer must sometimes wait, and must remember why. Nobody can write down the table for translation; it has to be learnt from examples, and what it must remember does
# not fit into a fixed number of states. That is the story of this book:
#
# | chapter | question | what it adds |
# |---|---|---|
# | 01 tokens | what are the pieces? | text → ids |
# | 02 embeddings | what does a piece mean? | ids → vectors, with positions |
# | 03 recurrence | what must be remembered? | a state; from one sequence to another through one vector |
# | 04 attention | where in the past is it? | looking back at everything |
# | 05 encoder-decoder | can we do without recurrence? | the Transformer; translation |
# | 06 language model | what if we only continue? | text → text, from end to end |
# | 07 long context | what if the past is very long? | sparse and ring attention |
# | 08 mixture of experts | must every weight work on every token? | a router and many experts |
#
# One more word that you will meet. A language model is **inductive**: it learns a law from some texts and applies it to any other. **Transductive** learning is more modest. Given a few labelled items and many without labels, it labels *just those*
# and promises nothing about others; chapter 02 does so with five labelled words of each kind. (The two words share a root, not a meaning: a transducer transduces one sequence into another.)
#
# ## The distance to the floor
#
# Here is the table that will follow us through the book. Each later chapter adds its models, judged on the same sources: *filler* wrote our sentences, *play* our scenes, and in *preferences* each of 48 verbs has
# its own taste in subjects and objects, some 29,000 probabilities to be learnt. Every row was measured on three samples.

# %%
floor_table(upto="00_sequences")

# %% [markdown]
# ## Summary
#
# - A **language model** is a law for the next token. By the **chain rule** it scores whole texts, and fed with its own output it writes them.
# - **Surprisal** is $-\log p$; its mean is the loss, **cross-entropy**; $e$ to it is the **perplexity**; summed and divided by bytes it is **bits per byte**, which all models can share.
# - **N-gram** models count. The longer the context, the newer, so counts must be **smoothed**; Kneser-Ney does it best here, and from 200,000 tokens two words of context are all that pays.
# - The **entropy** of the source is the floor. On our sentences the trigram stays a fifth above it, on the play 140 %: what it lacks is memory.
# - **Order** is worth 1.7 nats a token to a trigram; a model misled about order is worse than one that ignores it.
#
# **Terms**: [language model](../../book/glossary.md#language-model), [surprisal](../../book/glossary.md#surprisal), [cross-entropy](../../book/glossary.md#cross-entropy), [perplexity](../../book/glossary.md#perplexity), [bits per byte](../../book/glossary.md#bits-per-byte), [n-gram](../../book/glossary.md#n-gram), [smoothing](../../book/glossary.md#smoothing), [entropy](../../book/glossary.md#entropy), [excess](../../book/glossary.md#excess), [transducer](../../book/glossary.md#transducer), [transductive learning](../../book/glossary.md#transductive-learning).
#
# **Simplified here**: our first source knows no world and no style, and its longest memory is a clause. Real corpora have neither a known floor nor a fixed vocabulary.
#
# **Sources**: Shannon (1948), *A Mathematical Theory of Communication*, and (1951), *Prediction and Entropy of Printed English*; Chen and Goodman (1999) on smoothing; Kneser and Ney (1995); Katz (1987); Mohri (1997) on transducers. Full entries in the [references](../../book/references.md).
#
# **Next**: do the [exercises](exercises.ipynb). Then chapter 01 asks what the tokens should be.
