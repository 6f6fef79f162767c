from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.core.errors import Bug
from mtd.listeners.pipe import COUNTS, PORTION, frame, frames_of
from mtd.testing import run_async

FRAMES = st.lists(st.tuples(st.sampled_from([PORTION, COUNTS]), st.binary(max_size=300)), max_size=8)


def read(*pieces: bytes) -> list[tuple[bytes, bytes]]:
    async def main() -> list[tuple[bytes, bytes]]:
        reader = asyncio.StreamReader()
        for piece in pieces:
            reader.feed_data(piece)
        reader.feed_eof()
        return [one async for one in frames_of(reader)]

    return run_async(main())


@given(FRAMES, st.integers(0, 1000))
def test_frames_come_as_they_were_written_and_one_that_is_cut_off_is_left_out(
    frames: list[tuple[bytes, bytes]], cut: int
) -> None:
    written = [frame(kind, body) for kind, body in frames]
    whole = b"".join(written)
    assert read(whole[:cut], whole[cut:]) == frames
    ends = [sum(map(len, written[: number + 1])) for number in range(len(written))]
    assert read(whole[:cut]) == frames[: sum(end <= cut for end in ends)]


@pytest.mark.parametrize("data", [b"X\0\0\0\0", b"P\xff\xff\xff\xff"])
def test_what_nobody_understands_is_a_bug(data: bytes) -> None:
    with pytest.raises(Bug, match="nobody understands"):
        read(data)
