from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtd.api.console import cards, detail
from mtd.api.console.events import EventTail, event_object
from mtd.api.console.view import MAX_IN_VIEW
from mtd.api.console.viewer import TRENDS_AT_ONCE
from mtd.api.grpc.convert import event_message
from mtd.client.values import event_of
from mtd.model.evidence import Source
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as telemetry
from mtd.queries.records import Evidence
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.unit.api.console.kit import TYPES, Scene, Screen, row
from tests.unit.api.fakes import event, interfaces, numbered


def test_hello_comes_first_and_once() -> None:
    scene = Scene()
    run_async(scene.world.fleet.take([row()]))
    screen = Screen(scene)
    first = screen.tick()
    assert [message["type"] for message in first] == ["hello", "fleet"]
    assert first[0] == {
        "type": "hello", "now_us": scene.clock.now_us(), "version": "1.2.3", "interval_s": 1.0, "stale_after_s": 5.0,
    }  # fmt: skip
    assert screen.tick() == []


def test_values_of_devices_in_view_and_of_no_others() -> None:
    scene = Scene(3)
    screen = Screen(scene)
    screen.tick()
    for name in scene.names:
        scene.poll(name)
    screen.view("d1", "d3", "unknown")
    sent = {message["type"]: message for message in screen.tick()}
    assert set(sent) == {"values", "trend"}
    assert set(sent["values"]["devices"]) == {"d1", "d3"}
    assert sent["values"]["devices"]["d1"]["rx_bps"] == 300
    assert len(sent["trend"]["devices"]["d1"]["rx_bps"]) == 60
    scene.clock.now += 1
    scene.poll("d2")
    assert screen.tick() == []
    scene.poll("d3")
    assert [set(message["devices"]) for message in screen.tick()] == [{"d3"}]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_no_device_is_told_of_twice_within_a_second(data: st.DataObject) -> None:
    """However often routers are polled, views change, connections fill up and timers are late."""
    scene = Scene(4)
    screen = Screen(scene)
    screen.view(*scene.names)
    for _ in range(data.draw(st.integers(10, 40))):
        for name in data.draw(st.lists(st.sampled_from(scene.names), max_size=4)):
            scene.clock.now += 0.001
            scene.poll(name)
        if data.draw(st.integers(0, 4)) == 0:
            detail = data.draw(st.sampled_from([None, *scene.names]))
            screen.view(*data.draw(st.lists(st.sampled_from(scene.names), unique=True)), detail=detail)
        screen.full = data.draw(st.integers(0, 5)) == 0
        screen.tick(data.draw(st.floats(0.25, 0.6)))
    times: dict[str, list[float]] = defaultdict(list)
    for at, message in (*screen.of("values"), *screen.of("detail")):
        # What a device in detail has for the list comes along with its details.
        named = set(message.get("devices", ())) | {message["id"]} if "id" in message else message["devices"]
        for name in named:
            times[name].append(at)
    for series in map(sorted, times.values()):
        assert all(later - earlier >= 1.0 for earlier, later in zip(series, series[1:], strict=False))


def test_a_full_connection_gets_nothing_and_then_the_newest() -> None:
    scene = Scene()
    screen = Screen(scene)
    screen.view("d1")
    screen.tick()
    screen.full = True
    for load in range(1, 51):
        scene.poll(gauges=(float(load), 1.0, 2.0, 3.0))
        screen.tick(1.0)
    assert screen.of("values") == []
    screen.full = False
    screen.tick()
    assert [message["devices"]["d1"]["cpu_pct"] for _, message in screen.of("values")] == [50.0]


def test_what_does_not_fit_any_more_waits_as_a_mark() -> None:
    scene = Scene()
    screen = Screen(scene)
    screen.tick()
    scene.poll()
    screen.view("d1", detail="d1", rank=True)
    taken: list[str] = []

    def take_one(text: str) -> None:
        taken.append(json.loads(text)["type"])
        screen.full = True

    screen.viewer._send = take_one
    for _ in range(4):
        screen.full = False
        screen.tick(1.0)
    assert taken == ["detail", "trend"]


def test_a_device_in_view_and_in_detail_has_one_message() -> None:
    scene = Scene(2)
    screen = Screen(scene)
    screen.tick()
    for name in scene.names:
        scene.poll(name)
    screen.view("d1", "d2", detail="d1")
    sent = {message["type"]: message for message in screen.tick()}
    assert set(sent["values"]["devices"]) == {"d2"}
    assert set(sent["detail"]["devices"]) == {"d1"}
    assert sent["detail"]["devices"]["d1"]["rx_bps"] == 300
    assert sent["detail"]["updates"]


def test_details_are_layouts_once_and_updates() -> None:
    scene = Scene()
    screen = Screen(scene)
    screen.tick()
    scene.poll(counters=(2**60, None, 3))
    screen.view(detail="d1")
    (detail,) = screen.tick()
    (layout,) = detail["layouts"]
    assert layout["group"] == "t0"
    assert layout["series"][4] == {
        "key": "iface.ether1.rx_bytes_total", "metric": "iface.rx_bytes_total", "instance": "*1", "label": "ether1",
        "unit": "bytes", "lane": "counter",
    }  # fmt: skip
    (update,) = detail["updates"]
    assert update["layout"] == layout["layout"]
    assert update["counters"] == [str(2**60), None, 3]
    assert update["gauges"] == [7.0, 256.0, 1024.0, 60.0]
    scene.clock.now += 1
    scene.poll()
    (again,) = screen.tick()
    assert again["layouts"] == []
    renamed = TYPES | {"*1": {"name": "wan", "type": "ether"}}
    scene.hub.publish(numbered(interfaces(renamed)))
    scene.clock.now += 1
    scene.poll()
    (third,) = screen.tick()
    assert third["layouts"][0]["series"][4]["key"] == "iface.wan.rx_bytes_total"
    assert third["updates"][0]["layout"] == third["layouts"][0]["layout"] != layout["layout"]


def test_another_page_that_looks_at_the_same_device_is_told_all_again() -> None:
    scene = Scene()
    screen = Screen(scene)
    scene.poll()
    screen.view(detail="d1", look=1)
    screen.tick()
    first = screen.of("detail")[0][1]
    screen.view(detail="d1", look=1)
    assert screen.tick(1.0) == []
    screen.view(detail="d1", look=2)
    (again,) = screen.tick(1.0)
    assert again["layouts"] == first["layouts"] != []
    assert again["updates"] == first["updates"]
    scene.clock.now += 1
    scene.poll()
    assert screen.tick()[0]["layouts"] == []  # it still hears of the device, and knows the layouts


def test_a_device_that_is_asked_for_before_it_is_known_moves_once_it_is() -> None:
    scene = Scene()
    screen, other = Screen(scene), Screen(scene)
    screen.view("d1", "d2", detail="d3")
    screen.tick()
    scene.apply(["d1", "d2", "d3"])
    scene.poll("d2")
    scene.poll("d3")
    sent = {message["type"]: message for message in screen.tick(1.0)}
    assert set(sent["values"]["devices"]) == {"d2"}
    assert (sent["detail"]["id"], set(sent["trend"]["devices"])) == ("d3", {"d2"})
    assert [message["type"] for message in other.tick()] == ["hello"]
    # And again when it was removed and comes back.
    scene.apply(["d1"])
    screen.tick(1.0)
    scene.apply(["d1", "d2"])
    scene.poll("d2")
    assert [message["type"] for message in screen.tick(1.0)] == ["values", "trend"]


def test_two_who_look_share_the_texts_and_the_last_takes_them_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: Counter[str] = Counter()

    def counted(name: str, make: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any) -> Any:
            made[name] += 1
            return make(*given)

        return wrapped

    scene = Scene()
    texts = scene.world.cards._texts
    monkeypatch.setattr(texts, "layout", counted("layout", texts.layout))
    monkeypatch.setattr(detail, "_update_text", counted("update", detail._update_text))
    scene.poll()
    first, second = Screen(scene), Screen(scene)
    for screen in (first, second):
        screen.view(detail="d1")
        screen.tick()
    card = scene.world.cards.get("d1")
    assert card is not None
    assert first.of("detail")[0][1]["updates"] == second.of("detail")[0][1]["updates"]
    # The layout, its values and the summary: each was made once.
    assert made == {"layout": 1, "update": 1}
    assert card.fragment is card.fragment
    first.viewer.leave()
    assert card._shown
    second.viewer.leave()
    assert not card._shown
    assert not card.details


def test_a_very_large_layout_is_made_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "LARGE", 3)

    async def main() -> None:
        scene = Scene()
        screen = Screen(scene)
        screen.tick()
        scene.poll()
        screen.view(detail="d1")
        assert screen.tick() == []
        while not screen.viewer._groups:
            await asyncio.sleep(0)
        (detail,) = screen.tick()
        assert len(detail["layouts"]) == len(detail["updates"]) == 1

    run_async(main())


def test_a_removed_device_is_forgotten() -> None:
    scene = Scene(2)
    screen = Screen(scene)
    screen.tick()
    scene.poll("d1")
    scene.poll("d2")
    screen.view("d1", "d2", detail="d1")
    scene.apply(["d2"])
    screen.viewer.tick(scene.clock.now)
    scene.clock.now += 1
    scene.apply([])
    scene.poll("d2")
    assert screen.tick() == []


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", '{"op": "polls"}', '{"op": "view", "devices": "d1"}', '{"op": "view", "more": 1}',
        '{"op": "view", "events": "some"}', '{"op": "view", "rank": "yes"}',
        json.dumps({"op": "view", "devices": ["d"] * (MAX_IN_VIEW + 1)}),
        json.dumps({"op": "view", "devices": ["d" * 1000]}),
    ],
)  # fmt: skip
def test_what_can_not_be_used_is_answered_and_changes_nothing(text: str) -> None:
    scene = Scene()
    screen = Screen(scene)
    screen.view("d1")
    screen.tick()
    screen.viewer.receive(text)
    (error,) = screen.tick()
    assert error["type"] == "error"
    assert error["error"]
    assert error["hint"]
    assert screen.viewer.view.devices == ["d1"]


@given(st.text())
def test_no_text_ends_a_viewer(text: str) -> None:
    screen = Screen(Scene())
    screen.viewer.receive(text)
    assert [message["type"] for message in screen.tick()][0] == "hello"


def test_of_many_requests_the_newest_counts() -> None:
    scene = Scene(2)
    scene.poll("d1")
    scene.poll("d2")
    screen = Screen(scene)
    for number in range(1000):
        screen.view(f"d{number % 2 + 1}")
    assert not any(screen.viewer._cards)
    screen.tick()
    assert set(screen.viewer._cards) == {"d2"}


def test_trends_come_in_portions() -> None:
    scene = Scene(TRENDS_AT_ONCE + 1)
    screen = Screen(scene)
    screen.view(*scene.names)
    screen.tick()
    screen.tick()
    assert [len(message["devices"]) for _, message in screen.of("trend")] == [TRENDS_AT_ONCE, 1]


def test_rank_is_told_with_each_step_if_it_is_wanted() -> None:
    scene = Scene(2)
    screen, other = Screen(scene), Screen(scene)
    screen.view(rank=True)
    scene.poll("d1")
    run_async(scene.world.trends.step())
    screen.tick()
    other.tick()
    (ranked,) = screen.of("rank")
    assert ranked[1]["values"] == {"d1": [7.0, 75.0, 300, 30, 0.5, 60]}
    assert other.of("rank") == []
    scene.clock.now += 60
    run_async(scene.world.trends.step())
    assert screen.tick()[0]["values"] == {"d1": [None] * 6}


def take(tail: EventTail, *positions: int) -> None:
    for position in positions:
        tail._take(event(position, device_id=f"d{position % 2 + 1}"))


def test_events_from_now_on_of_those_in_view_or_of_all() -> None:
    scene = Scene(2)
    tail = scene.world.events
    take(tail, 1, 2)
    everything, some, none = Screen(scene), Screen(scene), Screen(scene)
    everything.view(events="all")
    some.view("d2", events="view")
    none.view("d2")
    for screen in (everything, some, none):
        screen.tick()
    take(tail, 3, 4, 5)
    for screen in (everything, some, none):
        screen.tick()
    assert [one["position"] for one in everything.of("events")[0][1]["events"]] == [3, 4, 5]
    assert [one["position"] for one in some.of("events")[0][1]["events"]] == [3, 5]
    assert none.of("events") == []
    assert everything.of("events")[0][1]["events"][0] == {
        "position": 3, "t_us": 3000, "device_id": "d2", "device": "name-d2", "type": "interface.oper.changed",
        "severity": "info", "entity_type": "interface", "entity_id": "*1", "entity": "ether1", "field": "running",
        "old": "true", "new": "false", "message": "event 3", "evidences": [], "replaces": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("source", "word", "number"),
    [(Source.TRAP, "trap", telemetry.EVIDENCE_SOURCE_TRAP), (None, "unknown", telemetry.EVIDENCE_SOURCE_UNSPECIFIED)],
)  # fmt: skip
def test_who_saw_an_event_may_be_of_a_kind_that_is_not_known(
    source: Source | None, word: str, number: int
) -> None:
    seen = replace(event(1), evidences=[Evidence(source, 1, 0, "log", 1, 0, "text")])
    (shown,) = cast("list[dict[str, object]]", event_object(seen)["evidences"])
    message = event_message(seen).event
    assert (shown["source"], message.evidences[0].source) == (word, number)
    assert event_of(message).evidences[0].source == word


def test_a_slow_console_gets_the_events_that_are_kept() -> None:
    scene = Scene()
    screen = Screen(scene)
    screen.view(events="all")
    take(scene.world.events, 1)
    screen.tick()
    screen.full = True
    take(scene.world.events, *range(2, 1000))
    screen.tick()
    screen.full = False
    before = skipped()
    for _ in range(10):
        screen.tick()
    positions = [one["position"] for _, message in screen.of("events") for one in message["events"]]
    assert positions == list(range(1000 - 512, 1000))
    assert skipped() == before + 1000 - 512 - 2
    assert [message.get("missed", False) for _, message in screen.of("events")][:3] == [True, False, False]


def skipped() -> float:
    return metric("mtd_console_events_skipped_total")


def positions(screen: Screen) -> list[int]:
    return [one["position"] for _, message in screen.of("events") for one in message["events"]]


def test_events_between_a_reading_and_the_request_are_told() -> None:
    scene = Scene()
    tail = scene.world.events
    tail.position = tail._floor = 0
    take(tail, 1, 2, 3)  # the page read up to 2, and says so a moment later
    screen = Screen(scene)
    screen.view(events="all", after=2)
    screen.tick()
    assert positions(screen) == [3]
    take(tail, 4)
    screen.tick()
    screen.view("d1", events="all", after=2)
    assert screen.tick()[0]["type"] == "trend"
    assert positions(screen) == [3, 4]
    # It read again, further than the tail is.
    screen.view("d1", events="all", after=6)
    screen.tick()
    take(tail, 5, 6, 7)
    screen.tick()
    assert positions(screen) == [3, 4, 7]


def test_who_read_less_than_is_kept_is_told_to_read_again_once() -> None:
    scene = Scene()
    tail = scene.world.events
    tail.position = tail._floor = 50  # the first console opened then
    before = skipped()
    screen = Screen(scene)
    screen.view(events="all", after=40)
    (hello, missed) = screen.tick()
    assert (hello["type"], missed["missed"], missed["events"]) == ("hello", True, [])
    assert screen.tick() == []
    screen.view(events="all", after=50)
    assert screen.tick() == []
    take(tail, 51)
    screen.tick()
    assert positions(screen) == [51]
    assert skipped() == before


def test_a_long_list_goes_as_far_as_the_connection_takes_it() -> None:
    scene = Scene()
    run_async(scene.world.fleet.take([row(f"x{number}") for number in range(2000)]))
    screen = Screen(scene)
    sent: list[dict[str, Any]] = []

    def take_one(text: str) -> None:
        assert not screen.full
        assert len(text) < 100_000
        sent.append(json.loads(text))
        screen.full = True

    screen.viewer._send = take_one
    screen.tick()
    assert [one["type"] for one in sent] == ["hello"]
    while len(sent) < 2 or "more" in sent[-1]:
        screen.full = False
        screen.viewer.go_on() if len(sent) > 2 else screen.tick()
    assert len(sent) > 5
    assert [one["complete"] for one in sent[1:]] == [True] + [False] * (len(sent) - 2)
    assert sum(len(one["devices"]) for one in sent[1:]) == 2000
    screen.full = False
    screen.viewer.go_on()
    assert screen.tick() == []
