"""The console's pages about flows: what is asked for is read off the arguments, the answers become JSON."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from mtd.api.console.arguments import Arguments, BadArgument, device_id, integer, one_text, only
from mtd.api.console.flow_objects import comparison_object, overview_object, paths_object, records_object
from mtd.api.console.flow_paths import KINDS, PathKind, named_interfaces
from mtd.api.console.flow_steps import LATE_US, MINUTE_US, Span, span_of
from mtd.api.console.reading import Page, encoded
from mtd.api.console_limits import (
    LAST_US,
    MAX_FLOW_PATHS,
    MAX_FLOW_RECORDS,
    MAX_FLOW_ROWS,
    MAX_FLOW_S,
    MAX_FLOW_WINDOW_S,
)
from mtd.api.grpc.flows import FlowBackend
from mtd.api.interfaces import ConsoleBackend
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.model.flows import DIMENSIONS
from mtd.model.principal import Principal
from mtd.queries.flows.asking import MAX_SERIES
from mtd.queries.flows.ranking import MOST_FILTERED_US
from mtd.queries.flows.records import (
    Address,
    FlowFilter,
    Order,
    SearchQuestion,
    SeriesQuestion,
    TopQuestion,
)
from mtd.queries.flows.spans import Kept
from mtd.storage.config import RetentionConfig

_DEFAULT_S = 3600
_DEFAULT_ROWS, _DEFAULT_PATHS, _DEFAULT_RECORDS = 20, 25, 100
# All records that tell of an address: without a condition sums would be read, which know of no paths.
_WITH_ADDRESSES = FlowFilter(address=ipaddress.ip_network("::/0"))
_RANGE = ("device", "seconds", "end_us")


class FlowPages:
    """Asks for the flows of the tenant of who looks.

    ``backend`` knows what the interfaces of a device are called.
    """

    def __init__(
        self,
        flows: FlowBackend,
        backend: ConsoleBackend,
        retention: RetentionConfig,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._flows = flows
        self._backend = backend
        self._retention = retention
        self._clock = clock

    @property
    def pages(self) -> Mapping[str, Page]:
        """The pages by their paths."""
        return {
            "flows": self._overview,
            "flows/paths": self._paths,
            "flows/records": self._records,
            "flows/interfaces": self._interfaces,
        }

    async def _overview(self, caller: Principal, given: Arguments) -> bytes:
        """Tell the largest of a dimension, and how they went over time: of the same steps, so that both add up alike."""
        only(given, *_RANGE, "dimension", "order", "limit")
        name = one_text(given, "dimension") or "src_address"
        dimension = DIMENSIONS.get(name)
        if dimension is None:
            raise BadArgument(f"dimension must be one of {', '.join(DIMENSIONS)}, not {name[:50]!r}")
        order, span, devices = _order(given), self._span(given), _devices(given)
        rows = integer(given, "limit", _DEFAULT_ROWS, 1, MAX_FLOW_ROWS) or 1
        series = await self._flows.series(
            caller.tenant_id,
            SeriesQuestion(
                dimension, span.start_us, span.end_us, span.step_s, devices, min(rows, MAX_SERIES), order
            ),
        )
        top = None
        if rows > MAX_SERIES:
            top = await self._flows.top(
                caller.tenant_id,
                TopQuestion(dimension, span.start_us, span.end_us, devices, rows, order),
            )
        return await encoded(lambda: overview_object(dimension, order, span, series, top))

    async def _paths(self, caller: Principal, given: Arguments) -> bytes:
        """Tell the largest paths, each exactly: from the sums of conversations, or from the records themselves."""
        only(given, *_RANGE, "kind", "order", "limit")
        name = one_text(given, "kind") or "conversation"
        kind = KINDS.get(name)
        if kind is None:
            raise BadArgument(f"kind must be one of {', '.join(KINDS)}, not {name[:50]!r}")
        order, devices, span = _order(given), _devices(given), self._minutes(given)
        if kind.one_device and len(devices) != 1:
            raise BadArgument("numbers of interfaces are those of one router: name one device")
        limit = integer(given, "limit", _DEFAULT_PATHS, 1, MAX_FLOW_PATHS) or 1
        start_us = max(span.start_us, span.end_us - MOST_FILTERED_US) if kind.of_records else span.start_us
        where = _WITH_ADDRESSES if kind.of_records else FlowFilter()
        found = await self._flows.top(
            caller.tenant_id,
            TopQuestion(kind.dimension, start_us, span.end_us, devices, limit, order, where),
        )
        names = await self._interface_names(caller.tenant_id, kind, devices)
        return await encoded(lambda: paths_object(kind, order, found, names))

    async def _interface_names(
        self, tenant_id: str, kind: PathKind, devices: tuple[str, ...]
    ) -> Mapping[int, str]:
        if not kind.one_device:
            return {}
        return named_interfaces(await self._backend.device(tenant_id, devices[0]))

    async def _records(self, caller: Principal, given: Arguments) -> bytes:
        """Tell who had an address, or a port, at a second."""
        only(given, "address", "port", "protocol", "time_us", "window_s", "device", "older", "limit")
        time_us = integer(given, "time_us", None, 1, LAST_US)
        if time_us is None:
            raise BadArgument("time_us must say when: microseconds since 1970")
        asked = SearchQuestion(
            time_us,
            _address(one_text(given, "address").strip()),
            integer(given, "port", None, 0, 65_535),
            integer(given, "protocol", None, 0, 255),
            integer(given, "window_s", 0, 0, MAX_FLOW_WINDOW_S) or 0,
            _devices(given),
        )
        limit = integer(given, "limit", _DEFAULT_RECORDS, 1, MAX_FLOW_RECORDS) or 1
        page = await self._flows.search(caller.tenant_id, asked, after=one_text(given, "older"), limit=limit)
        return await encoded(lambda: records_object(page))

    async def _interfaces(self, caller: Principal, given: Arguments) -> bytes:
        """Tell what flows and counters say of the same interfaces."""
        only(given, *_RANGE)
        span = self._minutes(given)
        found = await self._flows.compare(caller.tenant_id, span.start_us, span.end_us, _devices(given))
        return await encoded(lambda: comparison_object(found))

    def _asked(self, given: Arguments) -> tuple[int, int | None]:
        seconds = integer(given, "seconds", _DEFAULT_S, 60, MAX_FLOW_S) or _DEFAULT_S
        return seconds, integer(given, "end_us", None, 1, LAST_US)

    def _span(self, given: Arguments) -> Span:
        now_us = self._clock.now_us()
        return span_of(*self._asked(given), now_us, Kept.of(self._retention, now_us).minutes_us)

    def _minutes(self, given: Arguments) -> Span:
        """Return whole minutes, up to the last that is over unless an end is given."""
        seconds, end_us = self._asked(given)
        if end_us is None:
            end_us = (self._clock.now_us() - LATE_US) // MINUTE_US * MINUTE_US
        return Span(max(0, end_us - seconds * 1_000_000), end_us, 60)


def _devices(given: Arguments) -> tuple[str, ...]:
    return tuple(device_id(one) for one in given.get("device", ()))


def _order(given: Arguments) -> Order:
    name = one_text(given, "order") or Order.OCTETS.value
    try:
        return Order(name)
    except ValueError:
        raise BadArgument(f"order must be one of {', '.join(Order)}, not {name[:50]!r}") from None


def _address(text: str) -> Address | None:
    if not text:
        return None
    try:
        if "%" in text:
            raise ValueError("a zone")
        return ipaddress.ip_address(text)
    except ValueError:
        raise BadArgument(f"address: {text[:50]!r} is no address") from None
