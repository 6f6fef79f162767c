"""The bench of flows reads what was sent, and says so if somebody doesn't."""

from __future__ import annotations

import pytest

from mtd.codec.flows import Exporter
from mtd.testing.flows.prepared import FORMS, Prepared, prepare, restamped
from mtd.testing.flows.reading import measure_reading
from mtd.testing.harness import HarnessFailed


def silent(_text: str) -> None:
    pass


@pytest.fixture(scope="module", params=sorted(FORMS))
def prepared(request: pytest.FixtureRequest) -> Prepared:
    return prepare(request.param, 3, 400, key=1)


def test_every_contender_reads_the_same_datagrams(prepared: Prepared) -> None:
    figures = measure_reading(prepared, 1, silent)
    assert figures["records"] == prepared.truth.records == 1200
    assert figures["datagrams"] == len(prepared.datagrams)
    assert 0 < figures["block_bytes_per_record"] < figures["datagram_bytes_per_record"]
    for name in ("decode", "decode_encode", "netflow_package"):
        assert figures[f"{name}_records_per_s"] > 0
    assert figures["times_the_package"] > 1


def test_what_is_read_otherwise_is_no_measurement() -> None:
    prepared = prepare("netflow5", 1, 100, key=1)
    prepared.truth.octets += 1
    with pytest.raises(HarnessFailed, match="decode read 100 records"):
        measure_reading(prepared, 1, silent)


def test_datagrams_can_be_sent_later_than_they_were_made(prepared: Prepared) -> None:
    later = 1_900_000_000
    exporter = Exporter()
    for datagram in restamped(prepared.datagrams, later):
        exporter.feed(datagram, 1)
    flows = exporter.take()
    assert sum(one.count for one in flows) == prepared.truth.records
    assert {int(at) // 1000 for one in flows for at in one.exported_ms} == {later}
    assert not exporter.counts.malformed
