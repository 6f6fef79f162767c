"""Answering commands over SNMP, as far as there are words for them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mtd.model.command import CANCELLED_TIMED_OUT, CANCELLED_TOO_LARGE, Command, Reply, Rows, Trap
from mtd.model.device import Outcome, Way
from mtd.sources.errors import SessionFailed
from mtd.sources.replies import not_served
from mtd.sources.snmp import metrics, reasons
from mtd.sources.snmp.asking import Ask
from mtd.sources.snmp.link import TooManyRows, first_of
from mtd.sources.snmp.reader import Reader

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.plugin.declaration.snmp import SnmpTable
    from mtd.sources.snmp.config import SnmpConfig
    from mtd.sources.snmp.link import SnmpLink

# Commands that were looked into are remembered; a device is asked a few dozen.
_REMEMBERED = 1024


class SnmpSession:
    """What is asked of one agent while it answers. ``failure`` stays once it is set."""

    def __init__(
        self, link: SnmpLink, tables: Mapping[str, SnmpTable], settings: SnmpConfig, clock: Clock
    ) -> None:
        self.failure: SessionFailed | None = None
        self.commands = 0
        self.sent_bytes = 0  # computed, see `mtd.sources.snmp.sizes`
        self.received_bytes = 0
        self._link = link
        self._tables = tables
        self._clock = clock
        self._reader = Reader(link, settings, clock)
        self._asks: dict[Command, Ask | None] = {}

    async def run(self, commands: Sequence[Command], timeout_s: float) -> list[Reply]:
        """Answer commands, all under way at once; see `ISource.run`."""
        if self.failure is not None:
            raise SessionFailed(self.failure.outcome, self.failure.reason)
        started = self._clock.monotonic()
        running: list[asyncio.Task[Reply]] = []
        failure: SessionFailed | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(self._answer(one, timeout_s)) for one in commands]
        except* SessionFailed as failures:
            failure = first_of(failures)
        self.sent_bytes, self.received_bytes = self._link.sent_bytes, self._link.received_bytes
        if failure is None:
            replies = [task.result() for task in running]
            silent = self._link.heard_at < started and any(map(_timed_out, replies))
            if not silent:
                return replies
            failure = SessionFailed(
                Outcome.TIMED_OUT, reasons.silent(self._link.device, self._link.snmp, timeout_s)
            )
        self.failure = failure
        raise failure

    async def close(self) -> None:
        """Let go of the agent. Nothing has to be said to it."""
        self._link.close()

    def _ask(self, command: Command) -> Ask | None:
        if command in self._asks:
            return self._asks[command]
        if len(self._asks) >= _REMEMBERED:
            self._asks.clear()
        table = self._tables.get(command.path)
        ask = self._asks[command] = None if table is None else Ask.of(table, command)
        return ask

    async def _answer(self, command: Command, limit: float) -> Reply:
        ask = self._ask(command)
        if ask is None:
            metrics.NOT_SERVED.inc()
            return not_served(command, Way.SNMP, self._clock)
        self.commands += 1
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(limit):
                told = await self._reader.read(ask, command.max_rows)
        except TimeoutError:
            return self._given_up(
                command, started, f"no whole answer within {limit:.3g} s", CANCELLED_TIMED_OUT
            )
        except TooManyRows as error:
            return self._given_up(command, started, str(error), CANCELLED_TOO_LARGE)
        size = _size(told.rows)
        if size > command.max_bytes:
            return self._given_up(command, started, f"over {command.max_bytes} bytes", CANCELLED_TOO_LARGE)
        now = self._clock.monotonic()
        return Reply(
            command,
            told.rows,
            told.at or now,
            told.at_us or self._clock.now_us(),
            now - started,
            size_bytes=size,
            done={} if told.count is None else {"ret": b"%d" % told.count},
            way=Way.SNMP,
        )

    def _given_up(self, command: Command, started: float, text: str, category: int) -> Reply:
        metrics.LIMITED.labels("timed_out" if category == CANCELLED_TIMED_OUT else "too_large").inc()
        now = self._clock.monotonic()
        trap = Trap(text, category)
        return Reply(command, Rows(), now, self._clock.now_us(), now - started, trap=trap, way=Way.SNMP)


def _timed_out(reply: Reply) -> bool:
    return reply.trap is not None and reply.trap.timed_out


def _size(rows: Rows) -> int:
    return sum(len(value) for column in rows.columns.values() for value in column if value is not None)
