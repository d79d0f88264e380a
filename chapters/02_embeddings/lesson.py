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
# # Embeddings: what a token means, and where it stands
#
# > *King minus man plus woman. How could a machine that was only given numbers ever come to answer "queen"?*
#
# The tokenizer hands the model ids, and an id is only a name: token 7 is not more than token 6, and no nearer to it than to token 70. Before a model can compute, each id must become something
# that can be *near* something else. It becomes a **vector**, its **embedding**. In this chapter you make such vectors in four ways, find out what is in them and what cannot be,
# and give them something that they lack by nature: a place in the sentence.
#
# <div class="lesson-header">
#
# **You will be able to** train word vectors by counting and by predicting, and say how the two are one; test what vectors hold; tell static from
# contextual embeddings; give a model word order in six ways and say which of them survive longer texts.
#
# **You need** chapter 00, vectors and matrices, gradients. **Time** 50 minutes to read, one or two to run, three to four hours for the exercises. **Runs on** any CPU;
# one cell uses a GPU where there is one.
#
# </div>

# %%
import numpy as np
import torch
from scipy.sparse import csr_array

from lmcourse.corpora import families
from lmcourse.embeddings import (
    GloVeConfig,
    Word2VecConfig,
    WordVectors,
    analogy,
    answer_analogies,
    cooccurrence,
    keep_probability,
    lookup,
    lookup_gradient,
    one_hot,
    pca_map,
    plots,
    pmi,
    ppmi,
    train_glove,
    train_word2vec,
    truncated_svd,
    tsne_map,
)
from lmcourse.figures.charts import bars, curves
from lmcourse.figures.plots import use_style

style = use_style()

# %% [markdown]
# ## A row for each token
#
# The honest way to write a name as a vector is **one-hot**: as many entries as there are tokens, a single one among zeros. It claims nothing: any two tokens are at a right angle, *cat* as far from *cats* as from
# *yesterday*. To give the model room for likeness we multiply by a matrix $E$ with one row for each token, and let training find the rows. The product of a one-hot vector and a matrix is one of its
# rows. So nobody multiplies; the row is looked up.

# %%
E = torch.tensor(
    [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6], [0.7, 0.8]]
)  # 4 tokens, 2 dimensions
ids = torch.tensor([2, 0, 2])
print(one_hot(ids, vocab_size=4))
print(one_hot(ids, vocab_size=4).float() @ E)
assert torch.equal(one_hot(ids, 4).float() @ E, lookup(E, ids))

# %% [markdown]
# What does training do to $E$? The gradient of a lookup is as sparse as the lookup: a row that was read gets the gradient of what it was used for, a row that was read twice gets the sum, and all others get nothing. A token that never comes keeps its random vector for ever.

# %%
used_for = torch.tensor(
    [[1.0, 0.0], [0.0, 5.0], [10.0, 0.0]]
)  # gradients of the three rows
print(lookup_gradient(used_for, ids, vocab_size=4))

# %% [markdown]
# <details class="checkpoint"><summary>GPT-2's matrix has 50,257 rows of 768. How many numbers does one step of training change, if the batch holds 1,000 different tokens and plain gradient descent is used?</summary>
#
# 768,000 of 38.6 million, one in fifty. (Optimizers with momentum go on moving a row after it was read, and a tied output layer gives every row a gradient at every step.)
# </details>
#
# ## A word by its company
#
# Where should meaning come from, if nobody writes it down? From use: words that stand in the same company mean something similar (Harris, 1954). To see whether that works we need texts of which we know the answer. Here is a
# source with 32 lexemes in four forms each. Verbs and articles show a form's number, adjectives its gender (*-o* or *-a*, as in Italian), and each lexeme has two things that only its family deals with.

# %%
source = families()
vocab = source.vocab
corpus = source.sample(150_000, seed=0)
print(corpus.text(36))
print(f"\n{len(corpus):,} tokens, {len(vocab)} words")

# %% [markdown]
# A **window** moves over the text. Each word in its middle is a *centre*, each word within reach a *context*. Move it:

# %%
from lmcourse.widgets.embeddings import rope_dials, window_pairs, word_map

frequency = np.bincount(corpus.ids, minlength=len(vocab)) / len(corpus)
keep = dict(zip(vocab, keep_probability(frequency, threshold=1e-2)))
window_pairs(["every", "bela", "queen", "needs", "the", "crown", "."], keep)

# %% [markdown]
# All pairs together make a table: how often did word $j$ stand within the window of word $i$? (Near words count more: at distance $s$ in a window of 5 a meeting counts $(6 - s)/5$, as if
# windows of all sizes up to 5 had been tried.)

# %% mystnb={"image": {"alt": "Counts of king, queen, kings and queens, of man and women, beside seven context words: the adjectives fino and fina follow gender, needs and need follow number, crown is met by the four royal forms alike and never by man or women."}}
X = cooccurrence(
    corpus.ids, corpus.starts, len(vocab), window=5, weighting="dynamic"
)
index = {word: i for i, word in enumerate(vocab)}
forms = ["king", "queen", "kings", "queens", "man", "women"]
contexts = ["fino", "fina", "needs", "need", "crown", "street", "the"]
table = X[[index[w] for w in forms]][:, [index[w] for w in contexts]].toarray()
plots.plot_matrix(
    table,
    rows=forms,
    columns=contexts,
    digits=0,
    title="How often the words meet",
    xlabel="context",
)

# %% [markdown]
# Read the rows. *King* and *queen* share *crown* and *needs*, and differ in *fino* and *fina*. Each row is already a vector, and a telling one; it is only long, and it is ruled by words such as *the*, which stand beside everything and say nothing.
# So we ask not how often two words meet but how much more often than by chance. That is their **pointwise mutual information**:
#
# $$\text{PMI}(i, j) = \log \frac{P(i, j)}{P(i)\,P(j)}.$$

# %%
total = X.sum()
i, j = index["king"], index["crown"]
together = X[i, j] / total
alone = (X[i].sum() / total) * (X[:, j].sum() / total)
print(f"king and crown: weight {X[i, j]:.0f}, by chance {alone * total:.1f}")
print(f"PMI = log {together / alone:.1f} = {np.log(together / alone):.2f} nats")
assert np.isclose(np.log(together / alone), pmi(X)[i, j])

# %% [markdown]
# What is below zero is mostly noise, and set to zero: **PPMI**. (Rare contexts get too much of it; raising their counts to the power 0.75 in $P(j)$ mends that.) To make the rows short, keep the few directions in which they vary most: a **singular value decomposition**, cut off at $d$ dimensions.

# %%
counted, _ = truncated_svd(ppmi(X, context_power=0.75), d=24)
by_counting = WordVectors(counted, vocab)
for word in ["queen", "crown", "fina"]:
    near = ", ".join(f"{w} {c:.2f}" for w, c in by_counting.neighbours(word, 4))
    print(f"{word:6} {near}")

# %% [markdown]
# Nearness is measured by the **cosine**, the dot product divided by both lengths: 1 for the same direction, 0 for a right angle. Lengths are left out because they mostly say how frequent a word is.
#
# Now the question from the top. If the step from *man* to *woman* is the same as that from *king* to *queen*, then

# %%
for a, b, c in [("man", "woman", "king"), ("king", "kings", "witch")]:
    print(f"{c} - {a} + {b} = {analogy(by_counting, a, b, c)[0][0]}")
nearest = analogy(by_counting, "man", "woman", "king", exclude=False)[0][0]
print(f"and if the question's own words may be the answer: {nearest}")

# %% [markdown]
# The last line asks more than is usual. Most tests exclude the three words of the question from the answers, for in vectors of real text one of them is often nearest to the point that was reached; published analogies owe some of their success to
# this rule (Rogers et al., 2017). Here it is hardly needed. One look at why: take the mean step from masculine to feminine in 24 lexemes, and measure how far along it the words of the *other* eight stand.

# %% mystnb={"image": {"alt": "Sixteen words of eight lexemes along the mean step from masculine to feminine: all masculine forms stand at one height, all feminine forms at another, and eight arrows of the same length lead up."}}
singular = [(lexeme.masculine, lexeme.feminine) for lexeme in source.lexemes]
others, shown = singular[8:], singular[:8]
rows = dict(zip(vocab, by_counting.matrix))
step = np.mean([rows[b] - rows[a] for a, b in others], axis=0)
along = {
    w: rows[w] @ step / np.linalg.norm(step) for pair in shown for w in pair
}
plots.plot_steps(
    along,
    shown,
    "One step, taken from eight places",
    ylabel="how far along the step",
)

# %% [markdown]
# <details class="checkpoint"><summary>Why does this source make the analogy exact, and why would English not?</summary>
#
# Here each neighbour tells exactly one feature: adjectives gender, verbs number, things the lexeme. So *queen* − *king* is the same difference in every lexeme, column by column. In English, queens and women
# do different things, and the step from one word to its partner differs from pair to pair.
# </details>
#
# ## Or predict
#
# Counting needs the whole table. **Word2vec** (Mikolov et al., 2013) never writes it down. It walks through the text and asks each centre word to predict its contexts. A full prediction over the vocabulary would be dear, so the question is made easier: *which of these few words really stood
# here?* One is the true context; the other $k$ are **negative samples**, drawn at random. Each word has two vectors, $v$ as a centre and $u$ as a context, and with $\sigma$ the logistic function the loss of a pair is
#
# $$-\log \sigma(v_i \cdot u_j) - \sum_{n=1}^{k} \log \sigma(-v_i \cdot u_n).$$
#
# By hand, with one negative: a centre whose vector has product 2 with the true context and product −1 with a random word.


# %%
def sigma(x):
    return 1 / (1 + np.exp(-x))


print(f"true context: -log s(2) = {-np.log(sigma(2)):.3f}")
print(f"noise:        -log s(1) = {-np.log(sigma(1)):.3f}")

# %% [markdown]
# This is **skip-gram**. Turned round, with the mean of the contexts predicting the centre, it is **CBOW**. Two tricks belong to both. Negatives are drawn with probability proportional to $\text{count}^{3/4}$, so that rare words come a little more often than they would. And frequent words can be thinned out of
# the text (**sub-sampling**, a switch in the figure above), which saves work and lets windows reach further: a word of relative frequency $f$ is kept with probability $\min(1, \sqrt{t/f} + t/f)$. In a world of 222 words, where articles carry the number, we train without it.

# %%
for word in [".", "the", "need", "king"]:
    share = 100 * frequency[index[word]]
    print(
        f"{word:5} {share:4.1f} % of the text, kept with p = {keep[word]:.2f}"
    )

# %%
config = Word2VecConfig(d=24, window=5, negatives=5, epochs=6, seed=0)
skipgram = train_word2vec(corpus.ids, corpus.starts, len(vocab), config)
by_predicting = WordVectors(skipgram.inputs, vocab)
for word in ["queen", "crown", "fina"]:
    near = ", ".join(
        f"{w} {c:.2f}" for w, c in by_predicting.neighbours(word, 4)
    )
    print(f"{word:6} {near}")

# %% [markdown]
# Nobody wrote down a table, and the vectors know the same features: her own family, and what is feminine. Is it the same knowledge? Levy and Goldberg (2014) showed that it must be. If each word had as many dimensions as it likes, the best product of a
# centre and a context would be $v_i \cdot u_j = \text{PMI}(i, j) - \log k$, with the noise law in place of $P(j)$. So skip-gram factorizes a close relative of the matrix that we factorized (not cut off at zero, shifted by $\log k$, frequent pairs weighing more), entry by entry as it reads. Let us see:

# %% mystnb={"image": {"alt": "Dot products of trained skip-gram vectors against pointwise mutual information minus log k, for pairs met at least fifty times: a narrow cloud along the diagonal."}}
scores = skipgram.inputs @ skipgram.outputs.T
theory = pmi(X, context_power=0.75).toarray() - np.log(config.negatives)
often = X.toarray() >= 50
plots.plot_agreement(
    theory[often],
    scores[often],
    xlabel="PMI - log k, counted",
    ylabel="v · u, learnt",
    title="Skip-gram learns what counting finds",
)
print(f"correlation {np.corrcoef(theory[often], scores[often])[0, 1]:.2f}")

# %% [markdown]
# **GloVe** (Pennington et al., 2014) stands between the two: it counts first, and then fits $v_i \cdot u_j + b_i + b'_j$ to $\log X_{ij}$ by gradient descent, with a weight $\min(1, (X_{ij}/x_{\max})^{3/4})$, so that rare meetings,
# which are mostly chance, count for little. Pairs that never met are left out, since $\log 0$ is no number. Keep that in mind for a moment.
#
# ## The same probe for all
#
# Now a fair comparison. Same text, same window, 24 dimensions, and one question: of all analogies of gender and number in our 32 lexemes, how many are answered exactly?

# %%
questions = source.analogies("gender") + source.analogies("number")
print(f"{len(questions):,} questions, such as {' : '.join(questions[40])}")


def accuracy(matrix):
    return answer_analogies(WordVectors(matrix, vocab), questions).accuracy


by_distance = cooccurrence(
    corpus.ids, corpus.starts, len(vocab), window=5, weighting="inverse"
)
glove = GloVeConfig(d=24, epochs=50, x_max=10)
cbow = Word2VecConfig(d=24, epochs=6, architecture="cbow")
vectors = {
    "counts, PPMI + SVD": counted,
    "skip-gram": skipgram.inputs,
    "CBOW": train_word2vec(corpus.ids, corpus.starts, len(vocab), cbow).inputs,
    "GloVe": train_glove(by_distance, glove).vectors,
    "GloVe, counts + 1": train_glove(
        csr_array(by_distance.toarray() + 1), glove
    ).vectors,
}

# %% mystnb={"image": {"alt": "Share of analogies answered exactly at 24 dimensions: counts, skip-gram and CBOW and GloVe on counts plus one all near 100 per cent; plain GloVe at less than half."}}
right = {name: 100 * accuracy(matrix) for name, matrix in vectors.items()}
bars(
    right,
    xlabel="analogies answered exactly (%)",
    title="Who knows that a queen is never fino?",
    notes={name: f"{value:.0f}" for name, value in right.items()},
)

# %% [markdown]
# Counting and predicting know the same. The odd one out is instructive: what tells *queen* from *king* is above all what she **never** stands beside, and plain GloVe does not look at pairs that never met. Adding one to every count lets it see absence, and
# the gap closes. (The paper's $x_{\max} = 100$ is for billions of words; with it, plain GloVe does still worse here.) In a large natural text far more pairs have met by accident, and GloVe's neglect hurts less. When one method beats another, look for the detail before you credit the idea; Levy et al. (2015) found most differences between these methods to be of this kind.
#
# <details class="checkpoint"><summary>Negative samples are drawn at random. How does skip-gram then learn that <em>queen</em> and <em>fino</em> do not meet?</summary>
#
# *Fino* is sometimes drawn as noise for *queen* and never comes as her true context, so their product is only ever pushed down. Each negative is a small lesson in absence.
# </details>
#
# ### How many dimensions?
#
# The gender and number of four forms and 32 lexemes have to fit side by side. With too few dimensions they cannot:

# %% mystnb={"image": {"alt": "Share of analogies answered against dimension for counting and for skip-gram: close to zero up to 4 dimensions, 20 to 50 per cent at 8, nearly all from 12 or 16 on, then flat."}}
dimensions = [2, 4, 6, 8, 12, 16, 24, 48]
by_d = {"counts": [], "skip-gram": []}
for d in dimensions:
    by_d["counts"].append(
        100 * accuracy(truncated_svd(ppmi(X, context_power=0.75), d)[0])
    )
    trained = train_word2vec(
        corpus.ids, corpus.starts, len(vocab), Word2VecConfig(d=d, epochs=6)
    )
    by_d["skip-gram"].append(100 * accuracy(trained.inputs))
curves(
    dimensions,
    by_d,
    xlabel="dimensions d",
    ylabel="analogies answered exactly (%)",
    title="Up to the knee every dimension counts, behind it none",
    log_x=True,
    y_from=0,
)

# %% [markdown]
# The knee is where the features fit, near 12 here. Behind it more dimensions buy nothing and cost a row of numbers for each token. Real models have far more to keep apart: 768 numbers for each token in GPT-2, 12,288 in GPT-3.
#
# ### Walk through the map
#
# Twenty-four dimensions cannot be drawn. A map keeps what it can: **PCA** projects onto the directions of largest variance, **t-SNE** bends space so that neighbours stay neighbours. Choose a word and compare its neighbours on the map with its true ones.

# %%
features = source.forms()
known = [word for word in features if word in index]
points = skipgram.inputs[[index[w] for w in known]]
word_map(
    by_predicting,
    {w: f"{features[w]['gender']} {features[w]['number']}" for w in known},
    {"PCA": pca_map(points).points, "t-SNE": tsne_map(points)},
    chosen="queen",
)

# %% [markdown]
# On a t-SNE map only small distances mean something. How large a group is drawn, and how far from the next, is the method's doing.
#
# ## One word, two meanings
#
# All these vectors are **static**: one word, one vector, in every sentence. In the sentences of chapter 00, a *bat* is an animal in some and a thing in others, and *watch* is a noun or a verb. One vector cannot be both; it is some average of the two. A **contextual** embedding is computed anew in each sentence, from the word and from what came before
# it. To make one we borrow an instrument that chapters 04 to 06 will take apart, a small Transformer with two layers. It is trained to predict the next word, and nothing else.

# %% tags=["nbval-ignore-output"]
from lmcourse.corpora import filler
from lmcourse.embeddings import (
    ProbeConfig,
    hidden_states,
    row_index,
    sense_probe,
    train_probe,
)
from lmcourse.training import TrainConfig

sentences = filler()
lexicon = sentences.vocab
reading = sentences.sample(200_000, seed=1)
probe, history = train_probe(
    ProbeConfig(len(lexicon)),
    reading.ids,
    32,
    TrainConfig(steps=400, batch_size=16, lr=5e-3),
    progress=False,  # a few seconds
)
print(f"loss at the end: {np.mean(history.loss[-50:]):.2f} nats")
print(f"floor: {sentences.entropy_per_token:.2f} nats")

# %% [markdown]
# Now the question to the vectors: *which sense?* A **probe** answers, the plainest of classifiers (logistic regression), trained on some occurrences and tested on others. The source knows the true sense of each. Two yardsticks: always guessing the more frequent sense, and the ceiling, what anyone could know who
# has read up to this word.

# %% tags=["nbval-ignore-output"]
unseen = sentences.sample(60_000, seed=2)
# Rows of 33 tokens: a first one that is given, and 32 to be guessed.
places = row_index(unseen.starts, len(unseen), 32)
rows = unseen.tensor()[torch.from_numpy(places)]
certainty = sentences.sense_certainty(unseen)

sense_of = {}
for word in ["watch", "bat"]:
    row, column = np.nonzero(unseen.ids[places] == lexicon.index(word))
    kept = np.flatnonzero(column > 0)[:400]
    where = np.stack([row[kept], column[kept]], axis=1)
    at = places[where[:, 0], where[:, 1]]
    states = hidden_states(probe, rows, where)
    results = [sense_probe(s, unseen.senses[at]) for s in states]
    sense_of[word] = {
        "always the likelier": results[0].majority,
        "one static vector": results[0].accuracy,
        "after layer 1": results[1].accuracy,
        "after layer 2": results[2].accuracy,
        "ceiling": certainty[at].mean(),
    }
    print(word)
    for name, value in sense_of[word].items():
        print(f"  {name:20} {100 * value:3.0f} % right")
assert sense_of["watch"]["after layer 1"] > 0.95
assert (
    sense_of["bat"]["after layer 1"]
    > sense_of["bat"]["one static vector"] + 0.1
)

# %% [markdown]
# The static vector does no better than guessing the more frequent sense: it is the same vector each time, so the probe has nothing to go by. One layer of context tells the senses of *watch* apart, for a noun and a verb stand behind different words. *Bat* stays near 80 %, and that is no
# weakness of the model: *the bat* may still become either, and only what follows decides. The instrument reads from left to right. An encoder that sees both sides (chapter 05) could do better.
#
# <details class="checkpoint"><summary>The probe reads the sense off the hidden state. Does that show that the model <em>uses</em> it?</summary>
#
# No. It shows that the information is there and easy to read. Whether the model's predictions depend on it needs an intervention: change the state along the probe's direction, and see whether the predictions follow.
# </details>
#
# ## Where a token stands
#
# A sum of word vectors does not know the order of its words, and neither does attention, which weighs a *set* of vectors. *Dog bites man* and *man bites dog* are one and the same to it, until something says who stands where. The first answer: give each **position** a vector too, and **add** it to that of the token.
#
# The vector can be *learnt*, one row for each position, and then ends where training ended. Or it follows a formula. The Transformer's **sinusoids** are pairs of a sine and a cosine, each pair turning more slowly than the one before:
#
# $$\text{PE}(p, 2i) = \sin(p\,\omega_i), \qquad \text{PE}(p, 2i + 1) = \cos(p\,\omega_i), \qquad \omega_i = 10000^{-2i/d}.$$

# %% mystnb={"image": {"alt": "The sinusoidal vectors of 100 positions with 64 dimensions as colours: the first dimensions change quickly from position to position, the last ones hardly at all."}}
from lmcourse.embeddings import shift_matrix, sinusoidal_positions

PE = sinusoidal_positions(torch.arange(100), 64)
plots.plot_matrix(
    PE.numpy().T,
    title="Fast hands and slow hands",
    xlabel="position",
    ylabel="dimension",
)
# One matrix moves every position by 7.
assert torch.allclose(PE[:-7] @ shift_matrix(7, 64).T, PE[7:])

# %% [markdown]
# Read it as a row of clocks: the first hand tells neighbours apart, the last one tells the beginning of a book from its end. The assertion holds what the authors hoped to use: a step of $k$ is the same linear map everywhere, a turn of each hand.
#
# ### Only the distance counts
#
# What matters in a sentence is rarely that a word is the 417th; it is that it stands two before the verb. **Relative** schemes put the distance into the score with which one token attends to another (chapter 04 says what that score is; here it is a dot product of a *query* at position $m$ and a *key* at position $n$). Shaw et al. (2018) learn a vector for each
# distance, cut off at some reach. T5 learns one number for each *bucket* of distances, narrow ones near and wide ones far. **ALiBi** learns nothing: it takes off a fixed slope times the distance. And **RoPE** does not add at all. It turns the query by $m\,\omega_i$ and the key by $n\,\omega_i$ in each pair of dimensions, and the dot product of two turned
# vectors depends on the difference of the turns, hence on $n - m$ alone. Turn the dials:

# %%
rope_dials()

# %%
from lmcourse.embeddings import (
    alibi_slopes,
    position_angles,
    rotate,
    t5_buckets,
)

generator = torch.Generator().manual_seed(0)
q, k = torch.randn(2, 1, 64, generator=generator, dtype=torch.float64)
for m, n in [(3, 5), (103, 105), (1003, 1005), (3, 6)]:
    turned = (
        rotate(q, position_angles(torch.tensor([m]), 64)),
        rotate(k, position_angles(torch.tensor([n]), 64)),
    )
    print(f"query at {m:4}, key at {n:4}: {(turned[0] * turned[1]).sum():.6f}")
back = torch.arange(0, 129, 16)
buckets = t5_buckets(-back[None], 32, 128, bidirectional=False)[0]
print("\nso many tokens back:", *[f"{n:4}" for n in back.tolist()])
print("are in T5's bucket: ", *[f"{n:4}" for n in buckets.tolist()])
print("ALiBi's 8 slopes: ", *[f"{s:.4g}" for s in alibi_slopes(8).tolist()])

# %% [markdown]
# Two ways to pair the dimensions are in use, neighbours (0 with 1, as in the paper) and halves (0 with $d/2$, as in GPT-NeoX and in the Transformers library's Llama). They differ by a permutation, so either is fine, as long as weights trained with the one are never run with the other:

# %%
from lmcourse.embeddings import interleaved_to_half

angles, swap = position_angles(torch.tensor([5]), 64), interleaved_to_half(64)
assert torch.allclose(
    rotate(q, angles, "interleaved")[:, swap],
    rotate(q[:, swap], angles, "half"),
)

# %% [markdown]
# Permute the weights once, as converters of model files do, and nothing else changes.
#
# ### Train short, test long
#
# Now the experiment. The same small Transformer, seven times, with each scheme and with none, trained on rows of 32 tokens and tested on rows of 128. (RoPE turns with base 100 here, for short texts.) The yardstick is the excess over the exact surprisal, position by position.

# %%
from lmcourse.embeddings import length_generalization

long_places = row_index(unseen.starts, len(unseen), 128)
long_rows = unseen.tensor()[torch.from_numpy(long_places)]
exact = sentences.surprisal(unseen)[long_places[:, 1:]]
excess = length_generalization(
    ProbeConfig(len(lexicon), n_heads=4),
    reading.ids,
    32,
    long_rows,
    exact,
    TrainConfig(steps=300, batch_size=16, lr=5e-3),
    progress=False,  # ten seconds to a minute
)

# %% mystnb={"image": {"alt": "Excess over the floor against position for seven schemes, trained on 32 tokens and tested on 128: sinusoids jump from 0.2 to above 1 nat right behind position 32; learned positions end there; no positions at all grow to 0.6; T5 and RoPE rise slowly to about half a nat; ALiBi and Shaw stay where they were."}}
plots.plot_excess(excess, 32, "What happens behind the last position seen")

# %% tags=["nbval-ignore-output"]
for name, values in excess.items():
    inside, beyond = values[:32].mean(), values[32:].mean()
    said = "no such positions" if np.isnan(beyond) else f"{beyond:.2f}"
    print(f"{name:10} up to 32: {inside:.2f} nats    33 to 128: {said}")
ends = {name: values[96:].mean() for name, values in excess.items()}
assert ends["sinusoidal"] > 3 * excess["sinusoidal"][:32].mean()  # a cliff
assert max(ends["shaw"], ends["alibi"]) < min(ends["t5"], ends["rope"])  # plain

# %% [markdown]
# Within the length of training, positions are worth about 0.2 nats: compare any scheme with *none*. Behind it they part. **Learned** positions end. **Sinusoids** fall off a cliff: sums of vectors never met before. **RoPE** fades: it meets angles between query and key that it has not met. **T5** fades too, although its last bucket (from 16 tokens back on) is an old acquaintance: far more keys than ever share that one number now. **Shaw**, who also counts all distances above 16 as one, and **ALiBi** go on as if nothing had happened.
# Other seeds move the numbers, RoPE's slope and ALiBi's level most of all, but not the picture: cliff, fade and plain. Two cautions: sentences here are short, so a scheme that only looks at near tokens loses nothing; and after 300 steps we also see who *learns* fast. Real models train RoPE on long texts, and stretch its angles to reach further.
#
# <details class="checkpoint"><summary><em>None</em> has no positions at all. How can it be better than a bag of words?</summary>
#
# The mask. A causal model's token sees only what came before, so the number of things to look at already differs from position to position, and a second layer can count with that (Haviv et al., 2022).
# </details>
#
# ## Few labels, many words
#
# Labels are dear and text is cheap. Suppose somebody tells you gender and number of *five* words of each kind, twenty in all, and leaves the other 108 to you. **Supervised** learning fits a rule to the twenty. **Transductive** learning uses the others too: tie each word to its nearest neighbours, and let the labels flow along the ties until
# nothing changes. That is **label propagation** (Zhu and Ghahramani, 2002).

# %%
from lmcourse.embeddings import few_labels

kinds = np.array(
    [
        2 * (features[w]["gender"] == "feminine")
        + (features[w]["number"] == "plural")
        for w in known
    ]
)
places_of = [index[w] for w in known]
for name, matrix in {"counts": counted, "skip-gram": skipgram.inputs}.items():
    for per_class in [1, 5]:
        result = few_labels(matrix[places_of], kinds, per_class, range(20))
        print(f"{name}, {per_class} labelled of each kind, 20 draws:")
        for method, (mean, spread) in result.summary().items():
            print(f"  {method:12} {100 * mean:3.0f} % ± {100 * spread:.0f}")

# %% [markdown]
# With five labels of each kind the transductive methods are right on nearly all other words in all twenty draws: the unlabelled words show where the groups lie, and the labels only have to name them. A rule fitted to the twenty errs on the counted vectors, and does as well on skip-gram's: how much the graph helps depends on the vectors. With one label of each kind it helps most, if it is used with
# care. Plain propagation lets a label walk as far as it likes, and is at the mercy of the draw; *spreading* (Zhou et al., 2004) lets it fade with every step. The price: nothing is learnt that could be applied to a new word; for that the graph must be made again. And where the groups of the graph are not the classes you want, labels flow astray just as surely.
#
# ## On a GPU, on more text
#
# With a GPU the next cell fetches *text8*, 17 million words of Wikipedia (31 MB, once), and trains on them; without one it takes a small part of Python's own documentation, by the same code.

# %% tags=["gpu", "nbval-ignore-output"]
from lmcourse.corpora import stdlib_docstrings, text8
from lmcourse.training import best_device

device = best_device()
if device == "cuda":
    running_text = text8()
else:
    running_text = " ".join(stdlib_docstrings(max_bytes=400_000)).split()
common = [
    str(w)
    for w, n in zip(*np.unique(running_text, return_counts=True))
    if n >= 5
]
number = {w: i for i, w in enumerate(common)}
text_ids = np.array(
    [number[w] for w in running_text if w in number], dtype=np.int32
)
large = Word2VecConfig(d=64, epochs=2, subsample=1e-3, device=device)
big = WordVectors(
    train_word2vec(text_ids, [0], len(common), large).inputs, tuple(common)
)
print(f"{len(text_ids):,} words, {len(common):,} different")
print(
    "near 'first':",
    ", ".join(f"{w} {c:.2f}" for w, c in big.neighbours("first", 5)),
)

# %% [markdown]
# ## Summary
#
# - An **embedding** is a row of a matrix, looked up by id; its gradient touches only the rows that were read.
# - Words are known by their company. **Counting** (PPMI and SVD) and **predicting** (skip-gram, CBOW) find the same features; skip-gram factorizes PMI − log k. **GloVe** fits log counts, and does not see what never met.
# - Likeness is the **cosine**; a feature that is expressed alike everywhere becomes one step, and **analogies** are answered. Up to the knee each dimension counts.
# - A static vector cannot hold two senses; a **contextual** one can, as far as the text that was read decides.
# - Order must be given: **added** to the embedding (learned, sinusoidal) or put into the score (Shaw, T5, **RoPE**, **ALiBi**). They fail differently on longer texts.
# - **Transductive** learning labels the points at hand, and uses those without labels.
#
# **Terms**: [embedding](../../book/glossary.md#embedding), [embedding matrix](../../book/glossary.md#embedding-matrix), [cosine similarity](../../book/glossary.md#cosine-similarity), [pointwise mutual information](../../book/glossary.md#pointwise-mutual-information), [word2vec](../../book/glossary.md#word2vec), [negative sampling](../../book/glossary.md#negative-sampling), [GloVe](../../book/glossary.md#glove), [analogy](../../book/glossary.md#analogy), [contextual embedding](../../book/glossary.md#contextual-embedding), [positional encoding](../../book/glossary.md#positional-encoding), [RoPE](../../book/glossary.md#rope), [ALiBi](../../book/glossary.md#alibi), [label propagation](../../book/glossary.md#label-propagation).
#
# **Simplified here**: our world was made so that analogies are exact; English is not so kind. Vectors of real models are the first and last layers of a model trained as a whole, and nobody trains word2vec for them.
#
# **Sources**: Harris (1954); Mikolov et al. (2013a, 2013b); Pennington et al. (2014); Levy and Goldberg (2014); Levy et al. (2015); Mikolov, Yih and Zweig (2013) and Rogers et al. (2017) on analogies; Vaswani et al. (2017), Shaw et al. (2018), Raffel et al. (2020), Su et al. (2021), Press et al. (2022) and Haviv et al. (2022) on positions; Zhu and Ghahramani (2002) and Zhou et al. (2004) on labels. Full entries in the [references](../../book/references.md).
#
# **Next**: do the [exercises](exercises.ipynb). Then chapter 03 reads a sequence one step at a time.
