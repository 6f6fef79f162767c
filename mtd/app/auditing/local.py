"""Entries of the audit log about work beside the daemon: who is known by the operating system only. Blocking."""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mtd.core.errors import MtdError
from mtd.model.audit import OK, STARTED, AuditEntry
from mtd.model.principal import CallerKind
from mtd.model.tenant import NO_TENANT_ID
from mtd.storage.audit_blocking import audit_blocking

FAILED = "UNKNOWN"
"""The outcome of a command that failed."""


def local_entry(
    action: str,
    outcome: str = OK,
    *,
    target: str = "",
    detail: Mapping[str, str] | None = None,
    tenant_id: str = NO_TENANT_ID,
) -> AuditEntry:
    """Return the entry of a deed of whoever runs this command, as the operating system knows them."""
    more = {"host": socket.gethostname(), "pid": str(os.getpid()), **(detail or {})}
    # Who became another user to run it.
    if os.environ.get("SUDO_USER"):
        more["sudo_user"] = os.environ["SUDO_USER"]
    # Over SSH: address and port of both ends.
    peer = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    uid = f"uid-{os.getuid()}"
    return AuditEntry(
        action,
        outcome,
        tenant_id,
        str(CallerKind.LOCAL),
        _login(uid),
        uid,
        peer=peer or "this machine",
        target=target,
        detail=more,
    )


@contextmanager
def audited(
    dsn: str, action: str, *, target: str = "", detail: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Write down that work on a database begins and how it ended: of a process that died, the beginning stays."""
    audit_blocking(dsn, local_entry(action, STARTED, target=target, detail=detail))
    try:
        yield
    except BaseException as error:
        # What kept the work from its end may keep this from being written as well: that one is told.
        with contextlib.suppress(MtdError):
            failed = {**(detail or {}), "error": type(error).__name__}
            audit_blocking(dsn, local_entry(action, FAILED, target=target, detail=failed))
        raise
    audit_blocking(dsn, local_entry(action, target=target, detail=detail))


def _login(otherwise: str) -> str:
    # Not what the environment says, which whoever runs it may choose.
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return otherwise
