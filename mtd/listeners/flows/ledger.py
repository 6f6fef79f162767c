"""What a worker took in, exporter by exporter, in memory that the daemon shares: it stands there though the worker is killed.

What was taken and is neither handed over nor told when a worker ends died with it. The worker counts a datagram
before it reads it, and its records right after: one that is killed in between leaves one datagram uncounted at most.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mtd.core.shared_numbers import SharedNumbers

DATAGRAMS, RECORDS, HELD = 0, 1, 2
"""Places in a row: datagrams that were taken, records that were found in them, sets that wait for a template now."""

_HIGH, _LOW, _FIRST, _WIDTH = 0, 1, 2, 5  # of a row: both halves of the address, then its numbers
_STRANGERS = 0  # the first row: of senders that are nobody's
_HALF = (1 << 64) - 1
DROPPED = ("insane", "empty", "queue_full")
"""Why a worker drops records that it read, as it tells and ``mtd.listeners.flows.metrics`` counts it."""


def numbers_for(exporters: int) -> int:
    """Return how many numbers a ledger has that suits so many exporters; twice that, as they come and go."""
    return (2 * exporters + 1) * _WIDTH


class Ledger:
    """The worker's side. ``view``: numbers, all 0. Who comes when all rows are taken isn't in it."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._rows: dict[str, memoryview] = {}
        self.strangers = self._row(_STRANGERS)

    def row_of(self, address: str) -> memoryview:
        """Return the numbers of an exporter, as it left them if it was there before."""
        row = self._rows.get(address)
        if row is not None:
            return row
        place = _STRANGERS + 1 + len(self._rows)
        if (place + 1) * _WIDTH > len(self._view):
            return memoryview(bytearray(8 * _WIDTH)).cast("Q")
        number = _number_of(address)
        self._view[place * _WIDTH + _HIGH] = number >> 64
        self._view[place * _WIDTH + _LOW] = number & _HALF
        row = self._rows[address] = self._row(place)
        return row

    def _row(self, place: int) -> memoryview:
        return self._view[place * _WIDTH + _FIRST : (place + 1) * _WIDTH]


@dataclass(frozen=True, slots=True)
class Died:
    """What was lost with a worker of what one address sent; an empty one: senders that are nobody's device.

    ``datagrams``: such as weren't told yet. ``held``: sets that waited for their template.
    """

    address: str
    datagrams: int
    records: int = 0
    held: int = 0

    def counts(self) -> dict[str, int]:
        """Return it as workers tell counts."""
        told = {"datagrams": self.datagrams, "worker_died": self.records, "held_dropped": self.held}
        return {name: count for name, count in told.items() if count}


class Account:
    """The daemon's side: what the worker that runs now handed over and told, set against its ledger."""

    def __init__(self, exporters: int) -> None:
        self._numbers = SharedNumbers(numbers_for(exporters))
        self._view = self._numbers.view
        self._datagrams: Counter[str] = Counter()
        self._records: Counter[str] = Counter()

    @property
    def fd(self) -> int:
        """The descriptor of the ledger, which the worker inherits."""
        return self._numbers.fd

    def hand_over(self, address: str, records: int) -> None:
        """Note records that came from the worker."""
        self._records[address] += records

    def tell(self, address: str, counts: Mapping[str, int]) -> None:
        """Note what the worker told of an exporter; of strangers, with an empty address."""
        self._datagrams[address] += counts.get("datagrams", 0)
        self._records[address] += sum(counts.get(reason, 0) for reason in DROPPED)

    def settle(self) -> list[Died]:
        """Return what died with the worker, which has ended, and begin anew for the next one."""
        reckoned = list(self._reckon())
        used = len(reckoned) * _WIDTH
        self._view[:used] = memoryview(bytes(8 * used)).cast("Q")
        self._datagrams.clear()
        self._records.clear()
        return [one for one in reckoned if one.counts()]

    def close(self) -> None:
        """Give the ledger back."""
        self._numbers.close()

    def _reckon(self) -> Iterator[Died]:
        view = self._view
        yield Died("", max(0, view[_FIRST + DATAGRAMS] - self._datagrams[""]))
        for at in range((_STRANGERS + 1) * _WIDTH, len(view), _WIDTH):
            number = view[at + _HIGH] << 64 | view[at + _LOW]
            if not number:
                return
            address, row = _address_of(number), view[at + _FIRST : at + _WIDTH].tolist()
            datagrams, records = (
                row[DATAGRAMS] - self._datagrams[address],
                row[RECORDS] - self._records[address],
            )
            yield Died(address, max(0, datagrams), max(0, records), row[HELD])


def _number_of(address: str) -> int:
    found = ipaddress.ip_address(address)
    return int(found) if found.version == 6 else int(found) | 0xFFFF << 32


def _address_of(number: int) -> str:
    found = ipaddress.IPv6Address(number)
    return str(found.ipv4_mapped or found)
