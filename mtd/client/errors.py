"""The one error that the client raises."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

RETRIED_CODES = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED", "DEADLINE_EXCEEDED"})

_HANDSHAKE_WORDS = ("SSL_ERROR", "CERTIFICATE", "certificate", "handshake", "Peer name")
_NO_CONNECTION = "failed to connect to all addresses"
_UNTOLD_HINTS = {
    "UNAUTHENTICATED": "give a token or a client certificate that the daemon knows",
    "PERMISSION_DENIED": "ask an administrator of the tenant for the role or scope",
}


class MtdClientError(Exception):
    """A call failed.

    ``code`` is the gRPC status, such as ``NOT_FOUND``; ``reason`` a word for
    programs, such as ``SETTINGS_REFUSED``; ``hint`` what to do about it.
    ``retry_after_s`` is when to try again, 0 where the daemon didn't say.
    """

    def __init__(
        self, message: str, *, code: str, reason: str = "", hint: str = "", retry_after_s: float = 0.0
    ) -> None:
        super().__init__(message, code, reason, hint)
        self.retry_after_s = retry_after_s
        self.is_unsent = False
        """Whether the daemon certainly never got the call."""
        self.message = message
        self.code = code
        self.reason = reason or code
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    @property
    def is_retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return self.code in RETRIED_CODES


def error_of(failed: Any, target: str) -> MtdClientError:
    """Return the error of a gRPC call that failed, of either kind of client."""
    code = failed.code().name
    metadata = {key: value for key, value in failed.trailing_metadata() or ()}
    reason, hint = metadata.get("mtd-reason", ""), unquote(metadata.get("mtd-hint", ""))
    retry_after_s = _seconds(metadata.get("mtd-retry-after-s", ""))
    message = failed.details() or code
    if code == "UNAVAILABLE" and not reason and any(word in message for word in _HANDSHAKE_WORDS):
        message, reason = f"mtd at {target} and this client don't trust each other", "TLS"
        hint = (
            "does the daemon serve TLS there, is the CA certificate the one that signed the daemon's, is the "
            "name that is called in the daemon's certificate, and is the client's certificate still good?"
        )
    elif code == "UNAVAILABLE" and not reason:
        # The daemon didn't say it, so it wasn't reached: gRPC's text names sockets and internals.
        message, reason = f"can't reach mtd at {target}", "UNREACHABLE"
        hint = "is the daemon running (it takes a while to start: its /readyz tells), is this its gRPC address, and does it ask for TLS there (--ca-file)?"
    elif code == "DEADLINE_EXCEEDED" and not reason:
        message = f"mtd at {target} did not answer in time"
    elif code in _UNTOLD_HINTS and not hint:  # a proxy's answer, or an old daemon's
        hint = _UNTOLD_HINTS[code]
    error = MtdClientError(message, code=code, reason=reason, hint=hint, retry_after_s=retry_after_s)
    error.is_unsent = reason == "UNREACHABLE" and _NO_CONNECTION in (failed.details() or "")
    return error


def _seconds(text: str) -> float:
    try:
        return max(0.0, float(text)) if text else 0.0
    except ValueError:
        return 0.0


def closed_error() -> MtdClientError:
    """Return the error of a call on a closed client."""
    return MtdClientError("this client is closed", code="CANCELLED", reason="CLOSED")


def forked_error() -> MtdClientError:
    """Return the error of a call in a child of the process that connected."""
    return MtdClientError(
        "this client connected before the process forked",
        code="FAILED_PRECONDITION",
        reason="FORKED",
        hint="create the client in the child",
    )
