from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from mtd.api.console import fleet as module
from mtd.api.console.fleet import Fleet
from mtd.model.device import DeviceStatus
from mtd.queries.records import FleetRow
from mtd.testing import run_async
from tests.unit.api.console.kit import row


def portions(fleet: Fleet, version: int) -> Iterator[dict[str, Any]]:
    news, at = fleet.news(version), 0
    while True:
        text, at = fleet.portion(news, at)
        yield json.loads("{" + text + "}")
        if at == len(news.rows):
            return


def told(fleet: Fleet, version: int) -> dict[str, Any]:
    (message,) = portions(fleet, version)
    return message


def make(interval_s: list[float] | None = None) -> Fleet:
    default_s = interval_s or [1.0]
    return Fleet(lambda device_id: 42 if device_id == "d1" else None, lambda: default_s[0])


def test_complete_at_first_then_what_changed() -> None:
    async def main() -> None:
        fleet = make()
        assert await fleet.take([row("d1", "r1"), row("d2", "r2", labels={"site": "north"})])
        first = told(fleet, 0)
        assert first["complete"] is True
        assert first["gone"] == []
        assert first["devices"][0] == {
            "id": "d1", "name": "r1", "host": "192.0.2.1", "enabled": True, "status": "up", "reason": "polled in time",
            "since_us": 5, "last_seen_us": 42, "version": "7.16", "board": "CHR", "identity": "r1", "labels": {},
            "interval_s": 1.0,
        }  # fmt: skip
        assert first["devices"][1]["last_seen_us"] is None
        assert first["devices"][1]["labels"] == {"site": "north"}
        version = fleet.version
        assert not await fleet.take([row("d1", "r1"), row("d2", "r2", labels={"site": "north"})])
        assert fleet.version == version
        assert await fleet.take([row("d1", "r1", status=DeviceStatus.DOWN, reason="refused")])
        news = told(fleet, version)
        assert news["complete"] is False
        assert [one["status"] for one in news["devices"]] == ["down"]
        assert news["gone"] == ["d2"]

    run_async(main())


def test_rows_tell_their_interval_and_follow_the_default() -> None:
    async def main() -> None:
        default_s = [1.0]
        fleet = make(default_s)
        rows = [row("d1"), row("d2", interval_s=60.0)]
        assert await fleet.take(rows)
        assert [one["interval_s"] for one in told(fleet, 0)["devices"]] == [1.0, 60.0]
        default_s[0] = 10.0
        version = fleet.version
        assert await fleet.take(rows)
        assert [one["interval_s"] for one in told(fleet, version)["devices"]] == [10.0, 60.0]
        assert not await fleet.take(rows)

    run_async(main())


def test_an_empty_inventory_is_told_too() -> None:
    async def main() -> None:
        fleet = make()
        assert await fleet.take([])
        assert fleet.version == 1
        assert told(fleet, 0) == {"complete": True, "devices": [], "gone": []}

    run_async(main())


States = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(list(DeviceStatus)))


@settings(deadline=None)
@given(st.lists(States, min_size=1, max_size=12), st.data())
def test_who_follows_at_any_pace_ends_up_with_the_list(
    states: Sequence[dict[str, DeviceStatus]], data: Any
) -> None:
    async def main() -> None:
        fleet = make()
        known: dict[str, str] = {}
        version = 0
        # So few are kept that who is slow has to begin anew.
        for number, state in enumerate(states):
            await fleet.take([row(name, name, status=status) for name, status in state.items()])
            if number == len(states) - 1 or data.draw(st.booleans()):
                news = told(fleet, version)
                version = fleet.version
                if news["complete"]:
                    known = {}
                known |= {one["id"]: one["status"] for one in news["devices"]}
                for gone in news["gone"]:
                    known.pop(gone, None)
        assert known == {name: status.value for name, status in states[-1].items()}

    with patch.object(module, "GONE_KEPT", 3):
        run_async(main())


def test_a_long_list_comes_in_portions() -> None:
    async def main() -> None:
        fleet = make()
        rows = [row(f"d{number}", f"r{number}") for number in range(1000)]
        await fleet.take(rows)
        news = fleet.news(0)
        text, at = fleet.portion(news, 0)
        first = json.loads("{" + text + "}")
        assert (first["complete"], first["more"]) == (True, True)
        assert len(text) < 2 * module.PORTION_CHARACTERS
        # While a browser takes its time, the list goes on: removed rows aren't told, changed ones as they are.
        await fleet.take([row(one.device_id, "new" + one.name) for one in rows[:-5]])
        found = first["devices"]
        while at < len(news.rows):
            text, at = fleet.portion(news, at)
            portion = json.loads("{" + text + "}")
            assert not portion["complete"]
            assert ("more" in portion) == (at < len(news.rows))
            found += portion["devices"]
        assert [one["id"] for one in found] == [one.device_id for one in rows[:-5]]
        assert found[-1]["name"].startswith("new")
        changes = list(portions(fleet, news.version))
        assert len(changes) > 1
        assert sum(len(one["devices"]) for one in changes) == 995
        assert [len(one["gone"]) for one in changes] == [5] + [0] * (len(changes) - 1)
        assert not any(one["complete"] for one in changes)

    run_async(main())


def test_one_reading_serves_all_who_know_as_much() -> None:
    async def main() -> None:
        fleet = make()
        rows: list[FleetRow] = [row(f"d{number}") for number in range(5)]
        await fleet.take(rows)
        assert fleet.news(0) is fleet.news(0)

    run_async(main())
