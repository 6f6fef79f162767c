from __future__ import annotations

import asyncio
import json

from mtd.api.console.cards import Card
from mtd.api.console.trends import STEPS
from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane, Tier
from mtd.testing import run_async
from tests.unit.api.console.kit import Scene
from tests.unit.api.fakes import declared, frame, numbered


def shown(scene: Scene, card: Card) -> list[float | None]:
    trend = json.loads("{" + scene.world.trends.fragment(card) + "}")["d1"]
    assert len(trend["tx_bps"]) == STEPS
    values: list[float | None] = trend["rx_bps"]
    return values


def card_of(scene: Scene) -> Card:
    card = scene.world.cards.get("d1")
    assert card is not None
    return card


async def step(scene: Scene, seconds: float = 5.0) -> None:
    scene.clock.now += seconds
    await scene.world.trends.step()


def rates(value: float) -> tuple[float, ...]:
    return (value, 0.0, 0.0, 0.0, 0.0, 0.0, 1e9, 1e9, 0.0)


def test_oldest_first_and_no_more_than_five_minutes() -> None:
    async def main() -> None:
        scene = Scene()
        card = card_of(scene)
        assert shown(scene, card) == [None] * STEPS
        for number in range(1, 101):
            scene.poll(rates=rates(number))
            await step(scene)
            if number == 3:
                assert shown(scene, card) == [None] * (STEPS - 3) + [1, 2, 3]
        assert shown(scene, card) == list(range(41, 101))

    run_async(main())


def test_a_router_that_is_silent_leaves_a_gap() -> None:
    async def main() -> None:
        scene = Scene()
        card = card_of(scene)
        for number in (1, 2):
            scene.poll(rates=rates(number))
            await step(scene, 1.0)
        for _ in range(12):
            await step(scene)
        scene.poll(rates=rates(9))
        await step(scene, 1.0)
        assert shown(scene, card)[-5:] == [None, None, None, None, 9]
        # Values are called current while they may be: ten seconds, of routers that are polled each second.
        assert shown(scene, card)[-14:-10] == [2, 2, None, None]

    run_async(main())


def test_a_router_that_is_polled_once_a_minute_has_no_gaps() -> None:
    async def main() -> None:
        scene = Scene()
        scene.apply(["d1"], intervals_s={Tier.T0: 60.0})
        card = card_of(scene)
        for number in (1, 2, 3):
            scene.poll(rates=rates(number))
            for _ in range(12):
                await step(scene)
        assert shown(scene, card)[-36:] == [1] * 12 + [2] * 12 + [3] * 12  # the first minute included

    run_async(main())


def test_an_outage_makes_nothing_current() -> None:
    """After an hour without an answer and one more frame, the values aren't of now for two hours."""

    async def main() -> None:
        scene = Scene()
        card = card_of(scene)
        scene.poll(rates=rates(1))
        await step(scene, 1.0)
        scene.clock.now += 3600
        scene.poll(rates=rates(2))
        for _ in range(5):
            await step(scene)
        assert shown(scene, card)[-5:] == [2, 2, None, None, None]
        assert scene.world.own._costs._cpu_pct("d1") != 7.0

    run_async(main())


def test_a_group_that_is_not_polled_any_more_gives_nothing_to_the_others() -> None:
    async def main() -> None:
        scene = Scene()
        slow = Layout.of("t1", (Series("system.uptime_seconds", "", Lane.GAUGE),))
        scene.poll()
        scene.clock.now += 20
        scene.hub.publish(
            numbered(
                declared(slow), frame(scene.clock.now_us(), layout=slow, counters=(), gauges=(9.0,), rates=())
            )
        )
        await scene.world.trends.step()
        ranked = json.loads("{" + scene.world.trends.rank + "}")["values"]["d1"]
        assert ranked == [None, None, None, None, None, 9]

    run_async(main())


def test_while_a_step_is_made_the_last_one_is_shown() -> None:
    async def main() -> None:
        scene = Scene(120)
        card = card_of(scene)
        for name in scene.names:
            scene.poll(name)
        await step(scene)
        before = shown(scene, card)
        scene.clock.now += 5
        scene.poll(rates=rates(7))
        making = scene.world.trends.step()
        making.send(None)  # until it lets others run, with some of the devices done
        scene.world.trends._texts.clear()
        assert shown(scene, card) == before
        making.close()

    run_async(main())


def test_removed_devices_leave_nothing() -> None:
    async def main() -> None:
        scene = Scene(2)
        scene.poll("d1")
        scene.poll("d2")
        await step(scene)
        scene.apply(["d2"])
        assert len(scene.world.cards) == 1
        await step(scene)
        assert set(json.loads("{" + scene.world.trends.rank + "}")["values"]) == {"d2"}

    run_async(main())


def test_a_device_that_goes_while_a_step_is_made_does_not_come_back() -> None:
    async def main() -> None:
        scene = Scene(120)
        for name in scene.names:
            scene.poll(name)
        making = asyncio.ensure_future(scene.world.trends.step())
        await asyncio.sleep(0)  # fifty are looked at
        scene.apply(scene.names[2:110])
        assert not making.done()
        await making
        told = json.loads("{" + scene.world.trends.rank + "}")["values"]
        assert set(told) == set(scene.names[2:110])
        # What is kept of a device goes with its card.
        assert {card.device.device_id for card in scene.world.cards} == set(scene.names[2:110])
        assert not scene.world.trends._texts

    run_async(main())
