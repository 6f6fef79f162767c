"""The caller that a task works for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mtd.core.errors import Bug
from mtd.model.principal import Principal

_CURRENT: ContextVar[Principal] = ContextVar("mtd_principal")


def principal() -> Principal:
    """Return who is served by this task. A door set it: Bug where none did."""
    try:
        return _CURRENT.get()
    except LookupError:
        raise Bug("a call is served without a caller") from None


def tenant_id() -> str:
    """Return the tenant that this task works for."""
    return principal().tenant_id


@contextmanager
def serving(caller: Principal) -> Iterator[None]:
    """Serve a caller within the context."""
    token = _CURRENT.set(caller)
    try:
        yield
    finally:
        _CURRENT.reset(token)
