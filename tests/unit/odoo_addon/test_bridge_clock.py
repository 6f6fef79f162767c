"""The clocks of mtd and of the bridge differ: what is told is mtd's time."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from mtd.client import MtdClientError
from mtd.client.values import moment
from tests.unit.odoo_addon import bridge_kit as kit
from tests.unit.odoo_addon import fake_mtd
from tests.unit.odoo_addon.bridge_kit import FakeStore, until

skew_of = kit.part("skew")
HOUR_S = 3600.0
NOW = 1_700_000_000.0


def skew(ahead: float, seconds: float = 0.1) -> Any:
    """Return what an answer tells that was so long under way."""
    made = skew_of.Skew()
    made.take(NOW + ahead, NOW - seconds / 2, NOW + seconds / 2)
    return made


class Client:
    """An mtd that knows one device."""

    def __init__(self, code: str = "NOT_FOUND") -> None:
        self.code = code

    async def health(self, mtd_id: str, *, seconds: int) -> Any:
        if mtd_id != "known":
            raise MtdClientError("no", code=self.code)
        return SimpleNamespace(end=moment(round((NOW + HOUR_S) * 1e6)))


@pytest.mark.parametrize("ahead", [HOUR_S, -HOUR_S, 2.5, -2.5])
def test_a_difference_counts_in_both_directions(ahead: float) -> None:
    assert skew(ahead).s == pytest.approx(ahead)


@pytest.mark.parametrize("ahead", [0.0, 1.9, -1.9])
def test_clocks_that_are_as_good_as_the_same_are_the_same(ahead: float) -> None:
    made = skew(ahead)
    assert made.s == 0
    assert made.ahead_s == pytest.approx(ahead)


def test_nothing_is_known_before_mtd_told() -> None:
    assert skew_of.Skew().ahead_s is None
    assert skew_of.Skew().s == 0


@pytest.mark.parametrize(("before", "after"), [(NOW, NOW + 2.1), (NOW + 60, NOW)])
def test_an_answer_that_came_late_changes_nothing(before: float, after: float) -> None:
    made = skew(HOUR_S)
    made.take(NOW, before, after)  # the other: our own clock was set meanwhile
    assert made.s == pytest.approx(HOUR_S)


@kit.on_loop
async def test_a_device_that_mtd_does_not_know_tells_nothing() -> None:
    made = skew_of.Skew(lambda: NOW)
    await made.ask(Client(), ["gone"])
    assert made.ahead_s is None
    await made.ask(Client(), ["gone", "known", "gone"])
    assert made.ahead_s == HOUR_S
    with pytest.raises(MtdClientError):
        await made.ask(Client("UNAVAILABLE"), ["gone"])
    assert made.ahead_s == HOUR_S


@kit.on_loop
@pytest.mark.parametrize("ahead", [HOUR_S, -HOUR_S])
async def test_what_is_told_is_the_time_of_mtd(ahead: float) -> None:
    async with fake_mtd.mtd() as mtd:
        mtd.ahead_s = ahead
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            running.watch({7: ("a", ["plain"])})

            def differs() -> bool:
                return any(
                    abs(one["now_us"] / 1e6 - time.time() - ahead) < HOUR_S / 2 for one in running.sent(7)
                )

            await until(differs, "the time of mtd")
            (told,) = running.bridge.health()["connections"]
            assert abs(told["clock_ahead_s"] - ahead) < HOUR_S / 2
            assert abs(running.figure("clock_ahead_seconds", connection="1") - ahead) < HOUR_S / 2
            store.companies = []
            label = b'clock_ahead_seconds{connection="1"}'
            await until(
                lambda: label not in running.bridge.figures.exposition(), "it isn't followed any more"
            )


@kit.on_loop
async def test_the_age_of_values_is_that_by_the_clock_of_mtd() -> None:
    async with fake_mtd.mtd() as mtd:
        await mtd.poll()
        mtd.ahead_s = mtd._t_us / 1e6 - time.time()  # it lives in the time of its values, years ago
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            running.watch({7: ("a", ["plain"])})
            await until(
                lambda: running.bridge.figures.value("clock_ahead_seconds", connection="1"), "its time"
            )
            await until(lambda: running.sent(7) and running.sent(7)[-1]["groups"], "values")
            await mtd.poll()
            await until(running.bridge.figures.frame_age.summary, "newer values")
            assert running.bridge.figures.frame_age.summary()["max"] < HOUR_S
