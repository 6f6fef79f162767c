"""What one exporter sends: its templates remembered, its records read in bulk.

Datagrams are fed as they come, which costs microseconds each: their sets are put aside by template. What
waits is then read in one go, so that NumPy has thousands of records at a time instead of two dozen.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtd.codec.flows.columns import Flows
from mtd.codec.flows.elements import SAMPLED_PACKETS, SAMPLER, SAMPLING_INTERVAL, SKIPPED_PACKETS
from mtd.codec.flows.errors import NotFlows
from mtd.codec.flows.messages import (
    IPFIX,
    V5,
    V5_TEMPLATE,
    V9,
    Header,
    Records,
    Withdrawn,
    header_of,
    items_of,
)
from mtd.codec.flows.sequence import Sequence
from mtd.codec.flows.templates import RecordFormat, Template

_V5_FORMAT = RecordFormat(V5_TEMPLATE)
_FORMS = {V5: "netflow5", V9: "netflow9", IPFIX: "ipfix"}
# The time of a message has whole seconds, and clocks are set right by a little.
_SAME_START_MS = 30_000
_OVERTAKEN_MS = 5_000
_UPTIME_WRAP_MS = 1 << 32
_HELD_SET_BYTES = 256  # what keeping a set takes beside its bytes, of which it may have none
_ALL_KINDS = {2: False, 3: True}  # which templates a withdrawal of all means: those with scopes?


@dataclass(frozen=True, slots=True)
class Limits:
    """What one exporter may make us keep."""

    domains: int = 64
    templates: int = 256
    """Of one domain; the one that wasn't used for longest gives way."""
    fields: int = 32_768
    """Of all templates together; a field takes some 130 bytes."""
    held_bytes: int = 1024 * 1024
    """Of sets whose template hasn't come yet, with what it takes to keep one; the oldest give way."""
    samplers: int = 256


@dataclass(slots=True)
class Counts:
    """Totals since the exporter is known."""

    datagrams: int = 0
    records: int = 0
    templates: int = 0
    """Templates that were new or changed."""
    held: int = 0
    """Sets that waited for their template."""
    held_dropped: int = 0
    """Of these, such as were given up."""
    templates_dropped: int = 0
    domains_dropped: int = 0
    restarts: int = 0
    """How often a domain of the exporter began anew."""
    malformed: Counter[str] = field(default_factory=Counter)
    """Datagrams that couldn't be read, or not to their end, by reason."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What the messages of one domain told once and count on from then on. ``sampling``: 0 if it isn't told.

    ``booted_ms``: since when the exporter runs, by its clock; 0 where messages don't tell.
    """

    domain: int
    templates: tuple[Template, ...]
    sampling: int = 0
    samplers: Mapping[int, int] = field(default_factory=dict)
    booted_ms: int = 0


class _Part(NamedTuple):
    """The records of a set, and what its message says of all of them."""

    data: bytes
    records: int
    header: Header
    received_us: int


@dataclass(slots=True)
class _Domain:
    templates: OrderedDict[int, RecordFormat] = field(default_factory=OrderedDict)
    sequence: Sequence = field(default_factory=Sequence)
    sampling: int = 0
    samplers: dict[int, int] = field(default_factory=dict)
    booted_ms: int = 0
    uptime_ms: int | None = None


class _Held(NamedTuple):
    domain: int
    template: int
    data: bytes
    header: Header
    received_us: int

    @property
    def bytes_taken(self) -> int:
        return len(self.data) + _HELD_SET_BYTES


class Exporter:
    """State of one sender of NetFlow v5, v9 and IPFIX. Bounded by its limits, whatever is sent."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.counts = Counts()
        self.waiting = 0
        """Records that wait to be taken."""
        self._limits = limits or Limits()
        self._domains: OrderedDict[int, _Domain] = OrderedDict()
        self._waiting: dict[tuple[int, RecordFormat], tuple[_Domain, list[_Part]]] = {}
        self._fields = 0
        self._held: deque[_Held] = deque()
        self._held_bytes = 0
        self._awaited: Counter[tuple[int, int]] = Counter()  # sets that wait, by domain and template
        self._came: set[int] = set()  # templates of this datagram that some wait for

    # -- what comes ------------------------------------------------------------

    def feed(self, datagram: bytes, received_us: int) -> None:
        """Take a datagram. Never raises: what can't be read is counted."""
        self.counts.datagrams += 1
        try:
            header = header_of(datagram)
        except NotFlows as wrong:
            self.counts.malformed[wrong.reason] += 1
            return
        domain = self._domain(header)
        if _began_anew(domain, header):
            # Numbers of templates may mean others now. Records wait for them; sampling is hardly another.
            self._forget(domain, list(domain.templates))
            self.counts.restarts += 1
        brought: int | None = 0
        try:
            for item in items_of(datagram, header):
                if isinstance(item, Records):
                    count = self._records(domain, item, header, received_us)
                    brought = None if brought is None or count is None else brought + count
                elif isinstance(item, Withdrawn):
                    self._withdraw(domain, item.template)
                else:
                    self._learn(header.domain, domain, item)
        except NotFlows as wrong:
            self.counts.malformed[wrong.reason] += 1
            brought = None
        if self._came:
            self._release(header.domain, domain)
        domain.sequence.take(header.sequence, 1 if header.version == V9 else brought)

    def _domain(self, header: Header) -> _Domain:
        found = self._domains.get(header.domain)
        if found is None:
            found = self._domains[header.domain] = _Domain()
            if len(self._domains) > self._limits.domains:
                _, oldest = self._domains.popitem(last=False)
                self._forget(oldest, list(oldest.templates))
                self.counts.domains_dropped += 1
        self._domains.move_to_end(header.domain)
        return found

    def _records(self, domain: _Domain, item: Records, header: Header, received_us: int) -> int | None:
        """Put a set's records aside; return how many those are, None if their template isn't known."""
        if header.version == V5:
            known: RecordFormat | None = _V5_FORMAT
        else:
            known = domain.templates.get(item.template)
        if known is None:
            self._hold(_Held(header.domain, item.template, item.data, header, received_us))
            return None
        data, count = known.records(item.data)
        if not count:
            return 0
        if known.template.scopes:
            self._options(domain, known, data, count, header)
            return count
        waiting = self._waiting.get((header.domain, known))
        if waiting is None:
            waiting = self._waiting[header.domain, known] = (domain, [])
        waiting[1].append(_Part(data, count, header, received_us))
        self.waiting += count
        return count

    def _learn(self, number: int, domain: _Domain, template: Template) -> None:
        known = domain.templates.get(template.number)
        if known is None or known.template != template:
            self.counts.templates += 1
            self._add(domain, template)
            if len(domain.templates) > self._limits.templates:
                self._drop_oldest(domain)
            while self._fields > self._limits.fields:
                self._drop_oldest(next(one for one in self._domains.values() if one.templates))
        domain.templates.move_to_end(template.number)
        if (number, template.number) in self._awaited:
            self._came.add(template.number)

    def _add(self, domain: _Domain, template: Template) -> None:
        self._forget(domain, [template.number])
        domain.templates[template.number] = RecordFormat(template)
        self._fields += len(template.fields)

    def _drop_oldest(self, domain: _Domain) -> None:
        self._forget(domain, [next(iter(domain.templates))])
        self.counts.templates_dropped += 1

    def _forget(self, domain: _Domain, numbers: Iterable[int]) -> None:
        for number in numbers:
            known = domain.templates.pop(number, None)
            if known is not None:
                self._fields -= len(known.template.fields)

    def _withdraw(self, domain: _Domain, number: int) -> None:
        if number not in _ALL_KINDS:
            self._forget(domain, [number])
            return
        kind = _ALL_KINDS[number]
        self._forget(
            domain, [one for one, known in domain.templates.items() if bool(known.template.scopes) is kind]
        )

    # -- what came before its template -----------------------------------------

    def _hold(self, held: _Held) -> None:
        self.counts.held += 1
        self._held.append(held)
        self._held_bytes += held.bytes_taken
        self._awaited[held.domain, held.template] += 1
        while self._held_bytes > self._limits.held_bytes:
            oldest = self._held.popleft()
            self._held_bytes -= oldest.bytes_taken
            self.counts.held_dropped += 1
            self._awaited[oldest.domain, oldest.template] -= 1
            if not self._awaited[oldest.domain, oldest.template]:
                del self._awaited[oldest.domain, oldest.template]

    def _release(self, number: int, domain: _Domain) -> None:
        """Read what waited for templates that came. One look for all of a datagram, of which there may be a thousand."""
        came, self._came = self._came, set()
        for template in came:
            self._awaited.pop((number, template), None)
        waiting, self._held = self._held, deque()
        for held in waiting:
            if held.domain != number or held.template not in came:
                self._held.append(held)
                continue
            self._held_bytes -= held.bytes_taken
            try:
                self._records(domain, Records(held.template, held.data), held.header, held.received_us)
            except NotFlows as wrong:
                self.counts.malformed[wrong.reason] += 1

    # -- sampling ----------------------------------------------------------------

    def _options(self, domain: _Domain, known: RecordFormat, data: bytes, count: int, header: Header) -> None:
        """Take from options what they say of sampling."""
        told = known.read(data, np.full(count, header.exported_ms), None)
        intervals = told.get(SAMPLING_INTERVAL)
        if intervals is None and SAMPLED_PACKETS in told and SKIPPED_PACKETS in told:
            sampled = np.maximum(told[SAMPLED_PACKETS].astype(np.uint64), np.uint64(1))
            intervals = (sampled + told[SKIPPED_PACKETS]) // sampled
        if intervals is None:
            return
        samplers = told.get(SAMPLER)
        for place in range(count):
            interval = int(intervals[place])
            if samplers is None:
                domain.sampling = interval
            elif len(domain.samplers) < self._limits.samplers or int(samplers[place]) in domain.samplers:
                domain.samplers[int(samplers[place])] = interval

    # -- what goes -----------------------------------------------------------------

    def take(self) -> list[Flows]:
        """Return the records that came since, those of a template together."""
        waiting, self._waiting, self.waiting = self._waiting, {}, 0
        return [self._read(known, domain, parts) for (_, known), (domain, parts) in waiting.items()]

    def _read(self, known: RecordFormat, domain: _Domain, parts: list[_Part]) -> Flows:
        counts = [part.records for part in parts]
        exported_ms = _each([part.header.exported_ms for part in parts], counts)
        uptimes = [part.header.uptime_ms for part in parts]
        uptime_ms = None if None in uptimes else _each([one or 0 for one in uptimes], counts)
        columns = known.read(b"".join(part.data for part in parts), exported_ms, uptime_ms)
        received_us = _each([part.received_us for part in parts], counts)
        found = Flows(sum(counts), columns, exported_ms, received_us)
        found.sampling = _sampling(found, domain, _each([part.header.sampling for part in parts], counts))
        found.form, found.domain = _FORMS[parts[0].header.version], parts[0].header.domain
        self.counts.records += found.count
        return found

    # -- what is remembered --------------------------------------------------------

    def learned(self) -> list[Learned]:
        """Return what is known, in the order of domains and templates: to be written down, and given back after a restart."""
        return [
            Learned(
                number,
                tuple(domain.templates[template].template for template in sorted(domain.templates)),
                domain.sampling,
                dict(domain.samplers),
                max(0, domain.booted_ms),
            )
            for number, domain in sorted(self._domains.items())
        ]

    def remember(self, learned: Iterable[Learned]) -> None:
        """Know what was known before. What came since is newer, and stays."""
        for one in learned:
            domain = self._domains.setdefault(one.domain, _Domain())
            for template in one.templates:
                if template.number not in domain.templates:
                    self._add(domain, template)
            domain.sampling = domain.sampling or one.sampling
            domain.booted_ms = domain.booted_ms or one.booted_ms
            domain.samplers = {**one.samplers, **domain.samplers}

    def lost(self) -> int:
        """Return how much never came, by the exporter's own numbers: flows in v5, messages in v9, records in IPFIX."""
        return sum(domain.sequence.lost for domain in self._domains.values())


def _began_anew(domain: _Domain, header: Header) -> bool:
    """Whether the exporter was started since the message before, as far as messages tell, and take note of it."""
    if header.version == IPFIX:
        return domain.sequence.begins_anew(header.sequence)
    if header.version != V9 or header.uptime_ms is None:
        return False
    before_ms, domain.uptime_ms = domain.uptime_ms, header.uptime_ms
    booted_ms = header.exported_ms - header.uptime_ms
    if before_ms is not None:
        back_ms = (
            before_ms - header.uptime_ms
        )  # a little: what was overtaken; much: it begins again at 0 after 49.7 days
        began_anew = _OVERTAKEN_MS < back_ms < _UPTIME_WRAP_MS // 2
    else:
        moved_ms = (booted_ms - domain.booted_ms) % _UPTIME_WRAP_MS
        began_anew = domain.booted_ms > 0 and _SAME_START_MS < moved_ms < _UPTIME_WRAP_MS - _SAME_START_MS
    if began_anew or abs(booted_ms - domain.booted_ms) > _SAME_START_MS:  # its clock was set
        domain.booted_ms = booted_ms
    return began_anew


def _each(values: list[int], counts: list[int]) -> NDArray[np.int64]:
    return np.repeat(np.array(values, np.int64), counts)


def _sampling(flows: Flows, domain: _Domain, by_header: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return of how many packets one was looked at: by the record, its sampler, the message, or the options."""
    found: NDArray[Any] = by_header.astype(np.uint32)
    if domain.sampling:
        found[found == 0] = domain.sampling
    samplers = flows.columns.get(SAMPLER)
    if samplers is not None and domain.samplers:
        for sampler in np.unique(samplers):
            interval = domain.samplers.get(int(sampler))
            if interval is not None:
                found[samplers == sampler] = interval
    told = flows.columns.get(SAMPLING_INTERVAL)
    if told is not None:
        found = np.where(told > 0, told, found).astype(np.uint32)
    return found
