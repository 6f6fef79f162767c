"""Documents of devices, as calls give them back."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtd.client.values import moment
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """A kind of document: its versions, and since when it is as it is. ``sha256`` is in hexadecimal digits."""

    kind: str
    versions: int
    changed_at: dt.datetime
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class SnapshotVersion:
    """A document as it was from then on."""

    changed_at: dt.datetime
    sha256: str
    content: str

    def document(self) -> Mapping[str, str] | Sequence[Mapping[str, str]]:
        """Return the document itself: a row, or a list of rows."""
        found: Mapping[str, str] | Sequence[Mapping[str, str]] = json.loads(self.content)
        return found


def snapshots_of(message: pb.ListSnapshotsResponse) -> list[SnapshotInfo]:
    """Read ListSnapshotsResponse."""
    return [
        SnapshotInfo(one.kind, one.versions, moment(one.collected_at_us), one.sha256.hex(), one.size_bytes)
        for one in message.snapshots
    ]


def snapshot_versions_of(message: pb.ListSnapshotVersionsResponse) -> list[SnapshotVersion]:
    """Read ListSnapshotVersionsResponse."""
    return [
        SnapshotVersion(moment(one.collected_at_us), one.sha256.hex(), one.content)
        for one in message.versions
    ]
