"""Word vectors, neighbours and analogies, against gensim's KeyedVectors and by hand."""

import subprocess
import sys

import numpy as np
import pytest
from gensim.models import KeyedVectors

from lmcourse.embeddings.analogies import analogy, answer_analogies
from lmcourse.embeddings.vectors import WordVectors, cosine, unit_rows

VOCAB = [f"w{number}" for number in range(200)]


@pytest.fixture(scope="module")
def ours() -> WordVectors:
    matrix = np.random.default_rng(0).normal(size=(200, 12)).astype(np.float32)
    return WordVectors(matrix + 0.3, VOCAB)


@pytest.fixture(scope="module")
def theirs(ours) -> KeyedVectors:
    vectors = KeyedVectors(vector_size=12)
    vectors.add_vectors(VOCAB, ours.matrix)
    return vectors


def agree(ours, theirs, atol=1e-6):
    assert [word for word, _ in ours] == [word for word, _ in theirs]
    np.testing.assert_allclose([s for _, s in ours], [s for _, s in theirs], atol=atol)


@pytest.mark.parametrize("word", ["w0", "w7", "w199"])
def test_neighbours_are_gensims(ours, theirs, word):
    agree(ours.neighbours(word, n=15), theirs.most_similar(word, topn=15))
    assert ours.similarity(word, "w3") == pytest.approx(theirs.similarity(word, "w3"), abs=1e-6)
    vector = ours[word] * 2 - ours["w5"]
    agree(ours.neighbours(vector, n=15), theirs.most_similar([vector], topn=15))


@pytest.mark.parametrize("words", [("w0", "w1", "w2"), ("w50", "w60", "w70"), ("w9", "w8", "w9")])
def test_analogies_are_gensims(ours, theirs, words):
    a, b, c = words
    added = analogy(ours, a, b, c, n=10)
    peer = theirs.most_similar(positive=[b, c], negative=[a], topn=10)
    # gensim divides by the length of b - a + c, so that its scores are cosines: the same for all words.
    target = ours.unit[ours.index(b)] - ours.unit[ours.index(a)] + ours.unit[ours.index(c)]
    agree([(word, score / np.linalg.norm(target)) for word, score in added], peer)
    multiplied = analogy(ours, a, b, c, n=10, method="multiply", epsilon=1e-6)
    agree(multiplied, theirs.most_similar_cosmul(positive=[b, c], negative=[a], topn=10), atol=1e-5)


def test_accuracy_is_gensims_and_the_same_as_asking_one_by_one(ours, theirs, tmp_path):
    rng = np.random.default_rng(1)
    questions = [tuple(VOCAB[i] for i in rng.choice(200, 4, replace=False)) for _ in range(60)]
    # Half of the questions get the answer that is right, so that there is something to count.
    questions = [
        (a, b, c, analogy(ours, a, b, c)[0][0] if i % 2 else d) for i, (a, b, c, d) in enumerate(questions)
    ]
    file = tmp_path / "questions.txt"
    file.write_text(": all\n" + "\n".join(map(" ".join, questions)))
    score, _ = theirs.evaluate_word_analogies(str(file), case_insensitive=False)
    result = answer_analogies(ours, questions)
    assert result.accuracy == pytest.approx(score)
    assert 0.5 <= result.accuracy < 1
    for method in ("add", "multiply"):
        for exclude in (True, False):
            result = answer_analogies(ours, questions, method=method, exclude=exclude)
            alone = [analogy(ours, *q[:3], method=method, exclude=exclude)[0][0] for q in questions]
            assert list(result.answers) == alone
            assert result.right == sum(x == q[3] for x, q in zip(alone, questions, strict=True))


def test_without_exclusion_the_answer_is_mostly_one_of_the_question():
    """Fifty words and their plurals: a step that all share, and a step of each word's own that is longer."""
    rng = np.random.default_rng(0)
    singular = rng.normal(size=(50, 12))
    plural = singular + 0.3 * rng.normal(size=12) + 0.4 * rng.normal(size=(50, 12))
    vocab = [f"{i}" for i in range(50)] + [f"{i}s" for i in range(50)]
    vectors = WordVectors(np.concatenate([singular, plural]), vocab)
    questions = [
        (f"{i}", f"{i}s", f"{j}", f"{j}s") for i, j in rng.permuted(np.tile(np.arange(50), (2, 1)), axis=1).T
    ]
    questions = [question for question in questions if question[0] != question[2]]
    assert answer_analogies(vectors, questions).accuracy > 0.9
    everything = answer_analogies(vectors, questions, exclude=False)
    asked = [answer in question[:3] for answer, question in zip(everything.answers, questions, strict=True)]
    assert np.mean(asked) > 0.5 > everything.accuracy


def test_a_large_similarity_does_not_hide_a_small_one_in_the_product():
    # x is near c only, y is somewhat near to both b and c.
    vocab = ["a", "b", "c", "x", "y"]
    c, b, a = [1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0]
    x, y = [0.99, -0.1, 0, 0.1], [0.42, 0.42, 0, 0.8]
    vectors = WordVectors(np.array([a, b, c, x, y]), vocab)
    assert analogy(vectors, "a", "b", "c", method="add")[0][0] == "x"
    assert analogy(vectors, "a", "b", "c", method="multiply")[0][0] == "y"


def test_cosine_and_unit_rows_know_a_vector_without_length():
    assert cosine(np.array([3.0, 4.0]), np.array([-3.0, -4.0])) == pytest.approx(-1)
    assert cosine(np.zeros(2), np.ones(2)) == 0
    np.testing.assert_allclose(unit_rows(np.array([[0.0, 0.0], [0.0, 5.0]])), [[0, 0], [0, 1]])
    vectors = WordVectors(np.array([[3.0, 4.0], [0.0, 0.0]]), ["a", "zero"])
    assert vectors.similarity("a", "zero") == 0
    np.testing.assert_allclose(vectors.normalized().matrix, [[0.6, 0.8], [0, 0]])


def test_neighbours_leave_out_what_they_are_told_and_break_ties_by_the_vocabulary():
    vectors = WordVectors(np.array([[1.0, 0.0], [1.0, 1.0], [2.0, 2.0], [0.0, 1.0]]), ["a", "b", "c", "d"])
    assert [word for word, _ in vectors.neighbours("a", n=9)] == ["b", "c", "d"]
    assert [word for word, _ in vectors.neighbours("a", n=1, exclude=["b"])] == ["c"]
    assert [word for word, _ in vectors.neighbours(np.array([1.0, 0.0]), n=1)] == ["a"]


def test_a_file_gives_back_what_was_written(ours, tmp_path):
    ours.save(tmp_path / "vectors.npz")
    again = WordVectors.load(tmp_path / "vectors.npz")
    assert again.vocab == ours.vocab
    assert again.matrix.dtype == ours.matrix.dtype
    np.testing.assert_array_equal(again.matrix, ours.matrix)
    odd = WordVectors(np.eye(3), ["", "naïve 漁", "a\nb"])
    odd.save(tmp_path / "odd.npz")
    assert WordVectors.load(tmp_path / "odd.npz").vocab == odd.vocab
    np.savez(tmp_path / "other.npz", weights=np.eye(2))
    with pytest.raises(ValueError, match="'path' must be a file with 'matrix' and 'vocab', got one with"):
        WordVectors.load(tmp_path / "other.npz")
    np.savez(tmp_path / "pickle.npz", matrix=np.eye(1), vocab=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        WordVectors.load(tmp_path / "pickle.npz")


def test_unknown_words_are_named_with_a_likely_one(ours):
    for call in (
        lambda: ours["w2000"],
        lambda: ours.neighbours("w2000"),
        lambda: ours.neighbours("w1", exclude=["w2000"]),
        lambda: analogy(ours, "w1", "w2", "w2000"),
        lambda: answer_analogies(ours, [("w1", "w2", "w3", "w2000")]),
    ):
        with pytest.raises(
            KeyError, match="one of the 200 words of the vocabulary, got 'w2000'.*did you mean 'w"
        ):
            call()
    assert "w1" in ours
    assert "w2000" not in ours


@pytest.mark.parametrize(
    ("matrix", "vocab", "message"),
    [
        (np.eye(2), ["a"], "'matrix' must have a row for each of 1 words, got 2 rows"),
        (np.eye(2), ["a", "a"], "'vocab' must hold each word once, got 1 repeats"),
        (np.array([[np.nan], [1.0]]), ["a", "b"], "'matrix' must be finite"),
    ],
)
def test_contradictory_vectors_are_refused(matrix, vocab, message):
    with pytest.raises(ValueError, match=message):
        WordVectors(matrix, vocab)


def test_bad_arguments_are_named(ours):
    with pytest.raises(ValueError, match="'n' must be at least 1, got 0"):
        ours.neighbours("w1", n=0)
    with pytest.raises(ValueError, match="'questions' must hold at least one question, got none"):
        answer_analogies(ours, [])


def test_wrong_choices_are_named_where_no_type_checker_runs():
    """The tests run under a type checker that would speak first; a reader's notebook has none."""
    program = """
import numpy as np
from lmcourse.embeddings.analogies import analogy_scores
from lmcourse.embeddings.cooccurrence import distance_weight
from lmcourse.embeddings.word2vec import Word2VecConfig
for call in (
    lambda: analogy_scores(*np.ones((3, 2)), method="divide"),
    lambda: distance_weight(1, 2, "harmonic"),
    lambda: Word2VecConfig(architecture="skipgram"),
):
    try:
        print("accepted:", call())
    except ValueError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "'method' must be 'add' or 'multiply', got 'divide'",
        "'weighting' must be one of flat, dynamic, inverse, got 'harmonic'",
        "'architecture' must be 'skip-gram' or 'cbow', got 'skipgram'",
    ]
