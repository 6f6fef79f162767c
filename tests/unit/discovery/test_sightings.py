"""When a sighting is news."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.mndp import Announcement
from mtd.discovery.config import DiscoveryConfig
from mtd.discovery.listener import sighting_of
from mtd.discovery.sightings import Sightings
from mtd.model.sighting import FoundBy, Sighting


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def now_us(self) -> int:
        return int(self.now * 1e6)


class Recorder:
    def __init__(self) -> None:
        self.told: list[tuple[str, Sighting]] = []

    def record_sighting(self, tenant_id: str, sighting: Sighting) -> None:
        self.told.append((tenant_id, sighting))


def bench(**settings: object) -> tuple[Sightings, Recorder, Clock]:
    clock, recorder = Clock(), Recorder()
    config = DiscoveryConfig.model_validate(settings)
    return Sightings(recorder, config, clock), recorder, clock  # type: ignore[arg-type]


def router(number: int = 0, identity: str = "r") -> Sighting:
    return Sighting(
        FoundBy.MNDP, f"10.0.0.{number % 250}", f"48:8F:5A:00:{number >> 8:02X}:{number & 255:02X}", identity
    )


def test_what_says_nothing_new_is_told_now_and_then() -> None:
    sightings, recorder, clock = bench(repeat_s=60)
    for second in range(0, 121, 10):
        clock.now = float(second)
        sightings.seen("t", router())
    assert len(recorder.told) == 3  # at 0, 60 and 120
    sightings.seen("t", router(identity="other"))
    assert recorder.told[-1][1].identity == "other"
    sightings.seen("other tenant", router(identity="other"))
    assert len(recorder.told) == 5


def test_new_ones_are_bounded_in_pace_and_in_memory() -> None:
    sightings, recorder, clock = bench(max_new_per_minute=60, max_proposals=100)
    for number in range(1100):
        sightings.seen("t", router(number))
    assert len(recorder.told) == 1000
    assert len(sightings._known) == 100
    clock.now = 10.0
    for number in range(2000, 2100):
        sightings.seen("t", router(number))
    assert len(recorder.told) == 1010


def test_what_can_not_be_told_apart_is_not_told() -> None:
    sightings, recorder, _ = bench()
    sightings.seen("t", Sighting(FoundBy.MNDP, identity="nameless"))
    assert recorder.told == []


def test_who_sent_an_announcement_is_where_it_can_be_reached() -> None:
    told = Announcement(1, ipv4_address="192.168.88.1", ipv6_address="2001:db8::1")
    assert sighting_of(told, "10.0.0.7").address == "10.0.0.7"
    assert sighting_of(told, "0.0.0.0").address == "192.168.88.1"
    assert sighting_of(told, "fe80::1%eth0").address == "192.168.88.1"
    assert sighting_of(Announcement(1), "nonsense").address == ""


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.floats(0, 100)), max_size=40))
def test_the_newest_is_always_told(steps: list[tuple[int, str, float]]) -> None:
    sightings, recorder, clock = bench(repeat_s=60)
    last: dict[int, str] = {}
    for number, identity, wait in steps:
        clock.now += wait
        sightings.seen("t", router(number, identity))
        last[number] = identity
    told = {sighting.mac_address: sighting.identity for _, sighting in recorder.told}
    assert told == {router(number).mac_address: identity for number, identity in last.items()}
