"""word2vec: losses by hand, gradients by autograd, training against gensim and against the optimum in closed form."""

from collections import Counter

import numpy as np
import pytest
import torch
from gensim.models import Word2Vec as GensimWord2Vec

from lmcourse.corpora.families import families
from lmcourse.embeddings.adagrad import RowAdagrad
from lmcourse.embeddings.analogies import answer_analogies
from lmcourse.embeddings.cooccurrence import cooccurrence, pmi
from lmcourse.embeddings.lookup import lookup_gradient
from lmcourse.embeddings.pairs import Thinned, WordPairs, context_pairs, draw, noise_law
from lmcourse.embeddings.vectors import WordVectors
from lmcourse.embeddings.word2vec import (
    PairTest,
    Word2VecConfig,
    cbow_loss,
    held_out_loss,
    make_pair_test,
    sgns_loss,
)
from lmcourse.embeddings.word2vec_train import (
    BLOCKS,
    CENTRES,
    cbow_step,
    cut_into_blocks,
    skipgram_step,
    train_word2vec,
)

TOPICS, WORDS, COMMON = 8, 10, 10  # words 0 ... 79 belong to topics, 80 ... 89 to none
VOCAB_SIZE = TOPICS * WORDS + COMMON


def topics(n_documents, seed=0):
    """Documents of twelve words: 40 in 100 from the common ones, the rest from the document's topic."""
    rng = np.random.default_rng(seed)
    of_topic = WORDS * rng.integers(0, TOPICS, (n_documents, 1)) + rng.integers(0, WORDS, (n_documents, 12))
    common = rng.integers(TOPICS * WORDS, VOCAB_SIZE, (n_documents, 12))
    ids = np.where(rng.random((n_documents, 12)) < 0.4, common, of_topic)
    return ids.ravel(), np.arange(0, ids.size, 12)


def numbers(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class FullReach(np.random.Generator):
    """In place of a random generator: every centre reaches as far as it may."""

    def integers(self, low, high, size):
        return np.full(size, high - 1)


# --- losses ---


def test_the_skipgram_loss_is_its_formula():
    c, o, n = numbers(4, 3), numbers(4, 3, seed=1), numbers(4, 5, 3, seed=2)

    def s(x):
        return 1 / (1 + np.exp(-x))

    by_hand = [
        -np.log(s(c[b].numpy() @ o[b].numpy())) - sum(np.log(s(-c[b].numpy() @ x.numpy())) for x in n[b])
        for b in range(4)
    ]
    assert sgns_loss(c, o, n).item() == pytest.approx(np.mean(by_hand))
    assert sgns_loss(0 * c, o, n).item() == pytest.approx(6 * np.log(2))
    assert torch.autograd.gradcheck(sgns_loss, [part.requires_grad_() for part in (c, o, n)])


def test_the_loss_of_extreme_scores_is_finite():
    far = torch.full((1, 1), 100.0)
    assert sgns_loss(far, -far, far[:, None]).item() == pytest.approx(20_000)


def test_the_cbow_loss_is_that_of_skipgram_from_the_mean():
    contexts, centre, n = numbers(3, 4, 2), numbers(3, 2, seed=1), numbers(3, 5, 2, seed=2)
    present = torch.tensor(
        [[True, True, True, True], [True, False, False, True], [False, True, False, False]]
    )
    means = torch.stack([contexts[b][present[b]].mean(0) for b in range(3)])
    assert cbow_loss(contexts, present, centre, n).item() == pytest.approx(sgns_loss(means, centre, n).item())
    learned = [part.requires_grad_() for part in (contexts, centre, n)]
    assert torch.autograd.gradcheck(lambda x, o, noise: cbow_loss(x, present, o, noise), learned)


# --- blocks ---


@pytest.mark.parametrize("window", [1, 3, 5, 40])
def test_blocks_hold_each_pair_once(window):
    n = 2 * BLOCKS * CENTRES + 77
    text = Thinned(np.random.default_rng(0).integers(0, 50, n), np.array([0, 1, 30, 31, 500, 1000]))
    found = Counter()
    for blocks in cut_into_blocks(text, window, FullReach(np.random.PCG64())):
        block, centre, context = blocks.near.nonzero(as_tuple=True)
        found.update(
            zip(blocks.centres[block, centre].tolist(), blocks.halo[block, context].tolist(), strict=True)
        )
    pairs = context_pairs(text.ids, text.starts, window)
    assert found == Counter(zip(pairs.centres.tolist(), pairs.contexts.tolist(), strict=True))


def test_blocks_draw_reaches_as_pairs_do():
    text = Thinned(np.arange(20_000), np.array([0]))
    counts = np.zeros(6)
    for blocks in cut_into_blocks(text, 5, np.random.default_rng(0)):
        block, centre, context = blocks.near.nonzero(as_tuple=True)
        distance = (blocks.centres[block, centre] - blocks.halo[block, context]).abs()
        counts += np.bincount(distance, minlength=6)
    share = counts[1:] / 40_000
    spread = np.sqrt(0.25 / 20_000)  # of a share, at most
    assert (np.abs(share - np.array([5, 4, 3, 2, 1]) / 5) < 5 * spread).all()


def one_step():
    text = Thinned(np.random.default_rng(0).integers(0, 40, 400), np.array([0, 1, 90, 300]))
    blocks = next(cut_into_blocks(text, 3, np.random.default_rng(1)))
    blocks = blocks._replace(near=blocks.near.double())
    noise = torch.from_numpy(draw(np.full(40, 1 / 40), (BLOCKS, 6), np.random.default_rng(2)))
    return blocks, noise, numbers(40, 5).requires_grad_(), numbers(40, 5, seed=1).requires_grad_()


def table_gradients(step):
    return lookup_gradient(step.d_inputs, step.input_ids, 40), lookup_gradient(
        step.d_outputs, step.output_ids, 40
    )


def test_a_skipgram_step_is_the_gradient_of_the_loss():
    """With as many negatives as shared noise words each pair meets all of them once: the plain loss of its pairs."""
    blocks, noise, inputs, outputs = one_step()
    block, i, j = blocks.near.nonzero(as_tuple=True)
    centre, context = inputs[blocks.centres[block, i]], outputs[blocks.halo[block, j]]
    loss = sgns_loss(centre, context, outputs[noise[block]])
    (len(block) * loss).backward()
    step = skipgram_step(inputs.detach(), outputs.detach(), blocks, noise, negatives=6)
    assert step.loss().item() == pytest.approx(loss.item())
    for ours, tensor in zip(table_gradients(step), (inputs, outputs), strict=True):
        torch.testing.assert_close(ours, tensor.grad)


def test_a_cbow_step_is_the_gradient_of_the_loss():
    blocks, noise, inputs, outputs = one_step()
    present = blocks.near.bool()
    block, i = present.any(-1).nonzero(as_tuple=True)
    contexts = inputs[blocks.halo[block]]
    loss = cbow_loss(contexts, present[block, i], outputs[blocks.centres[block, i]], outputs[noise[block]])
    (len(block) * loss).backward()
    step = cbow_step(inputs.detach(), outputs.detach(), blocks, noise, negatives=6)
    assert step.loss().item() == pytest.approx(loss.item())
    for ours, tensor in zip(table_gradients(step), (inputs, outputs), strict=True):
        torch.testing.assert_close(ours, tensor.grad)


@pytest.mark.parametrize("take_step", [skipgram_step, cbow_step])
def test_fewer_negatives_weigh_the_shared_noise_in_proportion(take_step):
    blocks, noise, inputs, outputs = one_step()
    with torch.no_grad():
        few, all_ = (take_step(inputs, outputs, blocks, noise, negatives=k) for k in (2, 6))
    is_noise = few.target == 0
    torch.testing.assert_close(3 * few.weight[..., is_noise], all_.weight[..., is_noise])
    torch.testing.assert_close(few.weight[..., ~is_noise], all_.weight[..., ~is_noise])


# --- the optimizer ---


def test_with_one_number_a_row_it_is_torchs_adagrad():
    ours, theirs = numbers(6, 1), torch.nn.Parameter(numbers(6, 1))
    step = RowAdagrad(ours)
    optimizer = torch.optim.Adagrad([theirs], lr=0.3, initial_accumulator_value=1e-10, eps=0)
    for seed in range(5):
        ids = torch.from_numpy(np.random.default_rng(seed).integers(0, 5, 7))  # 5 is never met
        gradients = numbers(7, 1, seed=seed)
        step.step(ids, gradients, lr=0.3)
        theirs.grad = lookup_gradient(gradients, ids, 6)
        optimizer.step()
    torch.testing.assert_close(ours, theirs.data)
    assert ours[5] == numbers(6, 1)[5]


def test_a_row_moves_along_its_gradient_and_less_each_time():
    weight, gradient = numbers(3, 4), numbers(1, 4, seed=1)
    before, step = weight.clone(), RowAdagrad(weight)
    size = gradient.square().mean().sqrt()
    for time in (1, 2, 3):
        step.step(torch.tensor([1]), gradient, lr=0.5)
        torch.testing.assert_close(
            before - weight, torch.outer(torch.eye(3).double()[1], 0.5 * gradient[0] / size / time**0.5)
        )
        before = weight.clone()


# --- training ---


@pytest.fixture(scope="module")
def text():
    return topics(5000)


@pytest.fixture(scope="module")
def exam(text):
    return make_pair_test(*topics(500, seed=1), noise_law(np.bincount(text[0])), n_pairs=20_000)


def trained_by_gensim(ids, starts, config):
    documents = [list(map(str, document)) for document in np.split(ids, starts[1:])]
    model = GensimWord2Vec(
        documents,
        vector_size=config.d,
        window=config.window,
        negative=config.negatives,
        epochs=config.epochs,
        sg=int(config.architecture == "skip-gram"),
        sample=0,
        min_count=1,
        workers=1,
        seed=1,
    )
    order = [model.wv.key_to_index[str(word)] for word in range(VOCAB_SIZE)]
    return model.wv.vectors[order], model.syn1neg[order]


def share_of_own_topic(inputs):
    """Of the nine nearest neighbours of each word of a topic, those of the same topic."""
    vectors = WordVectors(inputs, [str(word) for word in range(len(inputs))])
    found = [
        int(neighbour) // WORDS == word // WORDS
        for word in range(TOPICS * WORDS)
        for neighbour, _ in vectors.neighbours(str(word), n=WORDS - 1)
    ]
    return np.mean(found)


@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
def test_it_learns_what_gensim_learns(text, exam, architecture):
    config = Word2VecConfig(d=16, epochs=5, architecture=architecture)
    ours = train_word2vec(*text, VOCAB_SIZE, config)
    inputs, outputs = trained_by_gensim(*text, config)
    assert share_of_own_topic(ours.inputs) > 0.95
    assert share_of_own_topic(inputs) > 0.95
    if architecture == "skip-gram":  # the examination asks skip-gram's question
        # Untrained it is 6 log 2 = 4.16, here both come to 2.08. The draws of noise alone move it by some 0.1 %.
        assert (
            held_out_loss(ours.inputs, ours.outputs, exam) < 1.01 * held_out_loss(inputs, outputs, exam) < 2.3
        )


def test_true_analogies_are_found_once_the_window_reaches_what_tells_families_apart():
    """The thing that only a family deals with stands three words behind the form; king - man + woman needs it."""
    source = families()
    corpus = source.sample(30_000, seed=0)
    accuracy = {}
    for window in (2, 5):
        config = Word2VecConfig(d=32, window=window)
        model = train_word2vec(corpus.ids, corpus.starts, len(corpus.vocab), config)
        vectors = WordVectors(model.inputs, corpus.vocab)
        accuracy[window] = [
            answer_analogies(vectors, source.analogies(kind)).accuracy for kind in ("number", "gender")
        ]
    assert min(accuracy[5]) > 0.9
    assert max(accuracy[2]) < 0.1


def test_the_optimum_is_shifted_pmi(text):
    """Levy and Goldberg 2014: with vectors long enough, input . output comes to PMI - log k, PMI by the noise law."""
    config = Word2VecConfig(d=VOCAB_SIZE, window=3, negatives=2, epochs=15, lr=0.3)
    model = train_word2vec(*text, VOCAB_SIZE, config)
    counts = cooccurrence(*text, VOCAB_SIZE, window=3, weighting="dynamic")
    shifted = pmi(counts, context_power=0.75).toarray() - np.log(2)
    # A rare pair teaches little, and its PMI is itself a noisy number: pairs met at least fifty times.
    often = counts.toarray() >= 50
    scores = (model.inputs @ model.outputs.T)[often]
    slope, intercept = np.polyfit(shifted[often], scores, 1)
    assert np.corrcoef(shifted[often], scores)[0, 1] > 0.99
    assert slope == pytest.approx(1, abs=0.05)
    assert intercept == pytest.approx(0, abs=0.05)


def test_the_same_seed_gives_the_same_vectors_and_leaves_the_text_alone(text):
    ids, starts = text[0].copy(), text[1].copy()
    config = {"d": 8, "epochs": 1, "subsample": 0.01}
    first, again, other = (
        train_word2vec(ids, starts, VOCAB_SIZE, Word2VecConfig(seed=seed, **config)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.inputs, again.inputs)
    np.testing.assert_array_equal(first.outputs, again.outputs)
    assert not np.array_equal(first.inputs, other.inputs)
    np.testing.assert_array_equal(ids, text[0])
    np.testing.assert_array_equal(starts, text[1])


def test_words_never_met_keep_their_start(text):
    model = train_word2vec(*text, VOCAB_SIZE + 1, Word2VecConfig(d=8, epochs=1))
    assert not model.outputs[-1].any()
    assert np.abs(model.inputs[-1]).max() <= 0.5 / 8
    assert np.abs(model.inputs[:-1]).max() > 0.5


def test_the_loss_is_told_on_the_way_and_falls(text):
    losses = train_word2vec(*text, VOCAB_SIZE, Word2VecConfig(d=16, epochs=2)).losses
    done = list(losses)
    assert done[0] == 0
    assert done == sorted(done)
    assert done[-1] < 1
    assert losses[0] == pytest.approx(6 * np.log(2))
    assert losses[done[-1]] < 0.95 * losses[0]


# --- the examination ---


def test_the_held_out_loss_is_the_mean_over_all_pairs():
    rng = np.random.default_rng(0)
    inputs, outputs = rng.normal(size=(2, 30, 4))
    pairs = WordPairs(rng.integers(0, 30, 40_000), rng.integers(0, 30, 40_000))
    exam = PairTest(pairs, rng.integers(0, 30, (40_000, 2)))
    positive = (inputs[pairs.centres] * outputs[pairs.contexts]).sum(1)
    negative = np.einsum("pd,pkd->pk", inputs[pairs.centres], outputs[exam.negatives])
    expected = np.log1p(np.exp(-positive)).mean() + np.log1p(np.exp(negative)).sum(1).mean()
    assert held_out_loss(inputs, outputs, exam) == pytest.approx(expected)


def test_an_examination_holds_true_pairs_and_noise_by_its_law(text):
    law = noise_law(np.bincount(text[0], minlength=VOCAB_SIZE))
    exam = make_pair_test(*text, law, window=2, negatives=4, n_pairs=5000, seed=3)
    true = set(zip(*map(np.ndarray.tolist, context_pairs(*text, 2)), strict=True))
    assert set(zip(*map(np.ndarray.tolist, exam.pairs), strict=True)) <= true
    n = exam.negatives.size
    assert exam.negatives.shape == (5000, 4)
    spread = np.sqrt(n * law * (1 - law))
    assert (np.abs(np.bincount(exam.negatives.ravel(), minlength=VOCAB_SIZE) - n * law) < 5 * spread).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"d": 0}, "'d' must be at least 1, got 0"),
        ({"epochs": 0}, "'epochs' must be at least 1, got 0"),
        ({"lr": 0.0}, "'lr' must be positive, got 0.0"),
        ({"subsample": -1.0}, "'subsample' must be positive, got -1.0"),
    ],
)
def test_a_bad_configuration_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        Word2VecConfig(**options)


@pytest.mark.parametrize("ids", [[], [0, 3], [-1, 0]])
def test_ids_outside_the_vocabulary_are_named(ids):
    with pytest.raises(ValueError, match="'ids' must be one or more numbers from 0 to vocab_size-1=2"):
        train_word2vec(np.array(ids, dtype=int), [0], 3)
