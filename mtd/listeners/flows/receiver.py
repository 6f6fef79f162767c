"""What a worker does with datagrams: reads those of known exporters, and packs what they tell. No sockets here."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mtd.codec.flows import Exporter, Flows, Learned, SflowAgent
from mtd.codec.flows.block import MOST_RECORDS
from mtd.codec.flows.taught import ANY_PORT
from mtd.listeners.flows.config import FlowsConfig
from mtd.listeners.flows.enrichment import Enrichments
from mtd.listeners.flows.ledger import DATAGRAMS, HELD, RECORDS, Ledger, numbers_for
from mtd.listeners.flows.portions import Faults, portions_of
from mtd.listeners.udp import Received
from mtd.model.flows import FlowPortion

_SFLOW = b"\0\0\0\x05"
_MOST_STRANGERS = 1000

Send = Callable[[FlowPortion, str], bool]
"""Passes on a portion, and whose it is, a tenant's id; tells whether there was room for it."""

Domains = Mapping[str, Mapping[int, str]]
"""By address and domain: whose device that is, where the settings tell; empty if there is none."""


class Source:
    """One sender. An address may send NetFlow and sFlow. ``row``: where it notes what it took; see ``Ledger``."""

    def __init__(self, learned: Sequence[Learned], row: memoryview) -> None:
        self.exporter = Exporter()
        self.exporter.remember(learned)
        self.agent = SflowAgent()
        self.faults = Faults()
        self.stored = 0
        self.queue_full = 0
        self._given_up = 0
        self._row = row
        self._datagrams = row[DATAGRAMS]
        self._passed = row[RECORDS]

    def feed(self, data: bytes, at_us: int, port: int) -> int:
        """Take a datagram that was sent from a port; return how many records wait."""
        self._datagrams += 1
        self._row[DATAGRAMS] = self._datagrams
        if data[:4] == _SFLOW:
            self.agent.feed(data, at_us)
        else:
            self.exporter.feed(data, at_us, port)
        waiting = self.waiting
        self._row[RECORDS] = self._passed + waiting
        return waiting

    def take(self) -> Iterator[Flows]:
        """Yield the records that wait."""
        for flows in (*self.exporter.take(), *self.agent.take()):
            self._passed += flows.count
            yield flows

    def note_held(self) -> None:
        """Note how many sets wait for their template."""
        self._row[HELD] = self.exporter.held_sets

    def give_up_held(self) -> None:
        """Count the sets that wait for their template as given up: this is forgotten, and they are with it."""
        self._given_up += self.exporter.held_sets
        self._row[HELD] = 0

    @property
    def waiting(self) -> int:
        """Records that wait to be taken."""
        return self.exporter.waiting + self.agent.waiting

    def counts(self) -> dict[str, int]:
        """Return totals, by what they count; see ``mtd.listeners.flows.metrics``."""
        netflow, sflow = self.exporter.counts, self.agent.counts
        malformed = netflow.malformed + sflow.malformed
        return {
            "datagrams": netflow.datagrams + sflow.datagrams,
            "stored": self.stored,
            "queue_full": self.queue_full,
            "lost": self.exporter.lost() + self.agent.lost(),
            "templates": netflow.templates,
            "template_conflicts": netflow.template_conflicts,
            "held": netflow.held,
            "held_dropped": netflow.held_dropped + self._given_up,
            "restarts": netflow.restarts,
            "templates_dropped": netflow.templates_dropped,
            **self.faults.counts,
            **{f"malformed.{reason}": count for reason, count in malformed.items()},
        }


class Receiver:
    """Sources by their addresses; those only that are known to send."""

    def __init__(
        self,
        config: FlowsConfig,
        send: Send,
        learned: Mapping[str, Sequence[Learned]] | None = None,
        enrichments: Enrichments | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self._config = config
        self._send = send
        self._learned = dict(learned or {})
        self._enrichments = enrichments or Enrichments(config.enrichment)
        numbers = numbers_for(config.max_exporters)
        self._ledger = ledger or Ledger(memoryview(bytearray(8 * numbers)).cast("Q"))
        self._known: Mapping[str, str] = {}
        self._domains: Domains = {}
        self._taught: dict[str, str] = {}  # whose the device was that taught what is remembered
        self._sources: OrderedDict[str, Source] = OrderedDict()
        self._strangers: Counter[str] = Counter()
        self._told: dict[str, dict[str, int]] = {}
        self._gone: dict[str, Counter[str]] = {}

    def know(self, addresses: Mapping[str, str], domains: Domains | None = None) -> None:
        """Take in from these, and no others: addresses, and whose they are, a tenant's id."""
        domains = domains or {}
        for address in list(self._sources):
            if self._changes_hands(address, addresses, domains):
                self._forget(address)
                if address in addresses:
                    del self._learned[address]
        # Who comes to be at somebody else's address isn't read by that one's templates.
        for address in self._learned.keys() & addresses.keys():
            if self._taught.setdefault(address, addresses[address]) != addresses[address]:
                del self._learned[address]
        self._taught = {address: self._taught.get(address, "") for address in self._learned}
        self._known, self._domains = addresses, domains

    def _changes_hands(self, address: str, addresses: Mapping[str, str], domains: Domains) -> bool:
        """Return whether something of what an address sent would be another tenant's from now on."""
        if addresses.get(address) != self._known.get(address):
            return True
        now = domains.get(address, {})
        # Who wasn't there before comes to what was nobody's, and takes it from no one.
        return any(
            now.get(domain) != tenant for domain, tenant in self._domains.get(address, {}).items() if tenant
        )

    def _tenant_of(self, address: str, domain: int) -> str:
        tenant = self._domains.get(address, {}).get(domain)
        return self._known.get(address, "") if tenant is None else tenant

    def put(self, received: Received) -> None:
        """Take a datagram."""
        source = self._sources.get(received.sender)
        if source is None:
            source = self._meet(received.sender)
            if source is None:
                return
        port = received.peer[1] if received.peer else ANY_PORT
        if source.feed(received.data, received.at_us, port) >= MOST_RECORDS:
            self._flush(received.sender, source)

    def _meet(self, address: str) -> Source | None:
        if address not in self._known:
            self._ledger.strangers[DATAGRAMS] += 1
            if len(self._strangers) < _MOST_STRANGERS or address in self._strangers:
                self._strangers[address] += 1
            else:
                self._strangers[""] += 1  # of whom there are too many
            return None
        source = self._sources[address] = Source(self._learned.get(address, ()), self._ledger.row_of(address))
        if len(self._sources) > self._config.max_exporters:
            self._forget(next(iter(self._sources)))
        return source

    def flush(self) -> None:
        """Pass on what waits."""
        for address, source in list(self._sources.items()):
            if source.waiting:
                self._sources.move_to_end(address)
                self._flush(address, source)

    def _flush(self, address: str, source: Source) -> None:
        override = self._config.exporters.get(address)
        sampling = None if override is None else override.sampling
        for flows in source.take():
            tenant_id = self._tenant_of(address, flows.domain)
            enrichment = self._enrichments.of(tenant_id)
            for portion in portions_of(flows, address, sampling, source.faults, enrichment):
                if self._send(portion, tenant_id):
                    source.stored += portion.records
                else:
                    source.queue_full += portion.records

    def _forget(self, address: str) -> None:
        source = self._sources.pop(address)
        self._flush(address, source)
        source.give_up_held()
        self._learned[address] = source.exporter.learned()
        self._taught[address] = self._known.get(address, "")
        self._gone.setdefault(address, Counter()).update(self._news(address, source))
        self._told.pop(address, None)

    # -- what is told --------------------------------------------------------------

    def news(self) -> dict[str, Any]:
        """Return what was counted since the last time, by exporter; ``gone``: of those that are forgotten."""
        exporters = {}
        for address, source in self._sources.items():
            source.note_held()
            if news := self._news(address, source):
                exporters[address] = news
        strangers, self._strangers = self._strangers, Counter()
        gone, self._gone = self._gone, {}
        return {"exporters": exporters, "strangers": dict(strangers), "gone": gone}

    def _news(self, address: str, source: Source) -> dict[str, int]:
        now, before = source.counts(), self._told.get(address, {})
        # What was lost may turn out to be late only, and be less than before; what was told stays told.
        now["lost"] = max(now["lost"], before.get("lost", 0))
        self._told[address] = now
        return {name: more for name, count in now.items() if (more := count - before.get(name, 0))}

    def learned(self) -> Mapping[str, Sequence[Learned]]:
        """Return what all exporters told that holds on."""
        known = {address: source.exporter.learned() for address, source in self._sources.items()}
        kept = {address: learned for address, learned in self._learned.items() if address in self._known}
        return {**kept, **known}
