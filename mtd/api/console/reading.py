"""The console's pages of JSON: read, checked and encoded, not held by how much there is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from mtd.api.console.arguments import Arguments, device_id, integer, one_text, only
from mtd.api.console.costs import cost_object
from mtd.api.console.encode import encode
from mtd.api.console.events import event_object
from mtd.api.console.objects import (
    catalogue_object,
    device_object,
    health_object,
    history_object,
    line_object,
)
from mtd.api.console.own import OwnState
from mtd.api.console_limits import (
    DAY_S,
    LAST_US,
    MAX_EVENTS,
    MAX_HEALTH_S,
    MAX_HISTORY_S,
    MAX_LOG_LINES,
    MAX_LOG_S,
    MAX_METRICS,
    MAX_POINTS,
    MAX_POSITION,
)
from mtd.api.interfaces import ConsoleBackend
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import NotFound, Refused
from mtd.model.catalogue import Catalogue
from mtd.model.principal import Principal
from mtd.queries.logs import LogFilter
from mtd.queries.patterns import check_patterns
from mtd.scheduler.account import Account

Page = Callable[[Principal, Arguments], Awaitable[bytes]]
DevicePage = Callable[[Principal, str, Arguments], Awaitable[bytes]]


class Reading:
    """Answers the pages below ``/console/api/v1/`` for the tenant of who asks; raises what keeps it from that.

    ``own``: mtd's state as a tenant sees it, by the tenant's id.
    ``intervals_s``: seconds between polls by tier, for devices that have none of their own.
    ``account``: what a device has cost so far, by its id; None if it isn't polled here.
    ``more``: pages beside these, by their paths.
    """

    def __init__(
        self,
        backend: ConsoleBackend,
        catalogue: Catalogue,
        own: Callable[[str], OwnState],
        intervals_s: Callable[[], Mapping[str, float]],
        deadline_s: float,
        clock: Clock = SYSTEM_CLOCK,
        account: Callable[[str], Account | None] = lambda _: None,
        more: Mapping[str, Page] = MappingProxyType({}),
    ) -> None:
        self._backend = backend
        self._catalogue = catalogue
        self._own = own
        self._intervals_s = intervals_s
        self._deadline_s = deadline_s
        self._clock = clock
        self._account = account
        self._pages: dict[str, Page] = {
            "events": self._events,
            "logs": self._logs,
            "catalogue": self._metrics,
            "self": self._self,
            **more,
        }
        self._device_pages: dict[str, DevicePage] = {
            "": self._device,
            "history": self._history,
            "events": self._device_events,
            "health": self._health,
        }

    async def read(self, caller: Principal, page: str, given: Arguments) -> bytes:
        """Return the JSON of a page. Raises NotFound, Refused, TimeoutError, and what the database raises."""
        first, *rest = page.split("/")
        async with asyncio.timeout(self._deadline_s):
            if page in self._pages:
                return await self._pages[page](caller, given)
            if first == "devices" and rest and "/".join(rest[1:]) in self._device_pages:
                return await self._device_pages["/".join(rest[1:])](caller, device_id(rest[0]), given)
        raise NotFound(f"there is no page {page[:100]!r}")

    async def _device(self, caller: Principal, device: str, given: Arguments) -> bytes:
        only(given)
        detail = await self._backend.device(caller.tenant_id, device)
        account = self._account(detail.view.device_id)
        # Accounts grow in the loop: they are read before a thread takes over.
        cost = None if account is None else cost_object(account.costs.hourly(self._clock.monotonic()))
        return await encoded(lambda: {**device_object(detail, self._intervals_s()), "cost": cost})

    async def _history(self, caller: Principal, device: str, given: Arguments) -> bytes:
        only(given, "metric", "seconds", "end_us", "points")
        metrics = given.get("metric", ())
        if not metrics:
            raise Refused("history needs at least one metric")
        if len(metrics) > MAX_METRICS:
            raise Refused(f"{len(metrics)} metrics are too many: at most {MAX_METRICS}")
        check_patterns(metrics)
        start_us, end_us = self._span(given, 900, MAX_HISTORY_S)
        points = integer(given, "points", 600, 1, MAX_POINTS) or 1
        answer = await self._backend.history(
            caller.tenant_id, device, list(metrics), start_us, end_us, points
        )
        return await encoded(lambda: history_object(answer, start_us, end_us))

    async def _device_events(self, caller: Principal, device: str, given: Arguments) -> bytes:
        return await self._events_before(caller, given, device)

    async def _events(self, caller: Principal, given: Arguments) -> bytes:
        return await self._events_before(caller, given, None)

    async def _events_before(self, caller: Principal, given: Arguments, device: str | None) -> bytes:
        only(given, "before", "limit")
        before = integer(given, "before", None, 0, MAX_POSITION)
        limit = integer(given, "limit", 100, 1, MAX_EVENTS) or 1
        # Looked at first: what is committed in between is in the list as well, and no harm.
        newest = await self._backend.events_before(caller.tenant_id, None, 1) if before is None else ()
        events = await self._backend.events_before(caller.tenant_id, before, limit, device)
        answer: dict[str, object] = {"before": events[-1].position if len(events) == limit else None}
        if before is None:
            answer["position"] = newest[0].position if newest else 0
        return await encoded(lambda: {"events": [event_object(event) for event in events], **answer})

    async def _logs(self, caller: Principal, given: Arguments) -> bytes:
        only(given, "contains", "event", "severity", "device", "seconds", "end_us", "older", "limit")
        start_us, end_us = self._span(given, DAY_S, MAX_LOG_S)
        limit = integer(given, "limit", 100, 1, MAX_LOG_LINES) or 1
        wanted = LogFilter(
            devices=tuple(device_id(one) for one in given.get("device", ())),
            event_types=tuple(given.get("event", ())),
            severity=integer(given, "severity", None, 0, 7),
            contains=one_text(given, "contains"),
            start_us=start_us,
            end_us=end_us,
        )
        lines = await self._backend.log_lines(caller.tenant_id, wanted, one_text(given, "older"), limit)
        older = lines[-1].token if len(lines) == limit else None
        return await encoded(lambda: {"lines": [line_object(line) for line in lines], "older": older})

    async def _health(self, caller: Principal, device: str, given: Arguments) -> bytes:
        only(given, "seconds", "end_us")
        start_us, end_us = self._span(given, DAY_S, MAX_HEALTH_S)
        end_us = min(end_us, self._clock.now_us())  # nothing is known of the future
        start_us = min(start_us, end_us)
        history = await self._backend.health(caller.tenant_id, device, start_us, end_us)
        return await encoded(lambda: health_object(history))

    async def _metrics(self, caller: Principal, given: Arguments) -> bytes:
        only(given)
        return await encoded(lambda: catalogue_object(self._catalogue))

    async def _self(self, caller: Principal, given: Arguments) -> bytes:
        only(given)
        return await self._own(caller.tenant_id).page(whole=caller.crosses_tenants)

    def _span(self, given: Arguments, default_s: int, most_s: int) -> tuple[int, int]:
        seconds = integer(given, "seconds", default_s, 1, most_s) or 1
        end_us = integer(given, "end_us", None, 1, LAST_US)
        if end_us is None:
            end_us = self._clock.now_us()
        return max(0, end_us - seconds * 1_000_000), end_us


async def encoded(make: Callable[[], object]) -> bytes:
    """Encode in a thread: a device of a thousand interfaces takes longer than the loop may be held."""
    return await asyncio.to_thread(lambda: encode(make()).encode())
