"""What the bridge keeps in bounds: the bytes of a message, where the log goes on, and the runs of tools."""

from __future__ import annotations

import datetime as dt
import json
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.odoo_addon import bridge_kit as kit
from tests.unit.odoo_addon import fake_mtd
from tests.unit.odoo_addon.bridge_kit import FakeStore, until
from tests.unit.odoo_addon.test_bridge_messages import event, interface, state

compose, facts, port = kit.part("compose"), kit.part("facts"), kit.part("port")


def told(of: Any) -> Any:
    return compose.compose(of, "full", seq=1, now_us=1, connected=True)


def on_the_bus(value: Any) -> int:
    """Return how many bytes Odoo writes."""
    return len(json.dumps(value, separators=(",", ":")).encode())


def line(number: int, text: str) -> dict[str, Any]:
    return {"t_us": number, "severity": 6, "topics": ["system"], "text": text}


@pytest.mark.parametrize("letter", ["x", "ж", "😀", '"', "\n"])
def test_lines_and_events_are_bounded_by_their_bytes(letter: str) -> None:
    of = state(*(interface(number, f"ether{number}") for number in range(48)))
    of.take_lines(line(number, letter * 400) for number in range(50))
    for position in range(20):
        of.take_event(event(position + 1, message=letter * 900))
    message = told(of)
    assert on_the_bus(message["lines"]) <= compose.MOST_LINE_BYTES
    assert on_the_bus(message["events"]) <= compose.MOST_EVENT_BYTES
    assert on_the_bus(message) <= 64 * 1024
    numbers = [one["t_us"] for one in message["lines"]]
    assert numbers == list(range(50 - len(numbers), 50))
    assert message["events"][-1]["position"] == 20
    assert message["more"] == 0
    assert len(message["interfaces"]) == 48


def test_a_single_one_that_is_too_large_is_cut() -> None:
    of = state()
    of.take_lines([line(1, "ж" * 40_000)])
    of.take_event(event(1, message="😀" * 40_000))
    message = told(of)
    (cut,), (shown,) = message["lines"], message["events"]
    for one, text, most in ((cut, "text", 16384), (shown, "message", 16384)):
        assert most - 24 < on_the_bus([one]) <= most
        assert one[text].endswith("…")
    assert of.lines[0]["text"] == "ж" * 40_000


def test_few_lines_are_told_as_they_are() -> None:
    of = state()
    lines = [line(number, "ж" * 20) for number in range(50)]
    of.take_lines(lines)
    assert told(of)["lines"] == lines


# -- the log -------------------------------------------------------------------------


class Logs:
    """A client whose mtd has these lines. Its clock is its own."""

    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.asked: list[tuple[list[str], float | None]] = []

    def come(self, device: str, at_s: float, text: str) -> None:
        self.kept.append(
            SimpleNamespace(
                time=dt.datetime.fromtimestamp(at_s, dt.UTC),
                device_id=device,
                severity="",
                topics=(),
                text=text,
            )
        )

    async def ask(self, call: Any) -> Any:
        request = call.request
        start = request.start_time.ToDatetime(dt.UTC) if request.HasField("start_time") else None
        self.asked.append((sorted(request.devices), start and start.timestamp()))
        found = [
            one for one in self.kept if one.device_id in request.devices and not (start and one.time < start)
        ]
        found.sort(key=lambda one: one.time, reverse=True)
        return SimpleNamespace(records=found[: request.page_size])


@kit.on_loop
async def test_no_line_is_lost_where_clocks_differ() -> None:
    logs = Logs()
    tail = facts.LogTail(logs)
    states = {"a": state(), "silent": state()}
    logs.come("a", 1000, "first")  # long ago, by the bridge's clock
    await tail.refresh(states)
    logs.come("a", 1001, "second")
    logs.come("silent", 900, "at last")
    await tail.refresh(states)
    assert [one["text"] for one in states["a"].lines] == ["first", "second"]
    assert [one["text"] for one in states["silent"].lines] == ["at last"]
    logs.come("silent", 901, "again")
    await tail.refresh(states)
    assert [one["text"] for one in states["silent"].lines] == ["at last", "again"]


@kit.on_loop
async def test_a_device_long_silent_does_not_bring_old_lines_of_the_others() -> None:
    logs = Logs()
    tail = facts.LogTail(logs)
    states = {name: state() for name in ("a", "b", "old")}
    for name, at_s in (("a", 5000), ("b", 5030), ("old", 10)):
        logs.come(name, at_s, "hello")
    await tail.refresh(states)
    del logs.asked[:]
    await tail.refresh(states)
    assert logs.asked == [(["old"], 8.0), (["a", "b"], 4998.0)]


# -- tools ---------------------------------------------------------------------------


def job(number: int, count: int) -> Any:
    return port.Job(number, 1, "a", "ping", "192.0.2.1", "", count, 5)


@kit.on_loop
async def test_the_next_run_begins_when_one_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit.part("diagnostics"), "LOOK_EVERY_S", 3600.0)
    monkeypatch.setattr(kit.part("diagnostics"), "MOST_AT_ONCE", 1)
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            await until(lambda: mtd.tokens, "the connection is there")
            store.jobs = [job(number, count=3) for number in range(1, 5)]
            running.lock.notify("mikrotik_diagnostic")
            await until(lambda: len(store.finished) == 4, "all of them ran")
            assert [(one.id, one.state) for one in store.finished] == [
                (number, "done") for number in range(1, 5)
            ]


class AskedAnew(FakeStore):
    """Somebody cancels the run, and asks for it anew before the bridge looks again."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        self.ended_before_claim: list[int] = []

    def claim_jobs(self, limit: int) -> Any:
        if found := super().claim_jobs(limit):
            self.ended_before_claim.append(len(self.finished))
        return found

    def cancelled_jobs(self, job_ids: Any) -> Any:
        found = super().cancelled_jobs(job_ids)
        self.cancelled.clear()
        return found


@kit.on_loop
async def test_a_run_that_is_asked_for_anew_is_not_ended_by_the_one_before() -> None:
    async with fake_mtd.mtd() as mtd:
        store = AskedAnew({"target": mtd.address})
        async with kit.bridge(store) as running:
            await until(lambda: mtd.tokens, "the connection is there")
            store.jobs = [job(3, count=99)]
            running.lock.notify("mikrotik_diagnostic")
            await until(lambda: running.sent(3, "output"), "its first lines")
            store.jobs = [job(3, count=3)]
            store.cancelled.add(3)
            running.lock.notify("mikrotik_diagnostic")
            await until(lambda: len(store.finished) == 2, "both ended")
            assert [one.state for one in store.finished] == ["cancelled", "done"]
            assert store.ended_before_claim == [0, 1]
