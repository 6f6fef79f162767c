from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.eventlog.encoding import checksum, decode_batch, encode_batch
from mtd.eventlog.errors import LogDamaged
from mtd.pb.events.v1.envelope_pb2 import Envelope, EventBatch
from tests.unit.eventlog.samples import SAMPLES


def make_event(text: str) -> Envelope:
    event = Envelope(tenant_id=text)
    event.state_changed.message = text
    return event


EVENTS = st.lists(
    st.text(max_size=300).map(make_event) | st.sampled_from(list(SAMPLES.values())) | st.just(Envelope()),
    min_size=1,
    max_size=20,
)


@given(EVENTS)
def test_a_batch_is_what_protobuf_would_write(events: list[Envelope]) -> None:
    assert EventBatch.FromString(encode_batch(events)) == EventBatch(events=events)


@given(EVENTS, st.integers(1, 2**62), st.integers(0, 2**62))
def test_a_batch_comes_back(events: list[Envelope], first_seq: int, appended_us: int) -> None:
    payload = encode_batch(events)
    last_seq = first_seq + len(events) - 1
    crc = checksum(first_seq, last_seq, appended_us, payload)
    assert decode_batch(first_seq, last_seq, appended_us, crc, payload) == events


@given(EVENTS, st.data())
def test_any_changed_bit_is_noticed(events: list[Envelope], data: st.DataObject) -> None:
    payload = encode_batch(events)
    crc = checksum(1, len(events), 5, payload)
    changed = bytearray(payload)
    position = data.draw(st.integers(0, len(payload) - 1))
    changed[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(LogDamaged):
        decode_batch(1, len(events), 5, crc, bytes(changed))


@pytest.mark.parametrize(("first_seq", "last_seq", "appended_us"), [(2, 3, 5), (1, 3, 5), (1, 2, 6)])
def test_a_batch_at_another_place_is_noticed(first_seq: int, last_seq: int, appended_us: int) -> None:
    payload = encode_batch([Envelope(), Envelope()])
    with pytest.raises(LogDamaged):
        decode_batch(first_seq, last_seq, appended_us, checksum(1, 2, 5, payload), payload)


def test_what_is_whole_but_no_batch_is_noticed() -> None:
    payload = b"\x0a\xff\xff"
    with pytest.raises(LogDamaged, match="decoded"):
        decode_batch(1, 1, 0, checksum(1, 1, 0, payload), payload)
    payload = encode_batch([Envelope()])
    with pytest.raises(LogDamaged, match="holds 1"):
        decode_batch(1, 2, 0, checksum(1, 2, 0, payload), payload)
