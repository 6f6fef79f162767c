"""What an edge failed with, as the error that it was there."""

from __future__ import annotations

from mtd.core.errors import MtdError, NotFound, Refused, Retryable
from mtd.diagnostics.errors import CollectorUnable, RouterRefused, ToolBusy, ToolForbidden
from mtd.model.device import Outcome
from mtd.pb.collector.v1 import collector_link_service_pb2 as pb
from mtd.scheduler.errors import PollTooSoon
from mtd.sources.errors import SessionFailed

_SAME: dict[str, type[MtdError]] = {
    kind.__name__: kind
    for kind in (
        *(NotFound, Refused, Retryable, PollTooSoon),
        *(ToolBusy, ToolForbidden, RouterRefused, CollectorUnable),
    )
}


def error_of(failure: pb.CommandFailure, collector: str) -> MtdError:
    """Return the error; one that is unknown here may have been of that moment."""
    text = f"the collector {collector!r} says: {failure.message}"
    if failure.error == SessionFailed.__name__:
        outcome, _, reason = failure.message.partition(": ")
        if outcome in set(Outcome):
            return SessionFailed(Outcome(outcome), reason, retry_after_s=failure.retry_after_s)
    error = _SAME.get(failure.error, Retryable)(text)
    if failure.hint:
        error.hint = failure.hint
    if isinstance(error, PollTooSoon):
        error.retry_after_s = failure.retry_after_s
    return error
