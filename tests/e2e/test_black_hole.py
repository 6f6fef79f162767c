"""One router in three falls silent: the others don't notice, and it comes back by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mtd.testing.ages import AgeFigures, SqlAges, StreamAges
from tests.e2e.kit import Rig, pause, rig, wait_for

SILENT = {"lab-0003": True, "lab-0006": False, "lab-0009": True, "lab-0012": False}  # name: accepts TCP
WATCHED_S = 6


@pytest.fixture(scope="module")
def fleet() -> Iterator[Rig]:
    with rig("fleet", "--routers", "12", "--interfaces", "10") as stage:
        stage.add_all(connect_timeout_s=1.0, command_timeout_s=2.0)
        yield stage


def ages(stage: Rig) -> tuple[AgeFigures, AgeFigures]:
    """Return the ages of the routers that are never silenced, as gRPC and as SQL show them."""
    samplers = (StreamAges(stage.server), SqlAges(stage.dsn()))
    for sampler in samplers:
        sampler.start()
    pause(WATCHED_S)
    for sampler in samplers:
        sampler.stop()
    stream, sql = (
        AgeFigures.of([age for name in stage.routers if name not in SILENT for age in sampler.ages_s[name]])
        for sampler in samplers
    )
    return stream, sql


def statuses(stage: Rig) -> dict[str, str]:
    return dict(stage.sql("SELECT d.name, s.status FROM device_status s JOIN device d USING (device_id)"))


def test_the_others_do_not_notice(fleet: Rig) -> None:
    before = ages(fleet)
    with fleet.control() as control:
        for name, accept in SILENT.items():
            control.inject(name, "black-hole", accept=accept)
        wait_for(lambda: all(statuses(fleet)[name] == "down" for name in SILENT), "the silent are down", 15)
        during = ages(fleet)
        for name, accept in SILENT.items():
            reason = fleet.devices()[name]["status_reason"]
            told = {event["event_type"] for event in fleet.events("-d", name)}
            # The session that was open went silent; then new ones do, each in its way.
            assert "device.timed_out" in told, f"{name}: {told}"
            assert ("nothing answered" if accept else "didn't answer") in reason
            assert accept or "device.unreachable" in told
            control.clear(name)
        wait_for(lambda: set(statuses(fleet).values()) == {"up"}, "all have recovered", 15)
    for name in SILENT:
        assert "device.recovered" in {event["event_type"] for event in fleet.events("-d", name)}
    for view, old, new in zip(("gRPC", "SQL"), before, during, strict=True):
        figures = f"ages by {view}: before {old}, with one in three silent {new}"
        assert new.samples >= 8 * WATCHED_S * 4, figures
        assert new.p95_s <= 2.0, figures
        assert new.p95_s <= old.p95_s + 0.3, figures
    fleet.verify()


def test_missed_polls_are_counted(fleet: Rig) -> None:
    rows = fleet.sql(
        "SELECT d.name, sum(polls_missed)::int8 FROM device_health JOIN device d USING (device_id) GROUP BY d.name"
    )
    missed = dict(rows)
    assert all(missed[name] >= WATCHED_S for name in SILENT), missed
    assert not any(missed[name] for name in fleet.routers if name not in SILENT)
