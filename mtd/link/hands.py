"""What an edge does when its hub says so: probes, polls, connection tests, tools."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING

from mtd.core.errors import NotFound, Refused, Retryable
from mtd.diagnostics.errors import ToolForbidden
from mtd.diagnostics.performing import RunEnd
from mtd.link.devices import device_of
from mtd.link.polled import polled_messages, tiers_of
from mtd.link.tools import connection_message, end_message, plan_of, row_messages
from mtd.pb.collector.v1 import collector_link_service_pb2 as pb
from mtd.sources.way_trial import try_ways

if TYPE_CHECKING:
    from mtd.diagnostics.config import DiagnosticsConfig
    from mtd.diagnostics.performing import Performs
    from mtd.diagnostics.plans import Plan
    from mtd.model.assignment import AssignedDevice
    from mtd.model.device import Way
    from mtd.scheduler.service import Scheduler
    from mtd.sources.way_trial import TestWay

REFRESH, POLL, TEST, TOOL = "refresh-capabilities", "poll-now", "test-connection", "tool:"
"""Capabilities of edges; `TOOL` with the tool's name behind it."""

Written = Callable[[], Awaitable[tuple[str, int]]]
"""Return the id of the log, and the position by which all that was observed so far is in it."""


class EdgeHands:
    """See `Handler`."""

    def __init__(
        self,
        config: DiagnosticsConfig,
        performs: Performs,
        testers: Mapping[Way, TestWay],
        scheduler: Callable[[], Scheduler | None],
        written: Written,
    ) -> None:
        self._config = config
        self._performs = performs
        self._testers = testers
        self._scheduler = scheduler
        self._written = written

    @property
    def capabilities(self) -> list[str]:
        """Return what it can do."""
        return [REFRESH, POLL, TEST, *(f"{TOOL}{tool}" for tool in self._config.tools)]

    async def run(
        self, command: pb.Command, assigned: AssignedDevice | None
    ) -> AsyncGenerator[pb.CommandUpdate, None]:
        """Yield what comes of a command. Devices that aren't polled here are left alone."""
        if assigned is None:
            raise NotFound("this collector doesn't poll the device")
        match command.WhichOneof("work"):
            case "refresh_capabilities":
                yield pb.CommandUpdate(refreshed=await self._refresh(assigned.device.device_id))
            case "poll_now":
                yield pb.CommandUpdate(polled=await self._poll(command.poll_now))
            case "test_connection":
                test = command.test_connection
                result = await try_ways(device_of(test.device), self._testers, test.told_rest)
                yield pb.CommandUpdate(tested=connection_message(result))
            case "run_tool":
                async with aclosing(self._run(command.run_tool)) as updates:
                    async for update in updates:
                        yield update
            case _:
                raise Refused("this collector doesn't know the command: update mtd there")

    async def _refresh(self, device_id: str) -> pb.RefreshedCapabilities:
        await self._polling().refresh_capabilities(device_id)
        log_id, seq = await self._written()
        return pb.RefreshedCapabilities(log_id=log_id, log_seq=seq)

    async def _poll(self, message: pb.PollNow) -> pb.PolledNow:
        polled = await self._polling().poll_now(message.device_id, tiers_of(message.tiers))
        log_id, seq = await self._written()
        return pb.PolledNow(log_id=log_id, log_seq=seq, tiers=polled_messages(polled))

    def _polling(self) -> Scheduler:
        scheduler = self._scheduler()
        if scheduler is None:
            raise Retryable("this collector doesn't poll at the moment")
        return scheduler

    async def _run(self, message: pb.RunTool) -> AsyncGenerator[pb.CommandUpdate, None]:
        plan = plan_of(message)
        self._check(plan)
        parts = self._performs.run(plan, device_of(message.device), lambda _: None)
        async with aclosing(parts):
            async for part in parts:
                if isinstance(part, RunEnd):
                    yield pb.CommandUpdate(tool_end=end_message(part))
                    continue
                for rows in row_messages(part):
                    yield pb.CommandUpdate(rows=rows)

    def _check(self, plan: Plan) -> None:
        """Raise ToolForbidden for what this collector's own configuration is against, whatever the hub's allows."""
        config = self._config
        if plan.tool.name not in config.tools:
            raise ToolForbidden(f"{plan.tool.name} isn't among the tools that may be run there")
        if (
            plan.seconds > max(config.max_seconds, config.max_bandwidth_seconds)
            or plan.rows > config.max_rows
        ):
            raise ToolForbidden("it would run for longer, or bring more rows, than may be there")
