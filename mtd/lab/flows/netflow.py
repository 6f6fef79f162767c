"""NetFlow v5, v9 and IPFIX as exporters write them: datagrams in their order, numbered, with templates now and then."""

from __future__ import annotations

import abc
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mtd.lab.flows.layouts import V5_LAYOUT, FlowLayout, template_of
from mtd.lab.flows.traffic import Records

_MOST_BYTES = 1464
_V5_RECORDS = 30
_ENGINE = 0
_WRAP = 1 << 32
_DETERMINISTIC = 1
_OPTIONS_TEMPLATE = 400
_SAMPLING_MODE = 1 << 14  # of the two bits before version 5's interval
_SYSTEM_SCOPE, _DOMAIN_SCOPE = 1, 149


@dataclass(frozen=True, slots=True)
class Moment:
    """Of the exporter's clock: now, and when it started."""

    now_us: int
    boot_us: int

    @property
    def uptime_ms(self) -> int:
        """How long it runs."""
        return (self.now_us - self.boot_us) // 1000


class NetFlow5:
    """An exporter of version 5, which has no templates."""

    def __init__(self, sampling: int) -> None:
        self._sampling = sampling and _SAMPLING_MODE | sampling
        self._sequence = 0  # of flows

    def datagrams(self, records: Records, at: Moment, *, withheld: bool) -> Iterator[bytes]:
        """Yield records as they are sent; there is nothing to withhold."""
        data = V5_LAYOUT.rows(records)
        seconds, rest_us = divmod(at.now_us, 1_000_000)
        for first in range(0, len(records), _V5_RECORDS):
            count = min(_V5_RECORDS, len(records) - first)
            head = struct.pack(
                ">HHIIIIBBH", 5, count, at.uptime_ms % _WRAP, seconds, rest_us * 1000, self._sequence,
                _ENGINE, _ENGINE, self._sampling,
            )  # fmt: skip
            self._sequence = (self._sequence + count) % _WRAP
            yield head + data[first * V5_LAYOUT.size : (first + count) * V5_LAYOUT.size]


class Templated(abc.ABC):
    """What version 9 and IPFIX have in common: templates at the start and after every so many datagrams.

    ``sampling``: told by options, which come after the templates; 0: not told.
    """

    head_bytes = 0
    template_set = 0
    options_set = 0
    pads = False

    def __init__(self, layouts: Mapping[int, FlowLayout], every: int, sampling: int) -> None:
        self._layouts = layouts
        self._every = every
        self._sampling = sampling
        self._since_templates: int | None = None
        self.sequence = 0

    def datagrams(self, records: Records, at: Moment, *, withheld: bool) -> Iterator[bytes]:
        """Yield records as they are sent, with templates before and between them unless these are withheld."""
        layout = self._layouts[records.version]
        data = layout.rows(records)
        most = (_MOST_BYTES - self.head_bytes - 4) // layout.size
        for first in range(0, len(records), most):
            if not withheld and (self._since_templates is None or self._since_templates >= self._every):
                yield from self._templates(at)
            count = min(most, len(records) - first)
            body = data[first * layout.size : (first + count) * layout.size]
            yield self._message(at, [self._set(layout.number, body)], count, count)
            if self._since_templates is not None:
                self._since_templates += 1

    def _templates(self, at: Moment) -> Iterator[bytes]:
        self._since_templates = 0
        templates = b"".join(template_of(layout) for layout in self._layouts.values())
        yield self._message(at, [self._set(self.template_set, templates)], len(self._layouts), 0)
        if self._sampling:
            told = struct.pack(">IIB", 0, self._sampling, _DETERMINISTIC)
            sets = [
                self._set(self.options_set, self._options_template()),
                self._set(_OPTIONS_TEMPLATE, told),
            ]
            yield self._message(at, sets, 2, 1)

    def _set(self, number: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4 if self.pads else 0)
        return struct.pack(">HH", number, 4 + len(body)) + body

    @abc.abstractmethod
    def _options_template(self) -> bytes:
        """Return the template of what tells the sampling."""

    @abc.abstractmethod
    def _message(self, at: Moment, sets: list[bytes], count: int, data_records: int) -> bytes:
        """Return a datagram. ``count``: of templates and records in it."""


class NetFlow9(Templated):
    """An exporter of version 9 (RFC 3954). Its sequence counts datagrams."""

    head_bytes = 20
    template_set, options_set = 0, 1
    pads = True

    def _options_template(self) -> bytes:
        fields = _sampling_fields(_SYSTEM_SCOPE)
        return struct.pack(">HHH", _OPTIONS_TEMPLATE, 4, len(fields) - 4) + fields

    def _message(self, at: Moment, sets: list[bytes], count: int, data_records: int) -> bytes:
        seconds = at.now_us // 1_000_000
        head = struct.pack(">HHIIII", 9, count, at.uptime_ms % _WRAP, seconds, self.sequence, 0)
        self.sequence = (self.sequence + 1) % _WRAP
        return head + b"".join(sets)


class Ipfix(Templated):
    """An exporter of IPFIX (RFC 7011). Its sequence counts data records."""

    head_bytes = 16
    template_set, options_set = 2, 3

    def _options_template(self) -> bytes:
        return struct.pack(">HHH", _OPTIONS_TEMPLATE, 3, 1) + _sampling_fields(_DOMAIN_SCOPE)

    def _message(self, at: Moment, sets: list[bytes], count: int, data_records: int) -> bytes:
        body = b"".join(sets)
        seconds = at.now_us // 1_000_000
        head = struct.pack(">HHIII", 10, 16 + len(body), seconds, self.sequence, 0)
        self.sequence = (self.sequence + data_records) % _WRAP
        return head + body


def _sampling_fields(scope: int) -> bytes:
    """Return a scope of four bytes, the interval of sampling, and its algorithm."""
    return struct.pack(">6H", scope, 4, 34, 4, 35, 1)
