"""What is asked about flows, and the answers. Times are microseconds since the epoch."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TypeAlias

from mtd.model.flows import Dimension

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class Order(enum.StrEnum):
    """What the largest are the largest by."""

    OCTETS = "octets"
    PACKETS = "packets"
    FLOWS = "flows"


@dataclass(frozen=True, slots=True)
class Amounts:
    """What flows add up to: octets and packets times the sampling of each, and how many records."""

    octets: int = 0
    packets: int = 0
    flows: int = 0

    def by(self, order: Order) -> int:
        """Return what is ranked by."""
        return int(getattr(self, order.value))

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(self.octets + other.octets, self.packets + other.packets, self.flows + other.flows)

    def __sub__(self, other: Amounts) -> Amounts:
        return Amounts(self.octets - other.octets, self.packets - other.packets, self.flows - other.flows)


@dataclass(frozen=True, slots=True)
class FlowFilter:
    """Which records; what is None holds for all. All conditions hold at a time.

    ``address``, ``port`` and ``interface``: on either side. Interfaces are the exporter's numbers.
    """

    address: Network | None = None
    src_address: Network | None = None
    dst_address: Network | None = None
    port: int | None = None
    src_port: int | None = None
    dst_port: int | None = None
    protocol: int | None = None
    interface: int | None = None
    in_interface: int | None = None
    out_interface: int | None = None

    @property
    def narrows(self) -> bool:
        """Whether there is a condition."""
        return any(getattr(self, one.name) is not None for one in fields(self))


@dataclass(frozen=True, slots=True)
class TopQuestion:
    """What is ranked. ``devices``: names or ids, all of the tenant if empty."""

    dimension: Dimension
    start_us: int
    end_us: int
    devices: Sequence[str] = ()
    limit: int = 10
    order: Order = Order.OCTETS
    where: FlowFilter = field(default_factory=FlowFilter)


@dataclass(frozen=True, slots=True)
class TopRow:
    """One key. ``label``: name of an interface, where all is of one device."""

    key: str
    label: str
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class TopAnswer:
    """The largest first; ``others`` is what the rows lack of ``total``. [start, end) is what was looked at."""

    rows: Sequence[TopRow]
    others: Amounts
    total: Amounts
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class SeriesQuestion:
    """How the largest went over time, in steps that begin at multiples of ``step_s`` since 1970."""

    dimension: Dimension
    start_us: int
    end_us: int
    step_s: int
    devices: Sequence[str] = ()
    limit: int = 5
    order: Order = Order.OCTETS


@dataclass(frozen=True, slots=True)
class FlowSeries:
    """One key over time: a figure for each of the answer's times."""

    key: str
    label: str
    octets: Sequence[int]
    packets: Sequence[int]
    flows: Sequence[int]


@dataclass(frozen=True, slots=True)
class SeriesAnswer:
    """``times_us``: when those steps begin of which something is stored; others aren't there, for they aren't zero."""

    times_us: Sequence[int]
    step_s: int
    series: Sequence[FlowSeries]
    others: FlowSeries


@dataclass(frozen=True, slots=True)
class SearchQuestion:
    """Who had an address, or a port, or both together, within ``window_s`` of the second that holds a time.

    On either side of a flow, before or after address translation. ``not_before_ms``: nothing earlier is looked at.
    """

    time_us: int
    address: Address | None = None
    port: int | None = None
    protocol: int | None = None
    window_s: int = 0
    devices: Sequence[str] = ()
    not_before_ms: int = 0

    @property
    def first_ms(self) -> int:
        """The first millisecond that is looked at."""
        return max((self.time_us // 1_000_000 - self.window_s) * 1000, self.not_before_ms)

    @property
    def last_ms(self) -> int:
        """The last one."""
        return (self.time_us // 1_000_000 + self.window_s) * 1000 + 999


@dataclass(frozen=True, slots=True)
class FoundFlow:
    """A record as its exporter told it: ``values`` has what it told, and nothing else. Addresses are texts.

    ``received_us``: when the first of its batch came, it within the same minute. Names are empty where there is none.
    """

    received_us: int
    device_id: str
    device: str
    exporter: str
    values: Mapping[str, int | str]
    in_interface_name: str = ""
    out_interface_name: str = ""


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Records, what came last first. ``token``: where what is older begins, empty if there is none.

    ``truncated``: as much was looked through as a page may, and there may be more behind the token.
    """

    flows: Sequence[FoundFlow]
    token: str
    truncated: bool


@dataclass(frozen=True, slots=True)
class ComparedInterface:
    """An interface by what flows tell of it and by its own counters, which are None where none are stored.

    ``name``: empty if the device told none by this index.
    """

    device_id: str
    device: str
    index: int
    name: str
    in_octets: int
    out_octets: int
    rx_bytes: int | None = None
    tx_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Interfaces of devices by their names, the busiest of each first. ``left_out``: how many more there are."""

    interfaces: Sequence[ComparedInterface]
    left_out: int
    start_us: int
    end_us: int
