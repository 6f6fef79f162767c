"""Documents as the protocol shows them, and what was asked of them."""

from __future__ import annotations

from collections.abc import Sequence

from mtd.core.errors import Refused
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb
from mtd.queries.snapshots import SnapshotSummary, SnapshotVersion

DEFAULT_VERSIONS = 2
MAX_VERSIONS = 100
MAX_BYTES = 16 * 1024 * 1024
_EVER_US = 2**62


def snapshots_message(kinds: Sequence[SnapshotSummary]) -> pb.ListSnapshotsResponse:
    """Return kinds of documents as a message."""
    return pb.ListSnapshotsResponse(
        snapshots=[
            pb.Snapshot(
                kind=one.kind,
                versions=one.versions,
                collected_at_us=one.collected_us,
                sha256=one.sha256,
                size_bytes=one.size,
            )
            for one in kinds
        ]
    )


def versions_message(versions: Sequence[SnapshotVersion]) -> pb.ListSnapshotVersionsResponse:
    """Return versions of a document as a message."""
    return pb.ListSnapshotVersionsResponse(
        versions=[
            pb.SnapshotVersion(collected_at_us=one.collected_us, sha256=one.sha256, content=one.content)
            for one in versions
        ]
    )


def kind_asked(request: pb.ListSnapshotVersionsRequest) -> str:
    """Return which document is wanted. Raises Refused."""
    if not request.kind or "\0" in request.kind:
        raise Refused("say which kind of document: ListSnapshots names those that the device has")
    return request.kind


def versions_asked(request: pb.ListSnapshotVersionsRequest) -> int:
    """Return how many versions an answer may have. Raises Refused."""
    if request.limit < 0:
        raise Refused("limit can't be negative")
    return min(request.limit or DEFAULT_VERSIONS, MAX_VERSIONS)


def before_asked(request: pb.ListSnapshotVersionsRequest) -> int:
    """Return before when the versions have to be, microseconds since the epoch. Raises Refused."""
    if not 0 <= request.before_us <= _EVER_US:
        raise Refused("before_us is no time")
    # PostgreSQL's own end of time is far behind this one.
    return request.before_us or 253_402_300_799_000_000
