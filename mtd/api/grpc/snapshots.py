"""Documents as the protocol shows them, and what was asked of them."""

from __future__ import annotations

from collections.abc import Sequence

from mtd.api.grpc.slices import page_of
from mtd.core.errors import Refused
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb
from mtd.queries.snapshots import SnapshotSummary, SnapshotVersion

DEFAULT_VERSIONS = 2
MAX_VERSIONS = 100
MAX_KINDS = 1000
MAX_BYTES = 16 * 1024 * 1024
_EVER_US = 2**62
_LONGEST_TIME = 18  # digits


def snapshots_message(
    kinds: Sequence[SnapshotSummary], page_size: int = 0, after: str = ""
) -> pb.ListSnapshotsResponse:
    """Return a page of kinds of documents, by name, as a message."""
    page, following = page_of(kinds, lambda one: one.kind, page_size, MAX_KINDS, after)
    return pb.ListSnapshotsResponse(
        snapshots=[
            pb.Snapshot(
                kind=one.kind,
                versions=one.versions,
                collected_at_us=one.collected_us,
                sha256=one.sha256,
                size_bytes=one.size,
            )
            for one in page
        ],
        next_page_token=following,
    )


def versions_message(
    versions: Sequence[SnapshotVersion], asked: int, max_bytes: int = MAX_BYTES
) -> pb.ListSnapshotVersionsResponse:
    """Return versions of a document as a message: so many were asked for, of so many bytes."""
    size = sum(len(one.content.encode()) for one in versions)
    # Fewer than were asked for, and not many bytes: there were no more.
    more = bool(versions) and (len(versions) >= asked or size * 2 >= max_bytes)
    return pb.ListSnapshotVersionsResponse(
        versions=[
            pb.SnapshotVersion(collected_at_us=one.collected_us, sha256=one.sha256, content=one.content)
            for one in versions
        ],
        next_page_token=str(versions[-1].collected_us) if more else "",
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
    return min(request.limit or request.page_size or DEFAULT_VERSIONS, MAX_VERSIONS)


def before_asked(request: pb.ListSnapshotVersionsRequest) -> int:
    """Return before when the versions have to be, microseconds since the epoch. Raises Refused."""
    if not 0 <= request.before_us <= _EVER_US:
        raise Refused("before_us is no time")
    if request.page_token:
        if not request.page_token.isdecimal() or len(request.page_token) > _LONGEST_TIME:
            raise Refused("page_token is not one that this server gave out; begin without a token")
        return int(request.page_token)
    # PostgreSQL's own end of time is far behind this one.
    return request.before_us or 253_402_300_799_000_000
