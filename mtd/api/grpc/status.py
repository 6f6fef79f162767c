"""Errors of mtd as gRPC statuses.

Beside code and text, trailing metadata tell programs why (``mtd-reason``, an
upper-case word) and people what to do (``mtd-hint``, percent-encoded UTF-8).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

import grpc

from mtd.api.errors import TooManyStreams
from mtd.core.errors import (
    AlreadyExists,
    Bug,
    Conflict,
    Forbidden,
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

REASON_KEY = "mtd-reason"
HINT_KEY = "mtd-hint"

# The nearest class wins.
CODES: dict[type[BaseException], grpc.StatusCode] = {
    NotFound: grpc.StatusCode.NOT_FOUND,
    AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    Conflict: grpc.StatusCode.ABORTED,
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    QuotaExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Refused: grpc.StatusCode.INVALID_ARGUMENT,
    TooManyStreams: grpc.StatusCode.RESOURCE_EXHAUSTED,
    TooManyQueries: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ToolBusy: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ToolForbidden: grpc.StatusCode.PERMISSION_DENIED,
    ScanBusy: grpc.StatusCode.RESOURCE_EXHAUSTED,
    SubnetNotListed: grpc.StatusCode.PERMISSION_DENIED,
    TooSlow: grpc.StatusCode.DEADLINE_EXCEEDED,
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
    """What a caller is told."""

    code: grpc.StatusCode
    reason: str
    message: str
    hint: str

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the trailing metadata."""
        # Metadata are ASCII; spaces and marks stay readable.
        pairs = ((REASON_KEY, self.reason), (HINT_KEY, quote(self.hint, safe=" !\"#$&'()*+,/:;<=>?@[]^`{|}")))
        return tuple(pair for pair in pairs if pair[1])


def status_of(error: BaseException) -> Status:
    """Return the status of an error. What isn't ours is told as internal, without its text."""
    code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), None)
    if code is None:
        code = grpc.StatusCode.INTERNAL
        return Status(code, "INTERNAL", "mtd failed in a way that it did not foresee", HINTS[code])
    hint = getattr(error, "hint", "") or HINTS.get(code, "")
    if isinstance(error, MtdError):
        return Status(code, _WORD_START.sub("_", type(error).__name__).upper(), str(error), hint)
    return Status(code, code.name, "the call took longer than its deadline", hint)
