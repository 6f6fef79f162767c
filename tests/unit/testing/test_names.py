"""The name server of fault tests answers as resolvers ask."""

from __future__ import annotations

import struct

import pytest

from mtd.testing.faults.names import answer_to

A, AAAA = 1, 28


def question(name: str, kind: int) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", 4711, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


@pytest.mark.parametrize(("kind", "answers"), [(A, 1), (AAAA, 0)])
def test_a_name_is_this_machine_and_has_no_other_address(kind: int, answers: int) -> None:
    asked = question("lab-0001.faults.test", kind)
    # What resolvers add at the end (EDNS) isn't repeated.
    answer = answer_to(asked + b"\0\0\x29\x04\xd0\0\0\0\0\0\0")
    assert struct.unpack_from("!HHHHHH", answer) == (4711, 0x8180, 1, answers, 0, 0)
    assert answer[12 : len(asked)] == asked[12:]
    assert answer[len(asked) :].endswith(bytes([127, 0, 0, 1])) == bool(answers)
    assert bool(answer[len(asked) :]) == bool(answers)
