"""The list of devices: read when something changed, told as what changed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from mtd.api.console.encode import encode, listed
from mtd.queries.records import FleetRow

GONE_KEPT = 10_000
PORTION_CHARACTERS = 48 * 1024
"""About a message of the list: less than what a connection takes before it says that it is full."""


@dataclass(slots=True)
class FleetEntry:
    """A device of the list. ``version``: the reading at which it came or changed."""

    row: FleetRow
    version: int
    text: str


@dataclass(frozen=True, slots=True)
class News:
    """What someone has to be told to know the list as of ``version``: ids of rows, and of what is gone."""

    version: int
    rows: tuple[str, ...]
    gone: tuple[str, ...]
    complete: bool


class Fleet:
    """Rows of all devices as text. Viewers remember how far they know it, and nothing else.

    Ten thousand rows are megabytes: they are told in portions, which are made
    when a connection takes them. What waits for a browser is a list of ids that
    all share who began with the same version.

    ``last_seen``: when a device was heard of last, by its id; 0 or None if never.
    ``interval_s``: seconds between polls of devices that have none of their own.
    """

    def __init__(
        self, last_seen: Callable[[str], int | None], interval_s: Callable[[], float | None]
    ) -> None:
        self._last_seen = last_seen
        self._interval_s = interval_s
        self._told_interval_s = interval_s()
        self._entries: dict[str, FleetEntry] = {}
        self._gone: deque[tuple[int, str]] = deque(maxlen=GONE_KEPT)
        self._told: dict[int, News] = {}  # what to send to those who know a version, until it changes
        self._forgotten = 0  # who knows less than this version can't be told what is gone
        self.version = 0
        """Of the newest reading that changed something; 0 before the first."""

    async def take(self, rows: Sequence[FleetRow]) -> bool:
        """Make these the devices; return whether that changed anything."""
        changed, gone = await asyncio.to_thread(_difference, dict(self._entries), rows)
        interval_s = self._interval_s()
        if interval_s != self._told_interval_s:
            changed, self._told_interval_s = list(rows), interval_s
        if not changed and not gone and self.version:
            return False
        seen = {row.device_id: self._last_seen(row.device_id) for row in changed}
        # Ten thousand rows take a tenth of a second.
        texts = await asyncio.to_thread(_texts, changed, seen, interval_s)
        self.version += 1
        for row, text in zip(changed, texts, strict=True):
            self._entries[row.device_id] = FleetEntry(row, self.version, text)
        for device_id in gone:
            del self._entries[device_id]
            if len(self._gone) == GONE_KEPT:
                self._forgotten = self._gone[0][0]
            self._gone.append((self.version, device_id))
        self._told.clear()
        return True

    def news(self, version: int) -> News:
        """Return what brings someone who knows ``version`` up to date."""
        if version < self._forgotten:
            version = 0
        told = self._told.get(version)
        if told is None:
            told = self._told[version] = self._complete() if version == 0 else self._changes(version)
        return told

    def portion(self, news: News, begin: int) -> tuple[str, int]:
        """Return the parts of one message of some news, from a row on, and the row behind it.

        Rows are as they are now: who reads slowly gets the newest. The last one is behind all rows.
        """
        rows: list[str] = []
        size, at = 0, begin
        while at < len(news.rows) and (not rows or size < PORTION_CHARACTERS):
            entry = self._entries.get(news.rows[at])
            at += 1
            if entry is not None:
                rows.append(entry.text)
                size += len(entry.text)
        parts = [
            f'"complete":{"true" if news.complete and begin == 0 else "false"}',
            listed("devices", rows),
            f'"gone":{encode(list(news.gone) if begin == 0 else [])}',
        ]
        if at < len(news.rows):
            parts.append('"more":true')
        return ",".join(parts), at

    def _complete(self) -> News:
        return News(self.version, tuple(self._entries), (), complete=True)

    def _changes(self, version: int) -> News:
        changed = tuple(key for key, entry in self._entries.items() if entry.version > version)
        # Newest first, and no further than needed.
        gone: dict[str, None] = {}
        for at, device_id in reversed(self._gone):
            if at <= version:
                break
            gone[device_id] = None
        return News(
            self.version, changed, tuple(one for one in gone if one not in self._entries), complete=False
        )


def _difference(
    known: Mapping[str, FleetEntry], rows: Sequence[FleetRow]
) -> tuple[list[FleetRow], list[str]]:
    """Return the rows that are new or changed, and the ids of those that are gone."""
    wanted = {row.device_id for row in rows}
    changed = [row for row in rows if (entry := known.get(row.device_id)) is None or entry.row != row]
    return changed, [device_id for device_id in known if device_id not in wanted]


def _texts(rows: Sequence[FleetRow], seen: Mapping[str, int | None], interval_s: float | None) -> list[str]:
    return [encode(row_object(row, seen[row.device_id], interval_s)) for row in rows]


def row_object(row: FleetRow, last_seen_us: int | None, interval_s: float | None) -> dict[str, object]:
    """Return a device as the list shows it. ``interval_s``: if it has none of its own."""
    shown = asdict(row)
    if shown["interval_s"] is None:
        shown["interval_s"] = interval_s
    shown["id"] = shown.pop("device_id")
    shown["last_seen_us"] = last_seen_us or None
    return shown
