"""What a hub commands an edge to do: carried out, some at a time, each within its time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from mtd.core.errors import MtdError
from mtd.core.service import TaskGroup
from mtd.link.metrics import COMMANDS_RUN
from mtd.model.assignment import AssignedDevice
from mtd.pb.collector.v1 import collector_link_service_pb2 as pb

if TYPE_CHECKING:
    from mtd.link.interfaces import Handler

logger = logging.getLogger(__name__)

_LONGEST_S = 3600.0

Say = Callable[[pb.CommandUpdate], Awaitable[None]]
"""Tells the hub; waits while it doesn't listen."""

Find = Callable[[str], AssignedDevice | None]
"""Return a device that is polled here, by its id."""


class Errands:
    """The commands of one link: they end with it."""

    def __init__(self, handler: Handler, most: int, say: Say, find: Find) -> None:
        self._handler = handler
        self._most = most
        self._say = say
        self._find = find
        self._running: dict[str, asyncio.Task[None]] = {}
        self._tasks = TaskGroup("link.commands")

    async def take(self, command: pb.Command) -> None:
        """Begin a command."""
        kind = command.WhichOneof("work") or "unknown"
        command_id = command.command_id
        if len(self._running) >= self._most or command_id in self._running:
            COMMANDS_RUN.labels(command=kind, result="refused").inc()
            await self._fail(
                command_id, "Retryable", f"this collector does {self._most} things at a time already"
            )
            return
        task = self._tasks.spawn(kind, self._run(command, kind))
        self._running[command_id] = task
        task.add_done_callback(lambda _: self._running.pop(command_id, None))

    def cancel(self, command_id: str) -> None:
        """Nobody waits for a command any more."""
        task = self._running.get(command_id)
        if task is not None:
            task.cancel()

    async def stop(self) -> None:
        """End all of them."""
        await self._tasks.stop()

    async def _run(self, command: pb.Command, kind: str) -> None:
        result = "cancelled"
        try:
            async with asyncio.timeout(min(max(command.timeout_s, 0.0), _LONGEST_S)):
                await self._carry_out(command)
            result = "ok"
        except TimeoutError:
            result = "late"
            await self._fail(command.command_id, "Retryable", "it took longer than anybody waits for it")
        except MtdError as error:
            result = "failed"
            retry_after_s = getattr(error, "retry_after_s", 0.0)
            await self._fail(command.command_id, type(error).__name__, str(error), error.hint, retry_after_s)
        except Exception as error:
            result = "failed"
            # Not the command: there are passwords in it.
            logger.exception("the hub's command %s failed", kind)
            await self._fail(command.command_id, "Bug", f"the collector failed: {type(error).__name__}")
        finally:
            COMMANDS_RUN.labels(command=kind, result=result).inc()

    async def _carry_out(self, command: pb.Command) -> None:
        updates = self._handler.run(command, self._find(_device_id_in(command)))
        async with aclosing(updates):
            async for update in updates:
                update.command_id = command.command_id
                await self._say(update)

    async def _fail(
        self, command_id: str, error: str, message: str, hint: str = "", retry_after_s: float = 0.0
    ) -> None:
        failure = pb.CommandFailure(error=error, message=message, hint=hint, retry_after_s=retry_after_s)
        await self._say(pb.CommandUpdate(command_id=command_id, failure=failure))


def _device_id_in(command: pb.Command) -> str:
    match command.WhichOneof("work"):
        case "refresh_capabilities":
            return command.refresh_capabilities.device_id
        case "poll_now":
            return command.poll_now.device_id
        case "test_connection":
            return command.test_connection.device.device_id
        case "run_tool":
            return command.run_tool.device.device_id
        case _:
            return ""


class NoErrands:
    """A `Handler` that can do nothing."""

    capabilities: list[str] = []

    async def run(
        self, command: pb.Command, assigned: AssignedDevice | None
    ) -> AsyncGenerator[pb.CommandUpdate, None]:
        """Refuse."""
        failure = pb.CommandFailure(error="Refused", message="this collector carries out no commands")
        yield pb.CommandUpdate(failure=failure)
