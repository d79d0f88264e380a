"""The wall of plain data: exact types survive, nothing executes, damage is refused."""

import collections
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.exercises.codec import CodecError, pack, unpack

keys = st.one_of(
    st.integers(), st.text(max_size=5), st.booleans(), st.tuples(st.integers(), st.text(max_size=2))
)
plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(keys, inner, max_size=3),
        st.frozensets(keys, max_size=3),
    ),
    max_leaves=12,
)


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(map(repr, a)) == list(map(repr, b)) and all(same(a[k], b[k]) for k in a)
    return a == b


@given(plain)
def test_plain_values_survive_with_their_exact_types(value):
    assert same(unpack(pack(value)), value)


@pytest.mark.parametrize(
    "dtype", [torch.bool, torch.int64, torch.uint8, torch.float16, torch.bfloat16, torch.float64]
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4)])
def test_tensors_survive_bit_for_bit(dtype, shape):
    tensor = (torch.randn(shape) * 3).to(dtype)
    back = unpack(pack([tensor]))[0]
    assert back.dtype == dtype
    assert back.shape == tensor.shape
    assert torch.equal(
        back.view(torch.uint8) if shape else back, tensor.view(torch.uint8) if shape else tensor
    )


def test_a_transposed_or_expanded_tensor_packs_its_values():
    tensor = torch.arange(6).reshape(2, 3).T
    assert torch.equal(unpack(pack(tensor)), tensor)
    assert torch.equal(unpack(pack(torch.ones(1).expand(4))), torch.ones(4))


def test_relatives_of_plain_types_become_plain():
    point = collections.namedtuple("Point", "x y")(1, 2)
    value = [collections.Counter("aab"), point, np.int64(3), np.float32(0.5), np.array([1, 2])]
    back = unpack(pack(value))
    assert back[:4] == [{"a": 2, "b": 1}, (1, 2), 3, 0.5]
    assert [type(x) for x in back[:4]] == [dict, tuple, int, float]
    assert torch.equal(back[4], torch.tensor([1, 2]))


def test_equal_dictionaries_pack_equally_only_in_canonical_form():
    a, b = {"x": 1, "y": 2}, {"y": 2, "x": 1}
    assert pack(a, canonical=True) == pack(b, canonical=True)
    assert list(unpack(pack(b))) == ["y", "x"]


class Sneaky:
    def __reduce__(self):
        raise AssertionError("was pickled")


@pytest.mark.parametrize(
    "value", [Sneaky(), object(), lambda: 1, [1, {2: Sneaky()}], 1j, torch.ones(2).to_sparse()]
)
def test_other_types_are_refused_and_named(value):
    with pytest.raises(CodecError, match="cannot be judged|dense tensor"):
        pack(value)


def test_depth_and_size_are_limited():
    deep = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(CodecError, match="nested deeper"):
        pack(deep)
    with pytest.raises(CodecError, match="at most 100 bytes"):
        pack("x" * 200, max_bytes=100)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0" * 8,
        pickle.dumps([1, 2]),
        pack([1, 2])[:-2],
        pack(torch.ones(3))[:-1],
        pack([1]) + b"!",
        (30).to_bytes(8, "big") + b'{"t":"tensor","dtype":"float32","shape":[999999999]}',
        (17).to_bytes(8, "big") + b'{"t":"os","v":[]}',
        (52).to_bytes(8, "big") + b'{"t":"tensor","dtype":"float32","shape":[-1],"x":"1"}',
    ],
)
def test_damaged_bytes_are_refused(raw):
    with pytest.raises(CodecError):
        unpack(raw)


def test_one_element_with_a_stride_of_its_own_can_be_packed():
    for tensor in (torch.tensor(1.5).expand(1), torch.tensor([1 + 2j]).real, torch.arange(4.0)[1:2:2]):
        assert torch.equal(unpack(pack(tensor)), tensor)
