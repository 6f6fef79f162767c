"""The live message of a device: complete in itself, and never larger than the bus likes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..gateway.subscribers import names_subscriber
from .bounds import size_of
from .reading import Reading
from .shown import CPU, ERRORS, FULL, MEMORY_FREE, MEMORY_TOTAL, RX, TX, UPTIME
from .state import DeviceState

VERSION = 1
# Room for the digits of `more`, which is counted last.
MOST_BYTES = 64 * 1024 - 16
# Of these the newest are told: what has few bytes as text may have six times as many on the bus.
MOST_LINE_BYTES = MOST_EVENT_BYTES = 16 * 1024
# A sum takes values of at most so many intervals ago, as the widgets call older ones stale.
_FRESH_INTERVALS = 3
_FRESH_S = 5.0


def compose(state: DeviceState, kind: str, *, seq: int, now_us: int, connected: bool) -> dict[str, Any]:
    """Return the message for viewers of a kind."""
    full = kind == FULL
    readings = sorted(state.readings.values(), key=lambda reading: reading.group)
    message: dict[str, Any] = {
        "v": VERSION,
        "device": state.device_id,
        "seq": seq,
        "now_us": now_us,
        "hz": round(1.0 / state.intervals_s["t0"], 3),
        **state.facts,
        "last_seen_us": state.last_seen_us,
        "connected": connected,
        "intervals_s": state.intervals_s,
        "summary": _summary(state, readings),
        "groups": [_group(reading, full=full) for reading in readings],
        "interfaces": [
            [one.id, one.name, one.comment, one.type, one.tier, one.physical, one.detail]
            for one in state.interfaces
            if full or not names_subscriber(one.name)
        ],
        "events": _newest_within(
            [shown for shown, private in state.events if full or not private], "message", MOST_EVENT_BYTES
        ),
        "more": state.left_out,
    }
    if full:
        message["lines"] = _newest_within(state.lines, "text", MOST_LINE_BYTES)
    return _bounded(message)


def _group(reading: Reading, *, full: bool) -> dict[str, Any]:
    return {
        "group": reading.group,
        "t_us": reading.t_us,
        "scalars": [list(scalar) for scalar in reading.scalars],
        "metrics": [list(metric) for metric in reading.metrics],
        "rows": [
            [instance, label, list(values)]
            for instance, label, values in reading.rows
            if full or not names_subscriber(label)
        ],
    }


# -- the device in seven numbers -------------------------------------------------


def _summary(state: DeviceState, readings: Sequence[Reading]) -> dict[str, Any]:
    scalars = {metric: value for reading in readings for metric, _, value in reading.scalars}
    newest = max((reading.t_us for reading in readings), default=None)
    ports = {one.id for one in state.interfaces if one.physical}
    sums = _port_sums(readings, ports, state.intervals_s, newest or 0)
    errors = [sums[metric] for metric in ERRORS if sums.get(metric) is not None]
    live = state.readings.get("t0")
    return {
        "t_us": live.t_us if live else newest,
        "cpu_pct": scalars.get(CPU),
        "mem_pct": _used_pct(scalars.get(MEMORY_FREE), scalars.get(MEMORY_TOTAL)),
        "rx_bps": sums.get(RX),
        "tx_bps": sums.get(TX),
        "errors_per_s": round(sum(errors), 3) if errors else None,
        "uptime_s": scalars.get(UPTIME),
    }


def _used_pct(free: float | None, total: float | None) -> float | None:
    return None if free is None or not total else round(100.0 * (total - free) / total, 1)


def _port_sums(
    readings: Sequence[Reading], ports: set[str], intervals_s: Mapping[str, float], newest_us: int
) -> dict[str, float]:
    """Return the sums over physical ports of what is fresh; without a rate of any port there is no sum."""
    sums: dict[str, float] = {}
    for reading in readings:
        fresh_s = max(_FRESH_S, _FRESH_INTERVALS * intervals_s.get(reading.group, 0.0))
        if newest_us - reading.t_us > fresh_s * 1_000_000:
            continue
        _add(sums, reading, ports)
    return sums


def _add(sums: dict[str, float], reading: Reading, ports: set[str]) -> None:
    wanted = [(index, name) for index, (name, _) in enumerate(reading.metrics) if name in (RX, TX, *ERRORS)]
    for instance, _, values in reading.rows:
        if instance in ports:
            for index, name in wanted:
                if values[index] is not None:
                    sums[name] = sums.get(name, 0) + values[index]


# -- the size ------------------------------------------------------------------------


def _newest_within(oldest_first: Iterable[dict[str, Any]], text: str, most: int) -> list[dict[str, Any]]:
    """Return the newest that have room. The newest of all is cut in its text, should it be too large alone."""
    found: list[dict[str, Any]] = []
    left = most - 2  # the brackets
    for one in reversed(list(oldest_first)):
        kept, size = one, size_of(one) + 1
        if size > left and not found:
            kept = {**one, text: _cut(one[text], left - (size - size_of(one[text])))}
            size = size_of(kept) + 1
        if size > left:
            break
        found.append(kept)
        left -= size
    return found[::-1]


def _cut(text: str, most: int) -> str:
    """Return the beginning of a text that takes at most so many bytes."""
    left = most - size_of("…")
    for at, character in enumerate(text):
        left -= size_of(character) - 2
        if left < 0:
            return f"{text[:at]}…"
    return text


def _bounded(message: dict[str, Any]) -> dict[str, Any]:
    """Leave out the least busy interfaces of a message that would be too large, and say how many.

    Without any of them it has its room, but for what no router tells: then it says how the device is, and no more.
    """
    too_much = size_of(message) - MOST_BYTES
    if too_much <= 0:
        return message
    left_out: set[str] = set()
    for instance, size in _least_busy_first(message):
        if too_much <= 0:
            break
        left_out.add(instance)
        too_much -= size
    message["interfaces"] = [row for row in message["interfaces"] if row[0] not in left_out]
    for part in message["groups"]:
        part["rows"] = [row for row in part["rows"] if row[0] not in left_out]
    message["more"] += len(left_out)
    if size_of(message) > MOST_BYTES:
        message |= {"groups": [], "events": [], **({"lines": []} if "lines" in message else {})}
    return message


def _least_busy_first(message: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return what has rows in a message, with the bytes that each takes."""
    sizes = {row[0]: size_of(row) + 1 for row in message["interfaces"]}
    busy = dict.fromkeys(sizes, -1.0)
    for part in message["groups"]:
        rates = [index for index, (name, _) in enumerate(part["metrics"]) if name in (RX, TX)]
        for row in part["rows"]:
            sizes[row[0]] = sizes.get(row[0], 0) + size_of(row) + 1
            known = [row[2][index] for index in rates if row[2][index] is not None]
            busy[row[0]] = max([busy.get(row[0], -1.0), *known])
    return [(instance, sizes[instance]) for instance in sorted(sizes, key=lambda one: (busy[one], one))]
