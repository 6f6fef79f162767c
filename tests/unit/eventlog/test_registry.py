"""Names of payloads, and the bytes that logs in the field hold under them.

A golden sample is never edited: it is what an older mtd wrote. A payload that
changes its meaning gets a new version, an upcaster, and a sample of its own.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mtd.core.errors import NotFound
from mtd.eventlog.registry import BY_FIELD, BY_NAME, PAYLOAD_TYPES, PayloadType, payload_type
from mtd.eventlog.upcast import UPCASTERS
from mtd.model.events import payload_kind
from mtd.pb.events.v1.envelope_pb2 import Envelope
from tests.unit.eventlog.samples import SAMPLES

GOLDEN = Path(__file__).parent / "golden"


def read_golden(name: str) -> bytes:
    return bytes.fromhex((GOLDEN / f"{name}.hex").read_text())


def test_every_payload_of_the_envelope_has_a_name() -> None:
    fields = {field.name for field in Envelope.DESCRIPTOR.oneofs_by_name["payload"].fields}
    assert set(BY_FIELD) == fields
    assert len(BY_NAME) == len(PAYLOAD_TYPES)


def test_every_payload_has_a_golden_sample() -> None:
    assert {path.stem for path in GOLDEN.glob("*.hex")} == set(SAMPLES)
    assert {name.partition("+")[0] for name in SAMPLES} == {str(entry) for entry in PAYLOAD_TYPES}


@pytest.mark.parametrize("name", SAMPLES)
def test_old_bytes_mean_today_what_they_meant(name: str) -> None:
    event = Envelope.FromString(read_golden(name))
    assert str(payload_type(event)) == name.partition("+")[0]
    assert UPCASTERS.upcast(event) == SAMPLES[name]


@pytest.mark.parametrize("name", SAMPLES)
def test_today_the_same_bytes_are_written(name: str) -> None:
    assert SAMPLES[name].SerializeToString(deterministic=True) == read_golden(name)


@pytest.mark.parametrize("entry", PAYLOAD_TYPES, ids=str)
def test_a_sample_sets_every_field(entry: PayloadType) -> None:
    """A field that a sample leaves out could change its meaning unseen."""
    payloads = [
        getattr(sample, entry.field)
        for name, sample in SAMPLES.items()
        if name.partition("+")[0] == str(entry)
    ]
    assert {field.name for payload in payloads for field, _ in payload.ListFields()} == {
        field.name for field in payloads[0].DESCRIPTOR.fields
    }


def test_a_payload_of_the_future_has_no_name_here() -> None:
    event = Envelope.FromString(Envelope(tenant_id="t").SerializeToString() + b"\xfa\x06\x02ab")  # field 111
    assert payload_kind(event) == ""
    with pytest.raises(NotFound):
        payload_type(event)
    # What we don't know we hand on unchanged.
    assert event.SerializeToString().endswith(b"\xfa\x06\x02ab")
