"""What lines of the log carry without being told: whose work it is, and what it is about.

Kept in a context variable. A task has those of whoever began it, so that the
loop of a device says once which device it is, and all that it calls, down to
the session, writes lines that name it. Nothing is done until a line is written.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from mtd.core import tracing

_NONE: Mapping[str, object] = MappingProxyType({})
_fields: ContextVar[Mapping[str, object]] = ContextVar("mtd_log_fields", default=_NONE)
_request: ContextVar[Mapping[str, object]] = ContextVar("mtd_log_request", default=_NONE)
_process: dict[str, object] = {}
# What these write they write in whatever context they happen to be: when an object is let go of, say.
_ANYWHERE = ("asyncio", "twisted")
# What a caller may call its request: it goes into our log as it is.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def describe_process(**fields: object) -> None:
    """Have every line of the process carry these."""
    _process.update(fields)


def bind(**fields: object) -> None:
    """Have the lines of this task, and of those that it begins from now on, carry these as well."""
    _fields.set({**_fields.get(), **fields})


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Have lines carry these as well, within the context."""
    before = _fields.get()
    _fields.set({**before, **fields})
    try:
        yield
    finally:
        _fields.set(before)


@contextmanager
def request(**fields: object) -> Iterator[None]:
    """Have lines carry these within the context, as of a request that is answered meanwhile."""
    before = _request.get()
    _request.set({**before, **fields})
    try:
        yield
    finally:
        _request.set(before)


def of_request(**fields: object) -> None:
    """Add what is only found out of the request that is being answered."""
    _request.set({**_request.get(), **fields})


def leave_request() -> None:
    """Carry nothing of the request, nor of its trace: for work that goes on when it is long answered."""
    _request.set(_NONE)
    tracing.detached()


def fields(logger: str = "") -> dict[str, object]:
    """Return what a line that is written now carries. ``logger``: who writes it."""
    if logger.startswith(_ANYWHERE):
        return dict(_process)
    found = {**_process, **_request.get(), **_fields.get()}
    if trace := tracing.trace_id():
        found["trace_id"] = trace
    return found


def request_id(given: str = "") -> str:
    """Return the id of a request: the one that its caller gave, if it can be written as it is, or a new one."""
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
