"""Errors, by what the caller can do about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtd.model.principal import Principal


class MtdError(Exception):
    """Base of the errors that mtd raises on purpose.

    ``hint`` says what to do about it, where the text doesn't.
    """

    hint: str = ""


class Retryable(MtdError):
    """It may succeed later: a peer is away, busy or slow."""


class Refused(MtdError):
    """It won't succeed as asked: not found, not permitted, not acceptable."""


class NotFound(Refused):
    """What was named doesn't exist."""


class Conflict(Refused):
    """It exists already, or changed since it was read."""


class AlreadyExists(Conflict):
    """The name is taken."""


class LeaseLost(Refused):
    """A lease is held no more: somebody else may have it. Ask for it anew."""


class Superseded(LeaseLost):
    """Another process does the same under the same name: this one has to let go of everything."""

    hint = "give each process a name of its own: daemon.collector_id; an edge enrols by itself"


class Unauthenticated(Refused):
    """Who calls didn't prove who they are.

    ``claimed``: whose proof it was that is no longer good. For the audit log: the caller isn't told.
    """

    claimed: Principal | None = None


class Forbidden(Refused):
    """Who calls is known, and may not do this. ``claimed``: who that is, where the error leaves those who know it."""

    claimed: Principal | None = None


class QuotaExceeded(Refused):
    """A tenant, or a caller, has used up what it is allowed. ``retry_after_s``: when it may be tried again; 0: no time helps."""

    def __init__(self, message: str, *, retry_after_s: float = 0.0, hint: str = "") -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.hint = hint


class Misconfigured(MtdError):
    """The operator has to change the configuration or the environment."""


class Bug(MtdError):
    """It can't happen, unless mtd is wrong."""
