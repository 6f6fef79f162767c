"""What is asked of documents."""

from __future__ import annotations

import pytest

from mtd.api.grpc.snapshots import MAX_VERSIONS, before_asked, kind_asked, versions_asked
from mtd.core.errors import Refused
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb


def test_how_many_versions() -> None:
    assert versions_asked(pb.ListSnapshotVersionsRequest()) == 2
    assert versions_asked(pb.ListSnapshotVersionsRequest(limit=7)) == 7
    assert versions_asked(pb.ListSnapshotVersionsRequest(limit=10**6)) == MAX_VERSIONS
    with pytest.raises(Refused):
        versions_asked(pb.ListSnapshotVersionsRequest(limit=-1))


def test_which_and_from_when() -> None:
    assert kind_asked(pb.ListSnapshotVersionsRequest(kind="system.identity")) == "system.identity"
    assert before_asked(pb.ListSnapshotVersionsRequest(before_us=5)) == 5
    assert before_asked(pb.ListSnapshotVersionsRequest()) > 10**15
    for wrong in ("", "a\0"):
        with pytest.raises(Refused):
            kind_asked(pb.ListSnapshotVersionsRequest(kind=wrong))
    for time in (-1, 2**62 + 1):
        with pytest.raises(Refused):
            before_asked(pb.ListSnapshotVersionsRequest(before_us=time))
