"""What viewed devices show beside their values: state, interfaces, events so far, lines of their logs."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .bounds import MOST_TOPICS, text_within
from .state import MOST_LINES, DeviceState, microseconds

# Above so many, one list of all is cheaper than a call for each.
_SINGLE_CALLS = 20
_AT_ONCE = 4
_LONGEST_LINE = 400
# Lines come late and out of order by so much; those that are known are left out.
_OVERLAP = dt.timedelta(seconds=2)
# Devices whose last lines are further apart are asked for apart: a silent one would bring old lines of the others.
_APART = dt.timedelta(minutes=1)


async def read_devices(client: Any, mtd_ids: Collection[str]) -> list[Any]:
    """Ask mtd how these devices are; those that it does not know any more are left out."""
    if len(mtd_ids) > _SINGLE_CALLS:
        return [device for device in await client.list_devices() if device.id in mtd_ids]
    return await _for_each(mtd_ids, client.get_device)


async def refresh_devices(client: Any, states: Mapping[str, DeviceState]) -> None:
    """Ask mtd how these devices are."""
    for device in await read_devices(client, states):
        states[device.id].take_device(device)


async def refresh_interfaces(client: Any, states: Mapping[str, DeviceState]) -> None:
    """Ask mtd for the interfaces of these devices."""
    from mtd.client import watching

    async def ask(mtd_id: str) -> None:
        found = await client.ask(watching.interfaces(mtd_id))
        states[mtd_id].take_interfaces(found.interfaces)

    await _for_each(states, ask)


async def refresh_since(client: Any, states: Mapping[str, DeviceState]) -> None:
    """Ask mtd since when these devices have their status, where no event told it."""

    async def ask(mtd_id: str) -> None:
        health = await client.health(mtd_id)
        states[mtd_id].take_since(_since(health))

    unknown = [
        key for key, state in states.items() if state.facts["since_us"] is None and not state.since_asked
    ]
    await _for_each(unknown, ask)


def _since(health: Any) -> int | None:
    """Return since when a device has its status, for whatever reasons; None if it began before what is told."""
    since = None
    for segment in reversed(health.segments):
        if segment.status != health.segments[-1].status:
            return since
        since = segment.from_us
    return None


class LogTail:
    """Follows the logs of devices. mtd has no stream of lines: the newest are asked for.

    From when on, only the lines themselves tell: they have the time of the collector's clock, not of ours.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._newest: dict[str, dt.datetime] = {}
        self._followed: dict[str, DeviceState] = {}

    async def refresh(self, states: Mapping[str, DeviceState]) -> None:
        """Ask for new lines of all these devices at once, and for the last ones of those that are new here."""
        for mtd_id, followed in list(self._followed.items()):
            # Who comes back soon has lines as little as one who is new.
            if states.get(mtd_id) is not followed:
                del self._followed[mtd_id]
                self._newest.pop(mtd_id, None)
        known = self._groups()
        silent = [mtd_id for mtd_id in self._followed if mtd_id not in self._newest]
        await _for_each(
            states.keys() - self._followed.keys(), lambda mtd_id: self._first(mtd_id, states[mtd_id])
        )
        for group in known:
            self._take(await self._page(group, self._newest[group[0]] - _OVERLAP), states)
        if silent:
            self._take(await self._page(silent), states)

    async def _first(self, mtd_id: str, state: DeviceState) -> None:
        records = await self._page([mtd_id])
        self._followed[mtd_id] = state
        self._take(records, {mtd_id: state})

    def _groups(self) -> list[list[str]]:
        """Return those that have lines, the longest silent first, with those that have about as new ones."""
        groups: list[list[str]] = []
        for mtd_id in sorted(self._newest, key=self._newest.__getitem__):
            if groups and self._newest[mtd_id] - self._newest[groups[-1][0]] <= _APART:
                groups[-1].append(mtd_id)
            else:
                groups.append([mtd_id])
        return groups

    async def _page(self, devices: list[str], start: dt.datetime | None = None) -> list[Any]:
        from mtd.client import logs

        page = logs.page(devices=devices, start=start, page_size=MOST_LINES * len(devices))
        return list((await self._client.ask(page)).records)

    def _take(self, newest_first: list[Any], states: Mapping[str, DeviceState]) -> None:
        lines: dict[str, list[dict[str, Any]]] = {}
        for record in reversed(newest_first):
            if record.device_id in states:
                lines.setdefault(record.device_id, []).append(_line(record))
                self._newest[record.device_id] = max(
                    record.time, self._newest.get(record.device_id, record.time)
                )
        for mtd_id, found in lines.items():
            states[mtd_id].take_lines(found)


def _line(record: Any) -> dict[str, Any]:
    from mtd.client.logs import SEVERITIES

    return {
        "t_us": microseconds(record.time),
        "severity": SEVERITIES.index(record.severity) if record.severity else None,
        "topics": [text_within(topic) for topic in record.topics[:MOST_TOPICS]],
        "text": text_within(record.text, _LONGEST_LINE),
    }


async def _for_each(keys: Iterable[str], ask: Any) -> list[Any]:
    """Ask for each of these, a few at once. One that mtd does not know leaves the others in peace."""
    from mtd.client import MtdClientError

    door = asyncio.Semaphore(_AT_ONCE)

    async def bounded(key: str) -> Any:
        async with door:
            return await ask(key)

    answers = await asyncio.gather(*map(bounded, keys), return_exceptions=True)
    failed = [one for one in answers if isinstance(one, BaseException)]
    for error in failed:
        if not (isinstance(error, MtdClientError) and error.code == "NOT_FOUND"):
            raise error
    return [one for one in answers if not isinstance(one, BaseException)]
