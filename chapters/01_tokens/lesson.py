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
# # Tokens: how a model reads
#
# > *Why does a machine that writes sonnets have trouble counting the letters in "lighthouse"?*
#
# A language model never sees a letter. Before the first number is multiplied, a small program beside the model, the
# **tokenizer**, cuts the text into pieces from a fixed list, the **tokens**, and hands over their numbers, the **ids**. It is
# trained once, before the model; after that the two belong together. What the model can read, how
# long a text seems to it, what a request costs, and which mistakes it is bound to make are all decided there. In this
# chapter you build that program three times: as GPT, as BERT and as T5 have it.
#
# <div class="lesson-header">
#
# **You will be able to** build a byte-pair, a WordPiece and a Unigram tokenizer; choose a vocabulary size with numbers; make batches that a
# model can read; foresee what a tokenizer does to prices, digits and Thai.
#
# **You need** Python, and logarithms. **Time** 40 minutes to read, one to run, two to three hours for the exercises. **Runs on** any CPU;
# one cell uses a GPU where there is one.
#
# </div>

# %%
import random
from collections import Counter

from lmcourse.corpora import osier_bay, osier_bay_names
from lmcourse.figures.charts import bars, curves, histograms
from lmcourse.figures.plots import use_style
from lmcourse.tokens import (
    BPETokenizer,
    CharTokenizer,
    UnigramTokenizer,
    WordPieceTokenizer,
    WordTokenizer,
    plots,
)
from lmcourse.tokens.cost import tokens_per_word

style = use_style()

# %% [markdown]
# ## A text that a model of words cannot read
#
# The course has a small library of its own: *The Osier Bay Papers*, tales, letters, recipes and reports from an island with a
# harbour. We set three documents aside, so that we can see how a tokenizer fares on text it has not met.

# %%
held_out_names = ["diaries", "essays", "tales_08"]
kept_for_later = ["scripts"]  # twenty-one languages
apart = held_out_names + kept_for_later
train = osier_bay([n for n in osier_bay_names() if n not in apart])
held_out = osier_bay(held_out_names)

for name, texts in {"to learn from": train, "held out": held_out}.items():
    print(f"{sum(len(t.split()) for t in texts):,} words {name}")

# %% [markdown]
# The obvious idea is a **vocabulary** of words: list the most frequent ones, number them, and give all others the
# number of one special token, `<unk>`, for *unknown*. Here is such a reader with the 2,000 most frequent words. It goes from text to
# tokens, from tokens to ids, and back:

# %%
words = WordTokenizer.train(train, vocab_size=2000, special_tokens=["<unk>"])
print(words.tokenize("The ferry is late."))
print(words.encode("The ferry is late."))
print(words.decode(words.encode("The ferry is late.")))

# %% [markdown]
# So far, so good. Now a sentence from elsewhere:

# %%
sentence = "The bellfounder's apprentice waded ashore, shivering, at 5.45."
print(" ".join(words.tokenize(sentence)))

# %% [markdown]
# Who did what? The words that carry the news are the rare ones, and rare words are exactly what this reader lacks. A larger list
# helps, but how much?

# %% mystnb={"image": {"alt": "The share of unknown words in unseen text falls from 33 per cent with 250 words to 7 per cent with every word of the training text, where it stops."}}
sizes, unknown = [], []
for size in [250, 500, 1000, 2000, 4000, 8000]:
    reader = WordTokenizer.train(train, size, ["<unk>"])
    ids = [i for text in held_out for i in reader.encode(text)]
    sizes.append(reader.vocab_size)  # the last finds only 6,471 words
    unknown.append(100 * ids.count(reader.vocab["<unk>"]) / len(ids))

curves(
    sizes,
    {"words": unknown},
    xlabel="words in the vocabulary",
    ylabel="unknown in unseen text (%)",
    title="Every word we have is not enough",
    log_x=True,
    y_from=0,
)
print(f"{reader.vocab_size:,} words: {unknown[-1]:.0f} % still unknown")
times_met = Counter(i for text in train for i in reader.encode(text))
once = sum(n == 1 for n in times_met.values())
print(f"{100 * once / reader.vocab_size:.0f} % of the words were met once")

# %% [markdown]
# The curve ends above zero: 7 in 100 of the words and signs of the new text are in no list that the old text could give. Language
# makes new ones daily: names, inflections, typing errors, `5.45`. A list of words is never complete, and each entry costs memory
# although half of them were met once.
#
# ### The other end: characters
#
# Nothing is unknown to a reader of characters (as long as it has met the alphabet). But look at the price.

# %%
chars = CharTokenizer.train(train, vocab_size=200, special_tokens=["<unk>"])
for name, reader in {"words": words, "characters": chars}.items():
    rate = tokens_per_word(reader, held_out)
    print(f"{name:10} {reader.vocab_size:>5,} tokens, {rate:.2f} per word")

# %% [markdown]
# More than four times as many tokens for the same text. A model does its work once per token, and looks back over a limited number of them, so
# a text of four times the length is at least four times as dear, and the model sees a quarter as far. We want something in
# between: frequent words whole, rare words in pieces, nothing ever unknown. Such pieces are called **subwords**, and three
# ways to find them have won.
#
# <details class="checkpoint"><summary>A word-level reader of 2,000 words turns every rare name into <code>&lt;unk&gt;</code>. Why can no amount of <em>training the model</em> repair that?</summary>
#
# The information is gone before the model sees it: two different names have become the same number. What a tokenizer has thrown
# away, nothing behind it can bring back. Hence the first demand on a tokenizer, the **round trip**: `decode(encode(text)) == text`.
# </details>

# %% [markdown]
# ## Byte-pair encoding: merge what stands together
#
# Start with single characters. Find the pair of neighbours that occurs most often, glue it into a new token everywhere, and repeat.
# Philip Gage found this in 1994 to compress files; Sennrich and colleagues brought it to translation in 2016; every GPT has read this way.
# By hand, on three words that occur 5, 3 and 4 times:

# %%
text = {"low": 5, "lower": 3, "slow": 4}


def neighbours(cut_words):
    counts = Counter()
    for pieces, times in cut_words.items():
        for pair in zip(pieces, pieces[1:]):
            counts[pair] += times
    return counts


print(
    neighbours(
        {tuple(word): times for word, times in text.items()}
    ).most_common(3)
)

# %% [markdown]
# `l` and `o` are neighbours 12 times, and so are `o` and `w`. A tie needs a rule (ours: the pair with the smaller ids, which among letters is
# the alphabet), so `lo` becomes a token. Then everything is counted anew, because the merge has changed who stands beside whom. Step through the
# merges of a slightly larger text yourself:

# %%
from lmcourse.tokens import bpe_simple
from lmcourse.widgets.tokens import bpe_steps

small = "the ferry the ferries the ferryman the further the fur the fury of the sea the seas the seaman"
# 256 bytes to start from (the next section says why), then 14 merges
merges = bpe_simple.merge_names(
    bpe_simple.train_bpe_simple(small, vocab_size=256 + 14)
)
word_counts = Counter(" " + word for word in small.split())
bpe_steps(
    {tuple(w.replace(" ", "Ġ")): n for w, n in word_counts.items()}, merges
)

# %% [markdown]
# `Ġ` stands for the space in front of a word. It belongs to the word: `Ġsea` inside a sentence and `sea` at its very start are
# two different tokens. Remember that; it will bite us below.
#
# The whole trainer is a loop around counting and merging. This is its heart, with `merge_pair` left to you as the first exercise:
#
# ```python
# while len(vocabulary) < vocab_size:
#     counts = count_pairs(words)
#     pair = min(counts, key=lambda pair: (-counts[pair], pair))
#     new_id = len(vocabulary)
#     vocabulary.append(vocabulary[pair[0]] + vocabulary[pair[1]])
#     words = [merge_pair(ids, pair, new_id) for ids in words]
# ```
#
# `min` with the count negated finds the most frequent pair and, among equals, the one with the smallest ids. The loop
# recounts everything after each merge. The package has a second version that updates only the counts a merge has touched
# and is many times faster. The two must agree, and both with the trainer that the industry uses:

# %%
import json

import tokenizers as hf

tale = osier_bay(["tales_01"])[0]
size = 256 + 150
slow = bpe_simple.merge_names(bpe_simple.train_bpe_simple(tale, size))
fast = BPETokenizer.train([tale], size)

theirs = hf.Tokenizer(hf.models.BPE())
theirs.pre_tokenizer = hf.pre_tokenizers.ByteLevel(add_prefix_space=False)
alphabet = hf.pre_tokenizers.ByteLevel.alphabet()
trainer = hf.trainers.BpeTrainer(
    vocab_size=size, initial_alphabet=alphabet, show_progress=False
)
theirs.train_from_iterator([tale], trainer)

their_merges = json.loads(theirs.to_str())["model"]["merges"]
assert slow == list(fast.merges) == [tuple(pair) for pair in their_merges]
assert fast.encode(sentence) == theirs.encode(sentence).ids
print("150 merges, three programs, one result. The first of them:")
print(*["".join(pair) for pair in slow[:12]])

# %% [markdown]
# ### Bytes, so that nothing is unknown
#
# Which characters to start from? Unicode knows over 150,000. GPT-2 gave the neat answer, and Gage's: start from **bytes**. Every text in every
# script is a string of bytes in UTF-8, and there are only 256 of them. So the alphabet is complete from the first day.

# %%
for character in "eé水😀":
    raw = character.encode("utf-8")
    print(f"{character} -> {raw.hex(' ')}")

bpe = BPETokenizer.train(train, 2000, ["<pad>", "<bos>", "<eos>"])
odd_texts = [
    "naïve café",
    "水 is water",
    "👩‍🚀",
    "\t\0\r\n",
    "a\u0301 is not á",
]
for odd in odd_texts:
    assert bpe.decode(bpe.encode(odd)) == odd
print("round trips hold; 😀 is", bpe.encode("😀"))

# %% [markdown]
# The four ids of the 😀 are not the values of its bytes. Three special tokens come first in this vocabulary, then the 256 bytes in GPT-2's
# own order, then the merges.

# %% [markdown]
# ### First cut, then merge
#
# One more rule. Left alone, byte-pair encoding would find tokens such as `of the` or `dog.`, wasting entries on every punctuation.
# So the text is first cut by a pattern into words, numbers and signs, and merges never cross a cut. This is
# **pre-tokenization**:

# %%
from lmcourse.tokens import gpt2_words

print(gpt2_words("Ida's ferry left at 5.45, she'll say."))

# %% [markdown]
# Now a real training run. What did 1,741 merges learn from the island's papers?

# %% mystnb={"image": {"alt": "On logarithmic axes the upper edge of the dots falls along a straight line, from over a thousand uses for early merges to ten for the last; many dots hang far below it."}}
longest = sorted(bpe.merges, key=lambda pair: -len("".join(pair)))[1:7]
print("long tokens:", *["".join(pair).replace("Ġ", "·") for pair in longest])
plots.plot_merges(bpe, train)

# %% [markdown]
# The lowest row of dots, drawn at one half, are tokens that are never used. They and the others far below the edge were steps on the way to
# longer tokens, which then took over their places. The scaffolding stays in the vocabulary.
#
# **To encode** a new word, replay the merges: among the pairs present, the merge that was learnt *earliest* goes first, until none applies. Not
# the longest token, not the leftmost pair: the order of training is the law.

# %%
for word in [
    " lighthouse",
    " lighthouses",
    " lighthousekeeperly",
    " Lighthouse",
]:
    print(f"{word!r:24}", [t.replace("Ġ", "·") for t in bpe.tokenize(word)])

# %% [markdown]
# There is the answer to our opening question. The model receives a few numbers for `lighthouse`. That one of them has a `g` in it is nowhere in the
# input; the model can only have picked it up from texts *about* spelling.
#
# <details class="checkpoint"><summary>A byte-level tokenizer with 0 merges and one with 50,000 both pass every round trip. What does the second buy, and what does it pay?</summary>
#
# It buys shorter sequences: fewer steps for the model, and more text within the length it can see. It pays with 50,000 entries that the model must store,
# and among which it must choose at each step. Both are measured below.
# </details>

# %% [markdown]
# ## WordPiece: merge what belongs together
#
# BERT's tokenizer grows its vocabulary in the same way but asks another question. Not "which pair is most frequent?" but "which
# merge makes the training text more likely?" If a text is $N$ independent tokens, gluing $a$ and $b$ gains about
# $\log \frac{N \, \text{count}(ab)}{\text{count}(a)\,\text{count}(b)}$ for each occurrence. Ranking by that gain alone gives the score
#
# $$\text{score}(a, b) = \frac{\text{count}(ab)}{\text{count}(a)\,\text{count}(b)} ,$$
#
# while the total gain would multiply by $\text{count}(ab)$ once more. `q` and `u` are rarer together than `t` and `h`, but they almost never part. The two rules choose quite differently at the start:

# %%
from lmcourse.tokens.wordpiece_train import pair_scores, split_characters

lower = Counter(
    w for text in train for w in text.lower().split() if w.isalpha()
)
cut_words = {tuple(split_characters(w)): n for w, n in lower.items()}
by_count = neighbours(cut_words)
by_score = {
    p: s for p, s in pair_scores(cut_words).items() if by_count[p] >= 50
}
print(
    "by count:",
    *["".join(p).replace("##", "") for p, _ in by_count.most_common(10)],
)
print(
    "by score:",
    *[
        "".join(p).replace("##", "")
        for p in sorted(by_score, key=by_score.get, reverse=True)[:10]
    ],
)

# %% [markdown]
# Without the floor of 50 occurrences the score would crown pairs that occur once. The trainer has such a floor (`min_frequency`). How Google trained
# BERT's vocabulary exactly was never published; the trainer of the same name in Hugging Face's library ranks by count, as
# byte-pair encoding does. What is certain is how BERT *reads*:
#
# 1. clean up: lower case, accents off (in the *uncased* models);
# 2. cut at spaces and punctuation;
# 3. in each word take the **longest piece** the vocabulary has, from the left; every piece after the first carries `##`;
# 4. if that fails anywhere, the whole word is `[UNK]`.

# %%
wordpiece = WordPieceTokenizer.train(
    train, 2000, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
)
for text in ["Lighthouses!", "the unlit café", "水 is water"]:
    ids = wordpiece.encode(text)
    print(
        f"{text!r:18} -> {wordpiece.tokenize(text)} -> {wordpiece.decode(ids)!r}"
    )

# %% [markdown]
# The `##` says "I continue the word before me", so `light` the word and `##light` the ending are two tokens. And the round trip is gone: capitals,
# accents and spaces are lost on purpose. For finding and classifying text, BERT's work, that is a bargain. A model that *writes* cannot
# afford it.

# %% [markdown]
# ## Unigram: start large, throw away
#
# The third way turns the question around. Begin with far too many pieces, every substring that occurs often. Give each a probability, and let a
# text's probability be the product over its pieces. Then remove, again and again, the pieces whose loss hurts the
# text's likelihood least. Kudo (2018) devised it; the library **SentencePiece** made it known (T5, ALBERT and many translation models read so).
#
# SentencePiece treats the text as one raw stream of characters and writes the space as a visible sign, `▁`, like any other character. So it needs
# no rule about where words end, which matters for Japanese or Thai, where no spaces do. (By default a learnt piece may hold a space only at its start.) (SentencePiece is the *library*: it can train
# byte-pair encoding on such a stream too. And the stream is of characters; bytes come in only where an unknown character falls back to them.)

# %%
unigram = UnigramTokenizer.train(train, 2000, ["<pad>", "<unk>", "<eos>"])
print(unigram.tokenize("The lighthouses of the north"))

# %% [markdown]
# It puts a `▁` in front of every text, so that a first word looks like any other. And the round trip? It holds for the characters met in training, and no further:

# %%
for text in ["two  spaces, naïve", "two  spaces, naive"]:
    print(repr(unigram.decode(unigram.encode(text))))

# %% [markdown]
# With `byte_fallback=True` an unknown character becomes its bytes, as in Llama's tokenizer, and the round trip holds again. (SentencePiece itself also
# normalizes the text first, unless told not to: `ﬁ` becomes `fi`, two spaces become one.)
#
# One word, many ways to spell it. Here is every way to spell a small word with the pieces the model has, as paths through a
# lattice; the best path is drawn heavy.

# %% mystnb={"image": {"alt": "The nine signs of ▁seashore with arcs for the pieces that fit. Below and heavy the best path, ▁sea, s, hor, e; above and light the single letters and sh, or, re."}}
plots.plot_lattice("▁seashore", unigram.scores)
print(len(unigram.n_best("seashore", 1000)), "paths in all")

# %% [markdown]
# A word has a few paths, a sentence has millions; yet finding the best is quick. The best way to reach a place ends with *some* piece, and
# what comes before must be the best way to reach that piece's start. With $\text{best}(0) = 0$,
#
# $$\text{best}(j) = \max_{i < j} \; \text{best}(i) + \log p(\text{text}[i{:}j]) ,$$
#
# over those $i$ for which $\text{text}[i{:}j]$ is in the vocabulary. One sweep from left to right: the **Viterbi algorithm**. (Replace the maximum by a sum of
# probabilities and you get the total of *all* paths: exercise 8.) Because the model gives every path a probability, it can also list runners-up and draw at random:

# %%
for pieces, log_p in unigram.n_best("seashore", 4):
    print(f"log p = {log_p:7.2f}  {pieces}")

# %% mystnb={"image": {"alt": "How many pieces 500 sampled spellings have. With alpha 1, 96 per cent have four; with alpha 0.2 about half do, and the tail reaches nine."}}
generator = random.Random(0)
draws = {}
for alpha in [1.0, 0.2]:
    lengths = [
        len(unigram.sample("seashore", alpha, generator)) for _ in range(500)
    ]
    draws[f"alpha = {alpha}"] = Counter(lengths)
histograms(draws, xlabel="pieces", ylabel="draws (%)")

# %% [markdown]
# Training a model on many spellings of the same sentence is called **subword regularization**. `alpha` flattens the distribution: at 1 the
# model's own, towards 0 every path alike. Byte-pair encoding can be made to stumble for the same purpose (BPE-dropout).
#
# How is it trained? By expectation and maximization: with the current probabilities, count how often each piece is *expected* on all paths; set
# the probabilities to those counts; repeat; prune; repeat. With exact counts no such sweep lowers the likelihood of the text; pruning does.
#
# <details class="checkpoint"><summary>Unigram never removes a single character from its vocabulary during pruning. What would happen if it did?</summary>
#
# Some text could no longer be spelled at all: it would become `<unk>`, or fall back to bytes. Single characters are the safety net,
# as the 256 bytes are for GPT.
# </details>

# %% [markdown]
# ## Your own sentence, five ways
#
# Type anything. All five readers run in this page; nothing is sent anywhere. Try a rare word, a number, a trailing space, another script.

# %%
from lmcourse.widgets.tokens import tokenizer_lab

tokenizer_lab(
    {
        "characters": chars,
        "words": words,
        "BPE": bpe,
        "WordPiece": wordpiece,
        "Unigram": unigram,
    },
    "The lighthouse keeper's café opens at 7.30, unseasonably early.",
)

# %% [markdown]
# ## How large a vocabulary?
#
# More tokens to choose from make a text shorter. We can measure how much shorter, on text the tokenizers have not seen.

# %% mystnb={"image": {"alt": "Tokens per word against vocabulary size for three tokenizers: all fall from more than 2 at 500 tokens to about 1.5 at 4,000, and most of the fall comes before 2,000."}}
grid = [500, 1000, 2000, 4000]
kinds = {
    "BPE": BPETokenizer,
    "WordPiece": WordPieceTokenizer,
    "Unigram": UnigramTokenizer,
}
rates = {}
for name, kind in kinds.items():
    readers = [kind.train(train, size) for size in grid]
    rates[name] = [tokens_per_word(reader, held_out) for reader in readers]

curves(
    grid,
    rates,
    xlabel="vocabulary size",
    ylabel="tokens per word, unseen text",
    title="A larger vocabulary shortens the text, ever more slowly",
    log_x=True,
    y_from=1,
)

# %% [markdown]
# Compare with care. WordPiece drops spaces and capitals, so it has less to spell; and its floor `min_frequency`, which the trainer chooses anew for each size,
# makes its line bend.
#
# Against the shorter text stands the price of the table. A vocabulary of $V$ tokens in a model of width $d$ needs an **embedding matrix** of $V \cdot d$ numbers,
# one row a token, which chapter 02 is about. Looking up a row is a copy and costs nothing to speak of. But at the other end, the
# model gives a score to *every* token of the vocabulary, for each token it reads or writes: $V \cdot d$ multiply-adds each time, in what is called the **output layer**. The layers between are stacked in $B$ equal **blocks**. For a text of $t$ tokens:
#
# $$\text{output layer} = t \cdot V \cdot d, \qquad \text{blocks} \approx t \cdot 12\, B\, d^2 .$$
#
# (Chapter 05 counts the 12, and the attention scores that are left out here, which grow with $t^2$.)

# %%
from lmcourse.widgets.tokens import vocab_tradeoff

rows = []
for size in [300, 400, 500, 700, 1000, 1400, 2000, 2800, 4000, 5600]:
    reader = BPETokenizer.train(train, size)
    rows.append({"vocab_size": size, "BPE": tokens_per_word(reader, held_out)})
vocab_tradeoff(rows, d_model=64, n_blocks=2)

# %% [markdown]
# In this small model, of width 64 with two blocks, the work is least at 700 tokens, and the table is a third of all parameters. Set the width to 768 and the
# blocks to 12: now the blocks outweigh the table, and the largest vocabulary on offer wins. One reason why vocabularies have grown together with models: 30,000 in
# BERT, 100,000 in GPT-4.
#
# Do real machines agree with the formula? The next cell measures lookup and output layer on the device at hand, a GPU if there is one.

# %% tags=["gpu", "nbval-ignore-output"]
import torch

from lmcourse.tokens import cost

device = "cuda" if torch.cuda.is_available() else "cpu"
sizes = [1_000, 4_000, 16_000] + ([64_000] if device == "cuda" else [])
measured = cost.measure(vocab_sizes=sizes, device=device)
if device == "cuda":
    print(cost.table(measured))
small, large = measured[0], measured[-1]
print(f"with {large.vocab_size // small.vocab_size} times the vocabulary,")
slower = large.output_seconds / small.output_seconds
print("the output layer takes at least 4 times as long:", slower > 4)
slower = large.lookup_seconds / small.lookup_seconds
print("the lookup takes less than 4 times as long:     ", slower < 4)

# %% [markdown]
# <details class="checkpoint"><summary>You double the vocabulary and tokens per word fall from 1.30 to 1.22. In a model whose output layer is 5 % of the work per token, is that cheaper per text?</summary>
#
# Work per token rises from 1 to 1.05, tokens fall to 1.22 / 1.30 = 0.938. Together 0.985: a little cheaper. At 10 % it would
# be 1.03, and dearer. The balance depends on the rest of the model, which exercise 7 lets you find.
# </details>

# %% [markdown]
# ## Tokens that are not text
#
# Some tokens stand for no text at all. They are signals to the model:
#
# | token | job | in BERT |
# |---|---|---|
# | `<pad>` | fills short sequences up to the length of a batch | `[PAD]` |
# | `<bos>` | "a text begins" | `[CLS]` (its output also serves to classify) |
# | `<eos>` | "a text ends"; a model that generates it has finished | `[SEP]` (between two texts, too) |
# | `<unk>` | what the vocabulary cannot spell; byte-level tokenizers need none | `[UNK]` |
# | `[MASK]` | "guess what stood here" | `[MASK]` |
#
# A tokenizer must never split them, and no merge may produce them. But a text that someone types can contain them:

# %%
print(bpe.tokenize("The end.<eos>"))
print(bpe.tokenize("The end.< eos>"))

# %% [markdown]
# The first line is also a warning. If a *user* may type `<eos>` and have it understood as the signal, they can forge the structure of a conversation.
# Services therefore encode what users type with special tokens switched off.
#
# BERT was trained on *pairs* of sentences, framed by its special tokens, with some words hidden behind `[MASK]`:

# %%
pair = "[CLS] where is the [MASK]? [SEP] it left at seven. [SEP]"
print(wordpiece.tokenize(pair))
print(wordpiece.encode(pair))

# %% [markdown]
# <details class="checkpoint"><summary>A model never produced <code>&lt;eos&gt;</code> during training, because nobody put it at the end of the texts. What will it do when it generates?</summary>
#
# It will never stop by itself. It goes on until `max_new_tokens` is reached, often drifting to another subject where a text should have ended. The end of a text is
# something to be learnt, like any other token.
# </details>

# %% [markdown]
# ## From text to a batch
#
# Models read rectangles: several sequences at once, all of one length. Short ones are **padded**, long ones **truncated**, and a second table, the
# `attention_mask`, says which entries are real (1) and which are filling (0). The numbers themselves are called `input_ids`.

# %%
from lmcourse.tokens import pad_batch

notes = [
    "The tide turned.",
    "No ferry today.",
    "Hal saw a light beyond the breakwater, twice.",
]
batch = pad_batch(
    [bpe.encode(note) for note in notes],
    pad_id=bpe.vocab["<pad>"],
    max_length=9,
)
print(batch.input_ids)
print(batch.attention_mask)

# %% mystnb={"image": {"alt": "Two grids of three rows: with padding on the right the filled cells stand to the left, with padding on the left they stand to the right, so that new tokens follow the text directly."}}
encoded = [bpe.encode(note) for note in notes]
pad = bpe.vocab["<pad>"]
batches = {
    f"padding on the {side}": pad_batch(
        encoded, pad, padding_side=side, max_length=9
    )
    for side in ["right", "left"]
}
plots.plot_batches(batches, bpe)

# %% [markdown]
# For *training* the side hardly matters, as long as the mask is right. For *generating* it does: new tokens are appended at the right end, so the filling must
# be on the left, or the model would continue after a gap.
#
# Careful people build the mask from lengths. Careless ones write `input_ids != pad_id`, which fails as soon as the padding token has another job too, as in
# GPT-2, where the one special token serves as both.

# %% [markdown]
# ## Why token counts matter
#
# Cost, speed and memory are all counted in tokens. A model with a **context length** of 1,024 tokens has room for 1,024 tokens *together*: what you send **and** what
# it writes. `max_new_tokens` limits the second part.

# %%
context_length, max_new_tokens = 1024, 256
room = context_length - max_new_tokens
letters = osier_bay(["letters"])[0]
for name, reader in {"characters": chars, "BPE": bpe}.items():
    n = len(reader.encode(letters))
    print(f"{name:10} {n:>6,} tokens, of which {100 * room / n:.0f} % fit")

# %% [markdown]
# Every layer does its work for every token, so time grows with tokens, too; and so does the bill, since services charge by the token. Here are two layers of a
# Transformer (chapter 05 builds them) on the device at hand:

# %% tags=["nbval-ignore-output"]
seconds = cost.layer_seconds([256, 1024], device=device)
print("4 times the tokens take more than twice as long:", end=" ")
print(seconds[1024] > 2 * seconds[256])

# %%
price = 2.00  # dollars for a million tokens, to have a number
for name, reader in {"characters": chars, "BPE": bpe}.items():
    million = sum(len(reader.encode(text)) for text in train) / 1e6
    print(
        f"reading the island's papers by {name}: {price * million:.2f} dollars"
    )

# %% [markdown]
# And when `max_new_tokens` is reached, the text stops, wherever it is. Not at a sentence, not at a word, and with byte-level tokens not even at a character:

# %%
answer = bpe.encode("Doctor Fenn said: naïve 😀")
for cut in (2, len(answer) - 1):
    print(repr(bpe.decode(answer[:cut])))

# %% [markdown]
# The `�` is not in the text. It is what half a character looks like. A chat window that shows tokens as they come has to hold such bytes back until
# they are complete: exercise 5. A text that breaks off is no sign of a confused model: look at the limit first.

# %% [markdown]
# ## What goes wrong
#
# Four habits of tokenizers explain many odd mistakes of language models.
#
# **Numbers.** Which digits form a token depends on which numbers were frequent in training.

# %% mystnb={"image": {"alt": "A grid of the years 2000 to 2049 and how each is cut: 2023 is one token, 2010 two, 2013 three, with no order that a reader could use."}}
plots.plot_years(bpe, first=2000, decades=5)

# %% [markdown]
# To count the years from 2013 to 2023 a model must know what three fragments are worth together, and that one token is ten more. Newer tokenizers cut numbers
# into groups of at most three digits (GPT-4) or single digits (Llama 2), so that numbers of equal length are cut alike.
#
# **Trailing spaces.** The space belongs to the *next* word. If a prompt ends with one, the model has to continue a lonely space that it rarely met in training:

# %%
print(bpe.tokenize("The ferry leaves"), "then", bpe.tokenize(" at"))
print(bpe.tokenize("The ferry leaves "), "then", bpe.tokenize("at"))

ids = [i for text in train for i in bpe.encode(text)]
space, at = bpe.vocab["Ġ"], bpe.vocab["at"]
met = sum(pair == (space, at) for pair in zip(ids, ids[1:]))
print(f"in {len(ids):,} tokens of training text, a lone space comes")
print(f"{ids.count(space)} times, and {met} times before 'at'")

# %% [markdown]
# The same sentence, in an order of tokens that the model has not met.
#
# **Rare words** fall into fragments that mean nothing by themselves (`lighthousekeeperly` above), and a typing error turns a familiar token into unfamiliar
# ones. Worse are tokens that stand in the vocabulary and hardly ever in the model's training text: their vectors stay almost as random as they began, and a model that
# is shown one may answer with nonsense. Bad cuts are one cause of what is called hallucination; they are not the only one.
#
# **Other scripts** pay more. The same message in ten languages, cut by our tokenizer that learnt from English only:

# %% mystnb={"image": {"alt": "Tokens for one short sentence in ten languages under a tokenizer that learnt from English: Chinese, Finnish and German need about three times as many as English, Japanese about five times, Greek, Hindi, Thai, Russian and Arabic about seven times."}}
same_message = {
    "English": "The ferry leaves at seven in the morning.",
    "German": "Die Fähre fährt um sieben Uhr morgens ab.",
    "Finnish": "Lautta lähtee kello seitsemän aamulla.",
    "Chinese": "渡轮早上七点开。",
    "Japanese": "フェリーは朝の七時に出ます。",
    "Greek": "Το πλοίο φεύγει στις επτά το πρωί.",
    "Arabic": "تغادر العبارة في الساعة السابعة صباحا.",
    "Russian": "Паром отправляется в семь часов утра.",
    "Hindi": "नाव सुबह सात बजे चलती है।",
    "Thai": "เรือออกเวลาเจ็ดโมงเช้า",
}
needed = {name: len(bpe.encode(text)) for name, text in same_message.items()}
times = {name: f"{n / needed['English']:.1f} x" for name, n in needed.items()}
bars(needed, xlabel="tokens", title="One message, ten prices", notes=times)

# %% [markdown]
# Two causes stack up. UTF-8 spends two or three bytes on each letter of these scripts, and the merges were learnt from English, so hardly any of them apply. Tokenizers of real
# models show the same slope; across many more languages, the same text can need up to 15 times as many tokens (Petrov et al., 2023).

# %% [markdown]
# ## The tokenizers of real models
#
# Most models on the Hugging Face hub come with their tokenizer in one file, `tokenizer.json`. Ours are written to the same format, so other libraries read them, and
# `load_pretrained` reads theirs.

# %%
from lmcourse.tokens import PUBLISHED

for name, facts in PUBLISHED.items():
    print(f"{facts.vocab_size:>8,}  {facts.kind:24} {name}")
    print(f"{'':10}{facts.source}")

# %% [markdown]
# Set `RUN_WITH_NETWORK = True`, and the next cell fetches them (once) and shows size, special tokens and the same text as each of them cuts it.
#
# <details class="checkpoint"><summary>GPT-2 (small) has 50,257 tokens, vectors of width 768, and 124 million parameters in all. How large a share is its embedding matrix?</summary>
#
# 50,257 · 768 = 38.6 million, 31 %. It serves as output layer too (the two are *tied*), else it would count twice.
# </details>

# %% tags=["network"]
from lmcourse.tokens import compare, load_pretrained

RUN_WITH_NETWORK = False  # set to True to download about 30 MB
if RUN_WITH_NETWORK:
    loaded = {name: load_pretrained(name) for name in PUBLISHED}
    for row in compare(
        loaded, "The lighthousekeeper's café: 12345 + 6789 = 😀"
    ):
        print(row)
else:
    print("not fetched: RUN_WITH_NETWORK is False")

# %% [markdown]
# ## Summary
#
# - A **tokenizer** stands beside the model. It turns text into `input_ids` from a fixed vocabulary, and back. What it loses, the model never sees.
# - Words leave the rare unknown; characters make texts long. **Subwords** give frequent words a token and spell rare ones.
# - **Byte-pair encoding** merges the most frequent pair and replays its merges in order; on bytes, nothing is unknown. **WordPiece** reads by longest match with `##`.
#   **Unigram** keeps a probability for each piece, finds the best cut by Viterbi, and can sample others.
# - A larger vocabulary shortens the text with diminishing returns, and pays with $V \cdot d$ parameters and $V \cdot d$ multiply-adds a token at the output.
# - `attention_mask` tells text from padding; pad on the left to generate. Context length counts what is generated.
# - Digits, trailing spaces, rare words and other scripts are where tokenization shows through.
#
# **Terms**: [token](../../book/glossary.md#token), [tokenizer](../../book/glossary.md#tokenizer), [vocabulary](../../book/glossary.md#vocabulary), [subword](../../book/glossary.md#subword), [byte-pair encoding](../../book/glossary.md#byte-pair-encoding), [merge](../../book/glossary.md#merge), [byte level](../../book/glossary.md#byte-level), [pre-tokenization](../../book/glossary.md#pre-tokenization), [WordPiece](../../book/glossary.md#wordpiece), [continuation piece](../../book/glossary.md#continuation-piece), [Unigram](../../book/glossary.md#unigram), [SentencePiece](../../book/glossary.md#sentencepiece), [fertility](../../book/glossary.md#fertility), [special token](../../book/glossary.md#special-token), [`input_ids`](../../book/glossary.md#input_ids), [`attention_mask`](../../book/glossary.md#attention_mask), [padding](../../book/glossary.md#padding), [truncation](../../book/glossary.md#truncation), [context length](../../book/glossary.md#context-length), [`max_new_tokens`](../../book/glossary.md#max_new_tokens).
#
# **Simplified here**: our vocabularies have 2,000 tokens and learnt from 50,000 words; real ones have 30,000 to 250,000 and learnt from gigabytes. The algorithms are the same.
#
# **Sources**: Gage (1994), *A New Algorithm for Data Compression*; Sennrich, Haddow and Birch (2016) for byte-pair encoding; Radford et al. (2019) for bytes;
# Schuster and Nakajima (2012) and Devlin et al. (2019) for WordPiece; Kudo (2018) for Unigram and sampling; Kudo and Richardson (2018) for SentencePiece; Petrov et al. (2023) on
# languages. Full entries in the [references](../../book/references.md).
#
# **Next**: do the [exercises](exercises.ipynb). Then chapter 02 asks what the model does first with each number: it looks up a vector.
