from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from mtd.api.console.costs import MAX_SHOWN, WINDOW, Costs
from mtd.api.console.encode import encode
from mtd.api.console.figures import FIGURES, Figure
from mtd.api.console.own import OwnState, Process
from mtd.api.interfaces import ReadyCheck
from mtd.core.errors import Retryable
from mtd.ingest import metrics as ingest
from mtd.model.device import Device, DeviceStatus
from mtd.model.poller import Poller, PollerReport
from mtd.scheduler import metrics as scheduler
from mtd.scheduler.account import Account
from mtd.testing import run_async
from tests.unit.api.console.kit import FakeClock, no_collectors
from tests.unit.api.fakes import OTHER_TENANT, TENANT, FakeReadiness, device

Accounts = Sequence[tuple[Device, Account]]


def own(
    clock: FakeClock,
    *checks: ReadyCheck,
    accounts: Accounts = (),
    cpu_pct: Callable[[str], float] = lambda device_id: 33.3,
    collectors: Callable[[str], Awaitable[Sequence[Poller]]] = no_collectors,
) -> OwnState:
    statuses = {TENANT: {DeviceStatus.UP: 3, DeviceStatus.DOWN: 1}}
    process = Process(
        "1.2.3", "here", FakeReadiness(*checks), statuses.__getitem__, lambda: accounts, collectors
    )
    return OwnState(process, cpu_pct, clock, TENANT)


def figure(state: OwnState, name: str) -> dict[str, object]:
    found: dict[str, object] = next(
        one for one in json.loads("{" + state.text + "}")["figures"] if one["name"] == name
    )
    return found


def test_paces_counts_and_levels() -> None:
    async def main() -> None:
        clock = FakeClock()
        state = own(clock, ReadyCheck("log", ready=True), ReadyCheck("database", False, "away"))
        await state.sample()
        scheduler.POLLS.labels(tier="t0").inc(50)
        scheduler.POLLS_SKIPPED.labels(tier="t0", reason="overrun").inc(3)
        scheduler.POLLS_FAILED.labels(tier="t0", outcome="timed_out").inc(5)
        clock.now += 10
        await state.refresh()
        told = json.loads("{" + state.text + "}")
        assert (told["version"], told["collector_id"], told["ready"]) == ("1.2.3", "here", False)
        assert told["checks"][1] == {"name": "database", "ready": False, "reason": "away"}
        assert told["devices"] == {"up": 3, "degraded": 0, "down": 1, "unknown": 0, "disabled": 0}
        assert (figure(state, "polls_per_s")["value"], figure(state, "polls_per_s")["state"]) == (5.0, "ok")
        assert (figure(state, "polls_skipped")["value"], figure(state, "polls_skipped")["state"]) == (
            3,
            "warn",
        )
        assert (figure(state, "polls_failed")["value"], figure(state, "polls_failed")["state"]) == (5, "bad")
        assert figure(state, "memory_bytes")["value"]

    run_async(main())


def test_what_came_more_than_a_minute_ago_is_no_count_of_now() -> None:
    async def main() -> None:
        clock = FakeClock()
        state = own(clock)
        await state.sample()
        ingest.DROPPED_EVENTS.labels(urgency="normal", reason="full").inc(7)
        await state.refresh()
        assert figure(state, "events_dropped")["value"] == 7
        assert figure(state, "events_dropped")["state"] == "bad"
        for _ in range(WINDOW + 1):
            clock.now += 10
            await state.sample()
        await state.refresh()
        assert figure(state, "events_dropped")["value"] == 0
        assert figure(state, "events_dropped")["state"] == "ok"

    run_async(main())


def test_the_text_is_made_once_for_all_who_ask_at_once() -> None:
    async def main() -> None:
        clock = FakeClock()
        state = own(clock)
        first = json.loads(await state.page(whole=True))
        assert state.version == 1
        await state.refresh()
        assert state.version == 1
        clock.now += 3
        assert json.loads(await state.page(whole=True))["now_us"] > first["now_us"]
        assert state.version == 2

    run_async(main())


@pytest.mark.parametrize(
    ("value", "falling", "state"),
    [(0, False, "ok"), (4, False, "ok"), (5, False, "warn"), (50, False, "bad"), (float("nan"), False, "ok"),
     (60, True, "ok"), (50, True, "bad"), (0, True, "bad")],
)  # fmt: skip
def test_states_by_thresholds(value: float, falling: bool, state: str) -> None:
    warn, bad = (50, 50) if falling else (5, 50)
    one = Figure("g", "n", "l", "count", lambda: value, "h", warn=warn, bad=bad, falling=falling)
    assert one.state(value) == state


def test_figures_have_names_of_their_own_and_words() -> None:
    assert len({one.name for one in FIGURES}) == len(FIGURES)
    assert {one.name for one in FIGURES} >= {one.share_of for one in FIGURES if one.share_of}
    assert all(one.help.endswith(".") and one.label for one in FIGURES)


def test_costs_are_those_of_the_last_minute() -> None:
    async def main() -> None:
        account = Account()
        costs = Costs(lambda: [(device(), account)], lambda device_id: 33.33, TENANT)
        account.logged_in(0.0)
        account.polled(5.0, (100, 1000, 10_000))
        await costs.step(0.0)
        account.polled(0.010, (110, 1100, 20_000))
        account.polled(0.030, (120, 1200, 30_000))
        account.polls_skipped += 2
        account.polls_failed += 1
        await costs.step(10.0)
        assert await costs.shown(10.0) == [
            {"id": "d1", "name": "r1", "sessions_opened": 1, "logins_per_hour": 1, "commands_per_s": 2.0,
             "received_bytes_per_s": 2000.0, "sent_bytes_per_s": 20.0, "poll_ms": 20.0, "poll_max_ms": 30.0,
             "polls_skipped": 2, "polls_failed": 1, "router_cpu_pct": 33.3},
        ]  # fmt: skip
        for step in range(2, WINDOW + 2):
            await costs.step(10.0 * step)
        (later,) = await costs.shown(4000.0)
        assert (later["commands_per_s"], later["poll_ms"], later["poll_max_ms"]) == (0.0, None, None)
        assert later["logins_per_hour"] == 0

    run_async(main())


def test_a_loop_that_began_anew_has_a_new_account() -> None:
    async def main() -> None:
        accounts = [Account()]
        costs = Costs(lambda: [(device(), accounts[0])], lambda device_id: float("nan"), TENANT)
        accounts[0].polled(1.0, (500, 500, 500))
        await costs.step(0.0)
        accounts[0] = Account()
        await costs.step(10.0)
        (cost,) = await costs.shown(10.0)
        assert cost["commands_per_s"] is None
        assert cost["router_cpu_pct"] is None

    run_async(main())


def test_of_very_many_routers_the_slowest_are_told() -> None:
    async def main() -> None:
        accounts = [(device(f"d{number}", f"r{number}"), Account()) for number in range(MAX_SHOWN + 10)]
        costs = Costs(lambda: accounts, lambda device_id: 1.0, TENANT)
        await costs.step(0.0)
        accounts[-1][1].polled(1.0, (1, 1, 1))
        await costs.step(10.0)
        shown = await costs.shown(10.0)
        assert len(shown) == MAX_SHOWN
        assert shown[0]["name"] == f"r{MAX_SHOWN + 9}"
        encode(shown)

    run_async(main())


def test_what_changes_in_the_loop_is_read_in_the_loop() -> None:
    """Accounts take logins and cards take frames at any moment: another thread would read halves of them."""

    async def main() -> None:
        clock = FakeClock()
        read_in: set[int] = set()

        class Watched(Account):
            def logins_within(self, now: float, seconds: float = 3600.0) -> int:
                read_in.add(threading.get_ident())
                return super().logins_within(now, seconds)

        def cpu_pct(device_id: str) -> float:
            read_in.add(threading.get_ident())
            return 1.0

        state = own(clock, accounts=[(device(), Watched())], cpu_pct=cpu_pct)
        await state.refresh()
        assert json.loads("{" + state.text + "}")["routers"][0]["router_cpu_pct"] == 1.0
        assert read_in == {threading.get_ident()}

    run_async(main())


def test_routers_of_others_are_not_told() -> None:
    async def main() -> None:
        theirs = replace(device("d2", "secret"), tenant_id=OTHER_TENANT)
        state = own(FakeClock(), accounts=[(device(), Account()), (theirs, Account())])
        await state.refresh()
        told = json.loads("{" + state.text + "}")
        assert [one["name"] for one in told["routers"]] == ["r1"]

    run_async(main())


def test_collectors_are_told_and_a_database_that_is_away_hides_nothing_else() -> None:
    edge = Poller(
        *("id", "edge-1", True, "offline", 5_000_000, "1.2.3", 7, 7, False, 1.0, (), False, None, ""),
        report=PollerReport(6_000_000, 120, 9000, 4_000_000, -3600.5, "t3"),
    )
    away = False

    async def collectors(tenant_id: str) -> Sequence[Poller]:
        if away:
            raise Retryable("away")
        return [edge] if tenant_id == TENANT else []

    async def main() -> None:
        nonlocal away
        clock = FakeClock()
        state = own(clock, collectors=collectors)
        await state.refresh()
        told = json.loads("{" + state.part + "}")
        assert told["collectors"] == [
            {
                "name": "edge-1",
                "edge": True,
                "state": "offline",
                "since_us": 5_000_000,
                "version": "1.2.3",
                "devices": 7,
                "buffer_events": 120,
                "last_push_us": 4_000_000,
                "clock_ahead_s": -3600.5,
            }
        ]
        away = True
        clock.now += 10
        await state.refresh()
        told = json.loads("{" + state.text + "}")
        assert told["collectors"] is None
        assert told["figures"]

    run_async(main())
