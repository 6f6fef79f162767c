"""What one exporter sends: its templates remembered, its records read in bulk.

Datagrams are fed as they come, which costs microseconds each: their sets are put aside by template. What
waits is then read in one go, so that NumPy has thousands of records at a time instead of two dozen.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import starmap, zip_longest
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, TypeAlias, TypeVar

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
from mtd.codec.flows.sole import BEGIN, Sole, sole_set
from mtd.codec.flows.starts import began_anew, note, runs_on
from mtd.codec.flows.taught import ANY_PORT, Lesson, Sender, Taught
from mtd.codec.flows.templates import RecordFormat, Template
from mtd.codec.flows.waiting import Waiting

T = TypeVar("T")

_V5_FORMAT = RecordFormat(V5_TEMPLATE)
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
    template_conflicts: int = 0
    """Of these, such as gave a number another layout while it was in use."""
    held: int = 0
    """Sets that waited for their template."""
    held_dropped: int = 0
    """Of these, such as were given up."""
    templates_dropped: int = 0
    """Such as were given up for others, or with their domain."""
    domains_dropped: int = 0
    restarts: int = 0
    """How often a domain of the exporter began anew."""
    malformed: Counter[str] = field(default_factory=Counter)
    """Datagrams that couldn't be read, or not to their end, by reason."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What the messages of one domain told once and count on from then on. ``sampling``: 0 if it isn't told.

    ``booted_ms``: since when the exporter runs, by its clock; 0 where messages don't tell. ``version``: of its messages,
    of which each has domains of its own. ``ports``: which of them taught each of the templates; none if nobody knows. The
    first template of a number is for all ports, others are for the one that taught them. ``heard_us``: when it was
    heard last, which is no part of what was learned.
    """

    domain: int
    templates: tuple[Template, ...]
    sampling: int = 0
    samplers: Mapping[int, int] = field(default_factory=dict)
    booted_ms: int = 0
    version: int = V9
    ports: tuple[int, ...] = ()
    heard_us: int = field(default=0, compare=False)

    def lessons(self) -> Iterator[Lesson]:
        """Yield the templates with their ports."""
        return starmap(Lesson, zip_longest(self.templates, self.ports, fillvalue=ANY_PORT))


@dataclass(slots=True)
class _Domain:
    templates: Taught = field(default_factory=Taught)
    sequence: Sequence = field(default_factory=Sequence)
    sampling: int = 0
    samplers: dict[int, int] = field(default_factory=dict)
    booted_ms: int = 0
    uptime_ms: int | None = None
    port: int = ANY_PORT  # of the last message
    heard_us: int = 0  # the last time that it wasn't taken at a glance

    def sampling_of(self, flows: Flows) -> NDArray[np.uint32]:
        """Return of how many packets one was looked at: by the record, its sampler, the message, or the options."""
        found: NDArray[Any] = flows.sampling
        if self.sampling:
            found[found == 0] = self.sampling
        samplers = flows.columns.get(SAMPLER)
        if samplers is not None and self.samplers:
            for sampler in np.unique(samplers):
                interval = self.samplers.get(int(sampler))
                if interval is not None:
                    found[samplers == sampler] = interval
        told = flows.columns.get(SAMPLING_INTERVAL)
        if told is not None:
            found = np.where(told > 0, told, found).astype(np.uint32)
        return found


_Place: TypeAlias = tuple[int, int]
"""A version, and a domain of it: the numbers of one say nothing of those of another."""


class _Held(NamedTuple):
    place: _Place
    template: int
    data: bytes
    header: Header
    received_us: int
    port: int

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
        self._domains: OrderedDict[_Place, _Domain] = OrderedDict()
        self._last: _Domain | None = None  # of the last message
        self._waiting: dict[tuple[int, int, RecordFormat], Waiting] = {}
        self._fields = 0
        self._held: deque[_Held] = deque()
        self._held_bytes = 0
        self._awaited: Counter[tuple[_Place, int]] = Counter()  # sets that wait, by domain and template
        self._came: set[int] = set()  # templates of this datagram that some wait for

    # -- what comes ------------------------------------------------------------

    def feed(self, datagram: bytes, received_us: int, port: int = ANY_PORT) -> None:
        """Take a datagram. Never raises: what can't be read is counted. ``port``: where it was sent from."""
        self.counts.datagrams += 1
        sole = sole_set(datagram)
        if sole is not None and self._goes_on(sole, datagram, received_us, port):
            return
        try:
            header = header_of(datagram)
        except NotFlows as wrong:
            self.counts.malformed[wrong.reason] += 1
            return
        place = (header.version, header.domain)
        domain = self._last = self._domain(place)
        anew = began_anew(domain, header, domain.templates.sender(port), port)
        if anew:
            # Numbers of templates may mean others now. Records wait for them; sampling is hardly another.
            self._change(domain, lambda taught: taught.begin_anew(port, received_us))
            self.counts.restarts += 1
        domain.port, domain.heard_us = port, received_us
        brought: int | None = 0
        try:
            for item in items_of(datagram, header):
                if isinstance(item, Records):
                    count = self._records(domain, item, header, received_us, port)
                    brought = None if brought is None or count is None else brought + count
                elif isinstance(item, Withdrawn):
                    self._withdraw(domain, item.template, port)
                else:
                    self._learn(place, domain, item, received_us, port)
        except NotFlows as wrong:
            self.counts.malformed[wrong.reason] += 1
            brought = None
        if self._came:
            self._release(place, domain)
        sender = domain.templates.sender(port)
        if sender is not None:
            note(sender, header, received_us, anew=anew)
        units = 1 if header.version == V9 else brought
        domain.sequence.take(header.sequence, units, header.exported_s, anew=anew)

    def _goes_on(self, sole: Sole, datagram: bytes, received_us: int, port: int) -> bool:
        """Take a datagram that goes on where the last one ended, as nearly all do; return whether this is one.

        What others need to have looked at is as it was: by its number none is missing, and nobody began anew.
        """
        version, number, sequence, seconds, uptime_ms, template = sole
        domain = self._domains.get((version, number))
        if domain is None or domain is not self._last or domain.port != port:
            return False
        known = _V5_FORMAT if version == V5 else domain.templates.find(port, template)
        if known is None or known.variable or known.template.scopes:
            return False
        count = (len(datagram) - BEGIN[version]) // known.size
        sender = domain.templates.sender(port)
        if not count or not domain.sequence.expects(sequence):
            return False
        if version == V9:
            if not runs_on(domain, sender, seconds * 1000, uptime_ms):
                return False
            domain.uptime_ms = uptime_ms
        if sender is not None:
            sender.heard_us, sender.sequence, sender.exported_s = received_us, sequence, seconds
            sender.uptime_ms = None if version == IPFIX else uptime_ms
        waiting = self._waiting.get((version, number, known)) or self._wait(version, number, known, domain)
        waiting.add_whole(datagram, count, received_us)
        self.waiting += count
        domain.sequence.advance(sequence, 1 if version == V9 else count, seconds)
        return True

    def _domain(self, place: _Place) -> _Domain:
        found = self._domains.get(place)
        if found is None:
            found = self._domains[place] = _Domain()
            if len(self._domains) > self._limits.domains:
                _, oldest = self._domains.popitem(last=False)
                self._fields -= oldest.templates.fields
                self.counts.templates_dropped += len(oldest.templates)
                self.counts.domains_dropped += 1
        self._domains.move_to_end(place)
        return found

    def _records(
        self, domain: _Domain, item: Records, header: Header, received_us: int, port: int
    ) -> int | None:
        """Put a set's records aside; return how many those are, None if their template isn't known."""
        if header.version == V5:
            known: RecordFormat | None = _V5_FORMAT
        else:
            known = domain.templates.find(port, item.template)
        if known is None:
            place = (header.version, header.domain)
            self._hold(_Held(place, item.template, item.data, header, received_us, port))
            return None
        data, count = known.records(item.data)
        if not count:
            return 0
        if known.template.scopes:
            self._options(domain, known, data, count, header)
            return count
        layout = (header.version, header.domain, known)
        waiting = self._waiting.get(layout) or self._wait(*layout, domain)
        waiting.add(data, count, header.exported_ms, header.uptime_ms or 0, header.sampling, received_us)
        self.waiting += count
        return count

    def _wait(self, version: int, number: int, known: RecordFormat, domain: _Domain) -> Waiting:
        found = Waiting(version, number, known, domain.sampling_of)
        self._waiting[version, number, known] = found
        return found

    def _learn(self, place: _Place, domain: _Domain, template: Template, received_us: int, port: int) -> None:
        if self._change(domain, lambda taught: taught.learn(port, template, received_us)):
            self.counts.templates += 1
            if len(domain.templates) > self._limits.templates:
                self._change(domain, lambda taught: taught.drop_one_of_all(port))
            while self._fields > self._limits.fields:
                domains = self._domains.values()
                apart = next((one for one in domains if one.templates.has_own), None)
                oldest = apart or next(one for one in domains if one.templates.fields)
                self._change(oldest, lambda taught: taught.drop_one(port))
        if (place, template.number) in self._awaited:
            self._came.add(template.number)

    def _change(self, domain: _Domain, change: Callable[[Taught], T]) -> T:
        """Change what is taught, and keep account of it."""
        taught = domain.templates
        fields, conflicts, dropped = taught.fields, taught.conflicts, taught.dropped
        result = change(taught)
        self._fields += taught.fields - fields
        self.counts.template_conflicts += taught.conflicts - conflicts
        self.counts.templates_dropped += taught.dropped - dropped
        return result

    def _withdraw(self, domain: _Domain, number: int, port: int) -> None:
        options = _ALL_KINDS.get(number)
        if options is None:
            self._change(domain, lambda taught: taught.withdraw(port, number))
        else:
            self._change(domain, lambda taught: taught.withdraw_all(port, options=options))

    # -- what came before its template -----------------------------------------

    def _hold(self, held: _Held) -> None:
        self.counts.held += 1
        self._held.append(held)
        self._held_bytes += held.bytes_taken
        self._awaited[held.place, held.template] += 1
        while self._held_bytes > self._limits.held_bytes:
            oldest = self._held.popleft()
            self._held_bytes -= oldest.bytes_taken
            self.counts.held_dropped += 1
            self._awaited[oldest.place, oldest.template] -= 1
            if not self._awaited[oldest.place, oldest.template]:
                del self._awaited[oldest.place, oldest.template]

    def _release(self, place: _Place, domain: _Domain) -> None:
        """Read what waited for templates that came. One look for all of a datagram, of which there may be a thousand."""
        came, self._came = self._came, set()
        for template in came:
            self._awaited.pop((place, template), None)
        waiting, self._held = self._held, deque()
        for held in waiting:
            if held.place != place or held.template not in came:
                self._held.append(held)
                continue
            if domain.templates.find(held.port, held.template) is None:  # it came for another port
                self._held.append(held)
                self._awaited[place, held.template] += 1
                continue
            self._held_bytes -= held.bytes_taken
            try:
                self._records(
                    domain, Records(held.template, held.data), held.header, held.received_us, held.port
                )
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
        found = []
        for records in waiting.values():
            flows = records.read()
            self.counts.records += flows.count
            found.append(flows)
        return found

    # -- what is remembered --------------------------------------------------------

    def learned(self) -> list[Learned]:
        """Return what is known, in the order of domains and templates: to be written down, and given back after a restart.

        Version 5 teaches nothing.
        """
        found = []
        for (version, number), domain in sorted(self._domains.items(), key=itemgetter(0)):
            if version == V5:
                continue
            lessons = list(domain.templates.lessons())
            ports = tuple(one.port for one in lessons)
            found.append(
                Learned(
                    number,
                    tuple(one.template for one in lessons),
                    domain.sampling,
                    dict(domain.samplers),
                    max(0, domain.booted_ms),
                    version,
                    ports if any(ports) else (),
                    max(domain.heard_us, domain.templates.heard_us),
                )
            )
        return found

    def remember(self, learned: Iterable[Learned]) -> None:
        """Know what was known before. What came since is newer, and stays."""
        for one in sorted(learned, key=attrgetter("heard_us")):
            domain = self._domain((one.version, one.domain))
            domain.heard_us = max(domain.heard_us, one.heard_us)
            sender = Sender(one.heard_us, booted_ms=one.booted_ms)
            self._change(domain, partial(Taught.remember, lessons=one.lessons(), sender=sender))
            domain.sampling = domain.sampling or one.sampling
            domain.booted_ms = domain.booted_ms or one.booted_ms
            domain.samplers = {**one.samplers, **domain.samplers}

    @property
    def held_sets(self) -> int:
        """Sets that wait for their template now."""
        return len(self._held)

    def lost(self) -> int:
        """Return how much never came, by the exporter's own numbers: flows in v5, messages in v9, records in IPFIX."""
        return sum(domain.sequence.lost for domain in self._domains.values())
