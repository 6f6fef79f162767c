"""Malformed datagrams of flows, very many, to one reader that keeps its state from the first to the last of them.

It is what a worker of the listener has of a sender: decoders, the correction of times, packing; and what is done
with each block later, where one that can't be summed up would be in the way of all others. Whatever comes, nothing
may be raised, each datagram and each record has to be accounted for, and what is kept has to be bounded.
"""

from __future__ import annotations

import os
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mtd.codec.flows import Exporter, Limits
from mtd.flowsums.minute import MinuteTally
from mtd.flowsums.tally import NOTHING, Volume
from mtd.lab.flows import Dialect, FlowGenerator, FlowPlan
from mtd.lab.scenario import FlowForm
from mtd.listeners.flows.ledger import RECORDS, Ledger, numbers_for
from mtd.listeners.flows.portions import portions_of
from mtd.listeners.flows.receiver import Source
from mtd.model.events import Origin
from mtd.model.flows import flow_event
from mtd.testing.fuzz.values import Values
from mtd.testing.harness import HarnessFailed, memory_of

MIB = 2**20
START_US = 1_767_323_045_000_000
"""When it all comes."""
_BOOT_US = START_US - 86_400_000_000
_FIRST_SHARE = 0.1  # state fills up with the first ones
_MOST_GROWN_MB = 64
_AT_ONCE = 5000
_PASSES_US = (*[0, 1000] * 50, 1_000_000)  # from one datagram to the next
_TOLD_EACH = 20_000
_WORDS = (0, 1, 2, 3, 4, 5, 9, 10, 20, 48, 255, 256, 257, 258, 0x7FFF, 0x8001, 0xFFFE, 0xFFFF)
_ADDRESS = "192.0.2.1"
_PORTS = (2055, 2055, 2055, 2055, *range(40_000, 40_100))
_SPOILED = ("insane", "empty")  # records that are counted instead of being kept
_LENGTH = struct.Struct(">H")


def good_datagrams() -> list[bytes]:
    """Return datagrams of all forms, and those of real exporters where ``MTD_ROSDATA`` names a folder with captures."""
    found: list[bytes] = []
    for form in FlowForm:
        for dialect in Dialect:
            for sampling in (0, 100):
                plan = FlowPlan(form, dialect, sampling=sampling, templates_every=2)
                made = FlowGenerator(plan, key=len(found), boot_us=_BOOT_US, dimensions=False)
                found += made.take(80, START_US).datagrams
    captures = Path(os.environ.get("MTD_ROSDATA", "")) / "netflow"
    if os.environ.get("MTD_ROSDATA"):
        found += [path.read_bytes() for path in sorted(captures.glob("*/*.dat"))]
    return found


class Reader:
    """A sender's state, and what became of all that it sent."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._row = Ledger(memoryview(bytearray(8 * numbers_for(1))).cast("Q")).row_of(_ADDRESS)
        self.source = Source((), self._row)
        self._limits = limits or Limits()
        if limits is not None:
            self.source.exporter = Exporter(limits)
        self.stored = self.fed = 0
        self.unlike = 0
        """Blocks, and minutes, that don't add up to what was told of them."""

    def feed(self, datagram: bytes, at_us: int, port: int = _PORTS[0]) -> None:
        """Take a datagram that was sent from a port."""
        self.fed += 1
        self.source.feed(datagram, at_us, port)

    def flush(self) -> None:
        """Make events of what waits, as the daemon gets them, and sum their blocks up as those of one minute."""
        whole, tally = NOTHING, MinuteTally()
        for flows in self.source.take():
            for portion in portions_of(flows, _ADDRESS, None, self.source.faults):
                self.stored += portion.records
                flow_event(Origin("", ""), portion, portion.received_us).SerializeToString()
                told = Volume(portion.estimated_octets, portion.estimated_packets, portion.records)
                self.unlike += not tally.add(told, portion.block)
                whole += told
        self.unlike += any(sums.volume.flows > whole.flows for _, sums in tally.sums())

    def problems(self) -> Iterator[str]:
        """Yield what isn't accounted for, or is more than the limits allow."""
        netflow, sflow = self.source.exporter.counts, self.source.agent.counts
        if netflow.datagrams + sflow.datagrams != self.fed:
            yield f"{netflow.datagrams + sflow.datagrams} of {self.fed} datagrams were counted"
        spoiled = sum(self.source.faults.counts[name] for name in _SPOILED)
        if netflow.records + sflow.records != self.stored + spoiled:
            yield f"{netflow.records + sflow.records} records were read, {self.stored} stored, {spoiled} given up"
        if self._row[RECORDS] != netflow.records + sflow.records:
            yield f"{self._row[RECORDS]} of {netflow.records + sflow.records} records are in the ledger"
        if self.unlike:
            yield f"{self.unlike} blocks add up to something else"
        learned = self.source.exporter.learned()
        if len(learned) > self._limits.domains:
            yield f"{len(learned)} domains are known"
        # Of a number, ports may have layouts of their own: these have a bound of their own.
        most = max((len({known.number for known in one.templates}) for one in learned), default=0)
        if most > self._limits.templates:
            yield f"{most} templates of a domain are known"
        fields = sum(len(template.fields) for one in learned for template in one.templates)
        if fields > self._limits.fields:
            yield f"{fields} fields of templates are known"

    def figures(self) -> dict[str, Any]:
        """Return what became of it."""
        netflow, sflow = self.source.exporter.counts, self.source.agent.counts
        return {
            "datagrams": self.fed,
            "records": netflow.records + sflow.records,
            "stored_records": self.stored,
            "templates": netflow.templates,
            "template_conflicts": netflow.template_conflicts,
            "restarts": netflow.restarts,
            "held_sets": netflow.held,
            "dropped": {
                "sets": netflow.held_dropped,
                "templates": netflow.templates_dropped,
                "domains": netflow.domains_dropped,
            },
            "suspect_records": dict(self.source.faults.counts),
            "malformed": dict((Counter(netflow.malformed) + Counter(sflow.malformed)).most_common()),
        }


def malformed(values: Values, good: Sequence[bytes]) -> bytes:
    """Return a datagram that was good: broken, with other numbers in it, run together with another, or left as it is."""
    chance = values.chance
    one = chance.choice(good)
    way = chance.random()
    if way < 0.2:
        return one
    if way < 0.5:
        return values.broken(one)
    if way < 0.9:
        body = bytearray(one)
        for _ in range(1 + values.few(6)):
            # Near the beginning are what sizes and templates are made of.
            where = chance.randrange(min(len(body), chance.choice((24, 80, len(body)))) // 2) * 2
            body[where : where + 2] = _LENGTH.pack(chance.choice(_WORDS))
        return bytes(body)
    if way < 0.97:
        return one[: chance.randrange(len(one))] + chance.choice(good)[chance.randrange(20) :]
    return one[:2] + chance.randbytes(values.few(1500))


def fuzz_flows(
    count: int, seed: int, say: Callable[[str], None], *, limits: Limits | None = None
) -> dict[str, Any]:
    """Feed so many datagrams; return what became of them. Raises HarnessFailed upon a finding."""
    good, values, reader = good_datagrams(), Values(seed), Reader(limits)
    at_us, before = START_US, 0
    began = time.monotonic()
    for number in range(1, count + 1):
        datagram = malformed(values, good)
        at_us += values.chance.choice(_PASSES_US)
        try:
            reader.feed(datagram, at_us, values.chance.choice(_PORTS))
            if number % _AT_ONCE == 0 or number == count:
                reader.flush()
        except Exception as error:
            raise HarnessFailed(f"datagram {number} of --seed {seed}: {error!r}\n{datagram.hex()}") from error
        if number == max(1, int(count * _FIRST_SHARE)):
            before = memory_of(os.getpid())
        if number % _TOLD_EACH == 0:
            say(f"{number:,} of {count:,} datagrams")
    problems = list(reader.problems())
    grown_mb = (memory_of(os.getpid()) - before) / MIB
    if grown_mb > _MOST_GROWN_MB:
        problems.append(f"the process grew by {grown_mb:.0f} MB")
    if problems:
        raise HarnessFailed(f"after --datagrams {count} --seed {seed}: " + "; ".join(problems))
    took_s = round(time.monotonic() - began, 1)
    return reader.figures() | {"memory_grown_mb": round(grown_mb, 1), "seconds": took_s}


# -- as one input ---------------------------------------------------------------


def joined(datagrams: Sequence[bytes]) -> bytes:
    """Return datagrams as one input: each behind its length."""
    return b"".join(_LENGTH.pack(len(one)) + one for one in datagrams)


def read_joined(data: bytes) -> None:
    """Read such an input as what one sender sent."""
    reader, position = Reader(), 0
    while position + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, position)
        position += _LENGTH.size
        reader.feed(data[position : position + length], START_US)
        position += length
    reader.flush()
    for problem in reader.problems():
        raise AssertionError(problem)
