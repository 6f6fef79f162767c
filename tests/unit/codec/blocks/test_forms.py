"""Each kind of series takes the form that suits it, and few bytes."""

import numpy as np
import pytest
import zstandard

from mtd.codec.blocks import Block, Damaged, decode_counters, decode_gauges, encode_counters, encode_gauges
from mtd.codec.blocks.planes import unpack_bytes

RANDOM = np.random.default_rng(20)


def shape(block: Block) -> str:
    return block.form if block.values is None else f"{block.form}{block.values.dtype.itemsize}"


def walk(mean: float, noise: float) -> np.ndarray:
    return (10**15 + np.cumsum(RANDOM.normal(mean, noise, 3600))).astype(np.int64)


@pytest.mark.parametrize(
    ("values", "readable", "dense_bytes"),
    [
        pytest.param(np.full(3600, 2**62), "c", 20, id="idle"),
        pytest.param(np.arange(3600) + 7, "d1", 20, id="uptime"),
        pytest.param(walk(100, 20), "d2", 3000, id="packets"),
        pytest.param(walk(60_000_000, 2_000_000), "d4", 11_000, id="bytes"),
        pytest.param(RANDOM.integers(0, 200, 3600), "o1", 3600, id="noise of a byte"),
        pytest.param(RANDOM.integers(0, 50_000, 3600), "o2", 7300, id="noise of two bytes"),
        pytest.param(RANDOM.integers(-(2**63), 2**63 - 1, 3600), "o8", 29_000, id="noise"),
    ],
)
def test_counters(values, readable, dense_bytes):
    assert shape(encode_counters(values, None)) == readable
    assert len(encode_counters(values, None, dense=True).packed) <= dense_bytes


@pytest.mark.parametrize(
    ("values", "readable", "divisor"),
    [
        pytest.param(np.full(60, 36.5), "c", 10, id="one value"),
        pytest.param(np.full(60, 1 / 3), "c", 3, id="one fraction"),
        pytest.param(np.full(60, -0.0), "f8", 1, id="a zero below zero"),
        pytest.param(np.full(60, np.inf), "f8", 1, id="no end"),
        pytest.param(RANDOM.integers(300, 400, 60) / 10, "o1", 10, id="tenths"),
        pytest.param(RANDOM.integers(0, 30_000, 60) / 1000, "o2", 1000, id="thousandths"),
        pytest.param(RANDOM.random(60), "f8", 1, id="floats"),
        pytest.param(np.array([1.0, 2.0**60]), "f8", 1, id="beyond what doubles tell apart"),
    ],
)
def test_gauges(values, readable, divisor):
    block = encode_gauges(values)
    assert (shape(block), block.divisor) == (readable, divisor)


def test_a_constant_with_absence_has_places_for_it():
    absent = np.arange(60) % 7 == 0
    block = encode_counters(np.full(60, 5), absent)
    assert shape(block) == "o1"
    assert block.absent is not None
    assert block.points == 60 - int(absent.sum())


def test_a_reset_leaves_the_dense_form_dense():
    values = walk(1000, 30)
    dense = len(encode_counters(values, None, dense=True).packed)
    values[1800:] -= values[1800] - 12
    assert len(encode_counters(values, None, dense=True).packed) < 1.1 * dense
    assert shape(encode_counters(values, None)) == "o8"


def test_few_values_are_stored_by_width():
    values = np.cumsum(np.full(60, 1000))
    assert shape(encode_counters(values + RANDOM.integers(0, 50, 60), None)) == "o2"


@pytest.mark.parametrize("values", [walk(1000, 30), np.full(9, 4), RANDOM.integers(0, 2, 3600).cumsum()])
def test_damage_is_told(values):
    packed = encode_counters(values, RANDOM.random(len(values)) < 0.1, dense=True).packed
    for length in {*range(0, len(packed), max(1, len(packed) // 60)), len(packed) - 1}:
        with pytest.raises(Damaged):
            decode_counters(Block("z", 0, 1, 0, None, None, packed[:length]), len(values))
    with pytest.raises(Damaged):
        decode_counters(Block("z", 0, 1, 0, None, None, packed + b"\0"), len(values))


def test_a_plane_that_says_it_is_huge_gets_no_room():
    frame = b"\xe0" + (2**40).to_bytes(8, "little") + bytes(9)
    assert zstandard.frame_content_size(zstandard.MAGIC_NUMBER.to_bytes(4, "little") + frame) == 2**40
    with pytest.raises(Damaged, match="says how long it is"):
        unpack_bytes(bytes((2, len(frame))) + frame, 0, 500)


def test_floats_are_no_counters():
    block = encode_gauges(RANDOM.random(10), dense=True)
    assert np.isfinite(decode_gauges(block, 10)).all()
    with pytest.raises(Damaged):
        decode_counters(block, 10)
