"""The daemon with its event log on NATS JetStream: the server killed, the daemon killed, and all of it accounted for."""

from __future__ import annotations

import urllib.error
from collections.abc import Iterator

import pytest

from mtd.testing.nats import NatsServers, running_servers
from tests.e2e.kit import Rig, rig, wait_for

ROUTERS = 8


@pytest.fixture(scope="module")
def nats() -> Iterator[NatsServers]:
    with running_servers() as servers:
        yield servers


@pytest.fixture(scope="module")
def stage(nats: NatsServers) -> Iterator[Rig]:
    settings = {
        "event_log": {"backend": "jetstream", "max_bytes": 200_000_000},
        "coordination": {"leases": "jetstream"},
        "event_log.jetstream": nats.settings(recover_within_s=0.5, name="hub-1"),
    }
    with rig("fleet", "--routers", str(ROUTERS), "--interfaces", "4", settings=settings) as stage:
        stage.add_all()
        yield stage


def frames(stage: Rig) -> int:
    return int(stage.value("SELECT count(*) FROM telemetry_frame"))


def ready(stage: Rig) -> str:
    try:
        return stage.http("/readyz")
    except urllib.error.HTTPError as error:
        return error.read().decode()


def test_what_is_polled_goes_through_the_stream_and_nothing_is_lost_on_the_way(
    stage: Rig, nats: NatsServers
) -> None:
    stats = stage.mtd("log", "stats", "--json").json()
    assert stats["last_seq"] > 0
    assert stats["warning"] == ""
    # What PostgreSQL has may be forgotten once it has settled, after seconds.
    wait_for(lambda: stage.mtd("log", "stats", "--json").json()["consumers"], "projections' place in the log")

    # The server dies: polling goes on, what can't be stored waits, and mtd says what is wrong.
    nats.kill(0)
    wait_for(lambda: "away" in ready(stage), "/readyz tells")
    nats.restart(0)
    before = frames(stage)
    wait_for(lambda: frames(stage) > before + 3 * ROUTERS, "frames flow again")

    # The daemon dies, and takes its log over again at once.
    assert stage.daemon is not None
    seen = int(stage.value("SELECT max(seq) FROM telemetry_frame"))
    stage.daemon.kill()
    stage.start_daemon()
    before = frames(stage)
    wait_for(lambda: frames(stage) > before + ROUTERS, "frames flow again")
    report = stage.verify()
    assert report["log_id"] == stats["log_id"]
    assert report["last_seq"] > seen
    assert stage.value("SELECT count(*) - count(DISTINCT (log_id, seq)) FROM telemetry_frame") == 0
