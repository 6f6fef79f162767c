"""Testing a connection: what `mtd device test` and the form of a new router show."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mtd.model.command import Command
from mtd.model.device import Outcome
from mtd.model.text import decode_text
from mtd.sources.errors import SessionFailed
from mtd.sources.steps import Steps, TestStep

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.command import Reply
    from mtd.model.device import Device
    from mtd.sources.session_source import Session

_RESOURCE = Command("/system/resource/print", ("version", "board-name"))
_IDENTITY = Command("/system/identity/print", ("name",))


@dataclass(slots=True)
class ConnectionTest:
    """What came of a test: the steps up to the first that failed, and what was learned."""

    outcome: Outcome
    reason: str
    steps: list[TestStep] = field(default_factory=list)
    routeros_version: str = ""
    board_name: str = ""
    identity: str = ""
    tls_fingerprint: str = ""

    @property
    def ok(self) -> bool:
        """Whether the router can be polled with these settings."""
        return self.outcome is Outcome.OK


async def try_session(
    device: Device, open_session: Callable[[Steps], Awaitable[Session]], clock: Clock, rights: str
) -> ConnectionTest:
    """Open a session, read who the router is, and close it. Never raises for what a router does.

    ``rights`` names the policies that a user's group needs.
    """
    steps = Steps(clock)
    result = ConnectionTest(Outcome.OK, "")
    try:
        session = await open_session(steps)
        try:
            await _read(session, device, rights, steps, result)
        finally:
            await session.close()
    except SessionFailed as failure:
        result.outcome, result.reason = failure.outcome, failure.reason
    result.steps = steps.taken
    result.tls_fingerprint = steps.tls_fingerprint
    return result


async def _read(session: Session, device: Device, rights: str, steps: Steps, result: ConnectionTest) -> None:
    with steps.step("read") as step:
        resource, identity = await session.run((_RESOURCE, _IDENTITY), device.command_timeout_s)
        for reply in (resource, identity):
            if reply.trap is not None:
                raise _denied(device, rights, reply)
        result.routeros_version = _text(device, resource, "version")
        result.board_name = _text(device, resource, "board-name")
        result.identity = _text(device, identity, "name")
        step.detail = f"{result.identity}, {result.board_name}, RouterOS {result.routeros_version}"
        result.reason = step.detail


def _denied(device: Device, rights: str, reply: Reply) -> SessionFailed:
    message = reply.trap.message if reply.trap is not None else ""
    if reply.trap is not None and reply.trap.not_permitted:
        return SessionFailed(
            Outcome.NOT_PERMITTED,
            f"user {device.username!r} may log in, but not read {reply.command.path} ({message}): give its "
            f"group {rights}",
        )
    outcome = Outcome.COMMAND_FAILED
    if reply.trap is not None and reply.trap.too_large:
        outcome = Outcome.REPLY_TOO_LARGE
    elif reply.trap is not None and reply.trap.timed_out:
        outcome = Outcome.TIMED_OUT
    return SessionFailed(outcome, f"{reply.command.path} failed: {message}")


def _text(device: Device, reply: Reply, key: str) -> str:
    value = next(iter(reply.rows.column(key)), None)
    return decode_text(value or b"", device.code_page)
