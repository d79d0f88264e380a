"""The transducer: every number below a thousand against another way to name it, and machines that must not run."""

import pytest

from lmcourse.sequences import Step, Transducer, number_names

NAMES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["_", "_", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def spelled(number: int) -> str:
    """By arithmetic on the whole number, not digit by digit."""
    if number < 20:
        return NAMES[number]
    if number < 100:
        return TENS[number // 10] + (f" {NAMES[number % 10]}" if number % 10 else "")
    rest = f" and {spelled(number % 100)}" if number % 100 else ""
    return f"{NAMES[number // 100]} hundred{rest}"


def test_every_number_below_a_thousand():
    machine = number_names()
    for number in range(1000):
        assert " ".join(machine.transduce(f"{number:03d}")) == spelled(number)
    lengths = {len(machine.transduce(f"{number:03d}")) for number in range(1000)}
    assert lengths == {1, 2, 4, 5}, "three symbols in, another number of symbols out"


def test_steps_show_where_the_machine_waits():
    first, second, third, end = number_names().steps("317")
    assert first == Step("hundreds", "3", ("three", "hundred"), "tens")
    assert (second.read, second.written, second.next_state) == ("1", ("and",), "teens")
    assert third.written == ("seventeen",)
    assert (end.read, end.written) == ("ε", ())


def test_what_is_held_back_comes_at_the_end():
    """Doubles each a that is followed by a b, so it cannot write before it sees what follows."""
    machine = Transducer(
        "0",
        {("0", "a"): ([], "1"), ("0", "b"): ("b", "0"), ("1", "a"): ("a", "1"), ("1", "b"): ("aab", "0")},
        {"0": [], "1": ["a"]},
    )
    assert "".join(machine.transduce("baaba")) == "baaaba"
    assert machine.transduce("") == ()


def test_errors_say_what_could_have_come():
    machine = number_names()
    with pytest.raises(ValueError, match="'symbols' must go on with one of .*'0', '1'.* got 'x' at place 1"):
        machine.transduce("1x")
    with pytest.raises(ValueError, match="got '5' at place 3"):
        machine.transduce("1115")
    with pytest.raises(ValueError, match="'symbols' must not end in state 'teens'"):
        machine.transduce("11")
    with pytest.raises(ValueError, match="'arcs' must lead to a known state, got a -x-> b"):
        Transducer("a", {("a", "x"): ([], "b")}, {"a": []})
