"""The tree of a search: its finished paths are those of `beam_search`, and it tells of each path where it came from."""

import math

import pytest
import torch

from lmcourse.corpora import translation
from lmcourse.encoder_decoder.search_tree import beam_records, finished, search_tree
from lmcourse.recurrence import Seq2Seq, Seq2SeqConfig, beam_search, greedy, pad_pairs

PAIRS = translation().sample(6, lengths=(4, 8), seed=0)


def random_model(seed, sharp=6.0):
    """Not trained, but sure of itself, so that paths differ; it ends sentences now and then."""
    sizes = (len(PAIRS.source_vocab), len(PAIRS.target_vocab))
    model = Seq2Seq(Seq2SeqConfig(*sizes, d_model=8, hidden_size=12, seed=seed)).double()
    with torch.no_grad():
        model.decoder.output.weight.mul_(sharp)
        model.decoder.output.bias[2] += 1.5
    return model


def searched(model, at, **options):
    batch = pad_pairs(*(list(side) for side in PAIRS[at : at + 1].ids()))
    (found,) = beam_search(model, batch.source_ids, batch.lengths, **options)
    return [(tuple(PAIRS.target_vocab[i] for i in one.ids), one.log_probability, one.score) for one in found]


@pytest.mark.parametrize(("width", "length_penalty"), [(1, 0.0), (2, 0.6), (4, 0.0), (4, 1.5)])
def test_the_best_finished_path_is_that_of_beam_search_and_all_of_its_others_are_there(width, length_penalty):
    several = 0
    for seed in range(2):
        model = random_model(seed)
        for at in range(3):
            tree = search_tree(model, PAIRS, at, width, max_length=9)
            ours = finished(tree, length_penalty)
            theirs = searched(model, at, width=width, max_length=9, length_penalty=length_penalty)
            assert len(ours) == width
            assert ours[0][0] == theirs[0][0]
            mine = {words: numbers for words, *numbers in ours}
            for words, *numbers in theirs:
                assert mine[words] == pytest.approx(numbers, abs=1e-9)
            several += len(theirs) > 1
    assert several or width == 1


def test_a_search_of_width_1_is_greedy_decoding():
    model = random_model(0)
    batch = pad_pairs(*(list(side) for side in PAIRS[:1].ids()))
    (ids,) = greedy(model, batch.source_ids, batch.lengths, max_length=12)
    tree = search_tree(model, PAIRS, 0, width=1, max_length=12, n_cut=0)
    assert [node.token for node in tree.nodes] == [PAIRS.target_vocab[i] for i in ids]
    assert [node.parent for node in tree.nodes] == list(range(-1, len(ids) - 1))
    assert [node.fate for node in tree.nodes] == ["kept"] * (len(ids) - 1) + ["finished"]


def test_every_step_is_in_order_and_what_was_cut_is_worse_than_what_was_kept():
    model = random_model(1)
    tree = search_tree(model, PAIRS, 2, width=4, max_length=10, n_cut=3)
    assert (tree.source, tree.reference, tree.width) == (PAIRS.source[2], PAIRS.target[2], 4)
    depth, total, room, steps = [], [], 4, {}
    for at, node in enumerate(tree.nodes):
        assert node.parent < at
        if node.parent >= 0:
            assert tree.nodes[node.parent].fate == "kept"  # nothing grows out of what was cut or is finished
        depth.append(1 + (depth[node.parent] if node.parent >= 0 else 0))
        total.append(node.log_probability + (total[node.parent] if node.parent >= 0 else 0))
        steps.setdefault(depth[-1], []).append(at)
    assert depth == sorted(depth)
    for places in steps.values():
        assert [total[at] for at in places] == sorted((total[at] for at in places), reverse=True)
        fates = [tree.nodes[at].fate for at in places]
        assert fates.count("kept") + fates.count("finished") == room
        assert fates[room:] == ["cut"] * 3
        room = fates.count("kept")
    assert room == 0 or max(steps) == 10
    assert not any(tree.nodes[at].fate == "kept" for at in steps[max(steps)])


def test_probabilities_are_those_of_the_model_for_the_whole_path():
    model = random_model(2)
    (words, log_p, _), *_ = finished(search_tree(model, PAIRS, 1, width=3, max_length=10))
    ids = [PAIRS.target_vocab.index(word) for word in words]
    batch = pad_pairs(*(list(side) for side in PAIRS[1:2].ids()))
    with torch.no_grad():
        law = model(batch.source_ids, batch.lengths, torch.tensor([[1, *ids[:-1]]])).log_softmax(-1)
    assert log_p == pytest.approx(sum(law[0, j, i].item() for j, i in enumerate(ids)), abs=1e-9)
    assert math.isfinite(log_p)


def test_records_are_the_trees_of_each_sentence_width_by_width():
    model = random_model(0)
    records = beam_records(model, PAIRS, [3, 1], widths=(1, 2), max_length=6, n_cut=1)
    assert [(one.source, one.width) for one in records] == [
        (PAIRS.source[k], w) for k in (3, 1) for w in (1, 2)
    ]
    assert records[3] == search_tree(model, PAIRS, 1, 2, max_length=6, n_cut=1)


@pytest.mark.parametrize("argument", [{"width": 0}, {"max_length": 0}, {"n_cut": -1}])
def test_bad_numbers_are_named(argument):
    with pytest.raises(ValueError, match=f"'{next(iter(argument))}' must be at least"):
        search_tree(random_model(0), PAIRS, **argument)
