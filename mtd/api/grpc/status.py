"""Errors of mtd as gRPC statuses.

Beside code and text, trailing metadata tell programs why (``mtd-reason``, an
upper-case word) and people what to do (``mtd-hint``, percent-encoded UTF-8);
``mtd-retry-after-s`` is when to try again, where that is known. The same is in
``grpc-status-details-bin``, in Google's vocabulary.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

import grpc

from mtd.api.errors import TooManyRequests, TooManyStreams
from mtd.api.grpc.details import KEY as DETAILS_KEY
from mtd.api.grpc.details import details_of
from mtd.core.errors import (
    AlreadyExists,
    Bug,
    Conflict,
    Forbidden,
    LeaseLost,
    Misconfigured,
    MtdError,
    NotFound,
    QuotaExceeded,
    Refused,
    Retryable,
    Unauthenticated,
)
from mtd.diagnostics.errors import ToolBusy, ToolForbidden
from mtd.discovery.errors import ScanBusy, SubnetNotListed
from mtd.queries.errors import TooManyQueries
from mtd.storage.errors import HistoryDamaged, RowUnusable, TooSlow
from mtd.storage.stores.places import InUse

REASON_KEY = "mtd-reason"
HINT_KEY = "mtd-hint"
RETRY_KEY = "mtd-retry-after-s"

# Trailing metadata have room for 8 KiB in all, and a text may be of a caller's making.
_MOST_TEXT = 1200

# The nearest class wins.
CODES: dict[type[BaseException], grpc.StatusCode] = {
    NotFound: grpc.StatusCode.NOT_FOUND,
    AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    Conflict: grpc.StatusCode.ABORTED,
    LeaseLost: grpc.StatusCode.ABORTED,
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    QuotaExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Refused: grpc.StatusCode.INVALID_ARGUMENT,
    TooManyRequests: grpc.StatusCode.RESOURCE_EXHAUSTED,
    TooManyStreams: grpc.StatusCode.RESOURCE_EXHAUSTED,
    TooManyQueries: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ToolBusy: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ToolForbidden: grpc.StatusCode.PERMISSION_DENIED,
    ScanBusy: grpc.StatusCode.RESOURCE_EXHAUSTED,
    SubnetNotListed: grpc.StatusCode.PERMISSION_DENIED,
    TooSlow: grpc.StatusCode.DEADLINE_EXCEEDED,
    InUse: grpc.StatusCode.FAILED_PRECONDITION,
    Retryable: grpc.StatusCode.UNAVAILABLE,
    Misconfigured: grpc.StatusCode.FAILED_PRECONDITION,
    RowUnusable: grpc.StatusCode.FAILED_PRECONDITION,
    HistoryDamaged: grpc.StatusCode.DATA_LOSS,
    Bug: grpc.StatusCode.INTERNAL,
    MtdError: grpc.StatusCode.UNKNOWN,
    TimeoutError: grpc.StatusCode.DEADLINE_EXCEEDED,
}

HINTS = {
    grpc.StatusCode.UNAUTHENTICATED: "give a token (--token-file, MTD_TOKEN) or a client certificate",
    grpc.StatusCode.PERMISSION_DENIED: "ask an administrator of the tenant for the role or scope",
    grpc.StatusCode.ABORTED: "read it again and repeat the change on what you find",
    grpc.StatusCode.UNAVAILABLE: "try again in a moment",
    grpc.StatusCode.DEADLINE_EXCEEDED: "try again, with a longer deadline or a smaller question",
    grpc.StatusCode.INTERNAL: "report it, with what the daemon logged at this moment",
}

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Status:
    """What a caller is told. ``retry_after_s`` is 0 where no time is known."""

    code: grpc.StatusCode
    reason: str
    message: str
    hint: str
    retry_after_s: float = 0.0

    def metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """Return the trailing metadata."""
        # Metadata are ASCII; spaces and marks stay readable.
        retry_after = f"{self.retry_after_s:g}" if self.retry_after_s > 0 else ""
        pairs = ((REASON_KEY, self.reason), (HINT_KEY, _quoted(self.hint)), (RETRY_KEY, retry_after))
        number: int = self.code.value[0]
        details = details_of(number, self.message, self.reason, self.hint, self.retry_after_s)
        return (*(pair for pair in pairs if pair[1]), (DETAILS_KEY, details))


def status_of(error: BaseException) -> Status:
    """Return the status of an error. What isn't ours is told as internal, without its text."""
    code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), None)
    if code is None:
        code = grpc.StatusCode.INTERNAL
        return Status(code, "INTERNAL", "mtd failed in a way that it did not foresee", HINTS[code])
    hint = _cut(getattr(error, "hint", "") or HINTS.get(code, ""))
    retry_after_s = getattr(error, "retry_after_s", 0.0)
    if isinstance(error, MtdError):
        reason = _WORD_START.sub("_", type(error).__name__).upper()
        return Status(code, reason, _cut(str(error)), hint, retry_after_s)
    return Status(code, code.name, "the call took longer than its deadline", hint)


def _quoted(text: str) -> str:
    return quote(text, safe=" !\"#$&'()*+,/:;<=>?@[]^`{|}")


def _cut(text: str) -> str:
    """Return a text as far as there is room for it as it is sent."""
    if len(_quoted(text)) <= _MOST_TEXT:
        return text
    room = _MOST_TEXT
    while len(_quoted(text[:room])) > _MOST_TEXT:
        room = room * 2 // 3
    return text[:room] + " ..."
