"""Whether a client read what the lab's routers truly said: contenders are only comparable if all did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mtd.lab.world import World

_FLAGS = {b"true": True, b"yes": True, b"false": False, b"no": False}
_STATES = ("running", "disabled")
# The lab rounds to ticks of a millisecond, and the machine is busy.
_SLACK_US = 50_000


@dataclass(slots=True)
class Reading:
    """One poll of one router, in the router's own words. Times: microseconds since the epoch."""

    router: str
    sent_us: int
    received_us: int
    counters: dict[str, dict[str, int]] = field(default_factory=dict)  # interface id -> property -> value
    states: dict[str, dict[str, bool]] = field(default_factory=dict)
    cpu_load: int | None = None

    @classmethod
    def of_text(
        cls,
        router: str,
        sent_us: int,
        received_us: int,
        interfaces: Mapping[str, Mapping[str, bytes]],
        resource: Mapping[str, bytes],
    ) -> Reading:
        """Return a reading of values as they stood in the replies."""
        made = cls(router, sent_us, received_us)
        for identity, row in interfaces.items():
            made.states[identity] = {name: _FLAGS[row[name]] for name in _STATES if name in row}
            made.counters[identity] = {name: int(value) for name, value in row.items() if name not in _STATES}
        if "cpu-load" in resource:
            made.cpu_load = int(resource["cpu-load"])
        return made

    @property
    def values(self) -> int:
        """How many values of interfaces there are."""
        return sum(map(len, self.counters.values())) + sum(map(len, self.states.values()))


def wrong_readings(world: World, readings: Iterable[Reading]) -> list[str]:
    """Return what is wrong with each reading that is not the truth of one tick; empty: all agree."""
    return [f"{reading.router}: {text}" for reading in readings if (text := _wrong(world, reading))]


def _wrong(world: World, reading: Reading) -> str:
    first = world.clock.tick_at(reading.sent_us - _SLACK_US)
    last = world.clock.tick_at(reading.received_us + _SLACK_US)
    truth = world.router(reading.router)
    expected = {item.id: item for item in truth.interfaces(last) if not item.dynamic}
    if reading.counters.keys() != expected.keys():
        return f"{len(reading.counters)} interfaces instead of {len(expected)}"
    tick = truth.match(reading.counters, first, last)
    if tick is None:
        return "its counters are those of no moment between question and answer"
    expected = {item.id: item for item in truth.interfaces(tick)}
    for identity, states in reading.states.items():
        for name, state in states.items():
            if getattr(expected[identity], name) != state:
                return f"{name} of {identity} is {state}"
    # The other command of the poll was answered a moment before or after.
    near = sorted(range(first, last + 1), key=lambda other: abs(other - tick))
    if not any(truth.resource(other).cpu_load_pct == reading.cpu_load for other in near):
        return f"its CPU load was never {reading.cpu_load}"
    return ""
