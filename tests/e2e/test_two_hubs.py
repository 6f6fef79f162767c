"""Two daemons on one database: each shows and takes what the other one does, and one stands in for the other."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mtd.client import MtdClient
from mtd.storage.schema import Migration, migrate_blocking, migrations
from mtd.testing.harness import HarnessFailed
from tests.e2e.edge_kit import Watchman, frames_in_database, frames_in_log
from tests.e2e.kit import wait_for
from tests.e2e.two_hubs_kit import Daemon, share_key, two_daemons, two_hubs_with_an_edge

NAMES = ("one", "two", "three", "four")
SCENARIO = "\n".join(f'[[router]]\nname = "{name}"\ninterfaces = 2\n' for name in NAMES)
FUTURE = """
CREATE TABLE mtd.of_the_next_release (tenant_id uuid NOT NULL, name text NOT NULL);
ALTER TABLE mtd.device ADD COLUMN of_the_next_release text NOT NULL DEFAULT '';
SELECT mtd.raise_wall('mtd.of_the_next_release');
"""


def at_once(*tasks: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(tasks)) as threads:
        return list(threads.map(lambda task: task(), tasks))


def collectors_of_devices(place: Daemon) -> dict[str, str]:
    rows = place.sql(
        "SELECT d.name, a.collector_id FROM device_assignment a JOIN device d USING (tenant_id, device_id)"
    )
    return dict(rows)


def sees_news_of_all(place: Daemon, timeout_s: float = 20.0) -> None:
    """A stream of this hub tells a value of each router that was observed after the stream was opened."""
    missing = set(NAMES)
    began = dt.datetime.now(dt.UTC)
    deadline = time.monotonic() + timeout_s
    with MtdClient(place.server) as client:
        for sample in client.watch(metrics=["system.cpu.load_pct"], give_up_after_s=timeout_s):
            if sample.collected_at > began:
                missing.discard(sample.device)
            if not missing:
                return
            assert time.monotonic() < deadline, f"{place.name} shows nothing new of {missing}"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_daemons_share_a_database() -> None:
    with two_daemons(SCENARIO) as (first, second):
        at_once(first.start_daemon, second.start_daemon)
        assert first.value("SELECT count(*) FROM schema_version") == len(migrations())
        first.add_all()
        assert second.devices().keys() == set(NAMES)
        at_once(lambda: sees_news_of_all(first), lambda: sees_news_of_all(second))
        check_requests(first, second)
        check_audit(first, second)
        check_events(first, second)
        check_keys(second)
        check_upgrade(first, second)


def check_requests(first: Daemon, second: Daemon) -> None:
    """A request that is repeated at the other hub is done once; a page of one leads to the next of the other."""
    request_id = str(uuid.uuid4())
    with MtdClient(first.server) as one, MtdClient(second.server) as other:
        fields = {"name": "once", "host": "127.0.0.1", "username": "x", "enabled": False}
        made = one.create_device(password="p", request_id=request_id, **fields)  # type: ignore[arg-type]
        again = other.create_device(password="p", request_id=request_id, **fields)  # type: ignore[arg-type]
        assert made.id == again.id
        page = one.query_latest(metrics=["system.*"], page_size=3)
        rest = other.query_latest(metrics=["system.*"], page_size=1000, page_token=page.next_token)
        assert page.next_token
        assert rest.values
        other.delete_device("once")


def check_audit(first: Daemon, second: Daemon) -> None:
    """Both write into one chain."""

    def deeds(place: Daemon) -> None:
        with MtdClient(place.server) as client:
            for number in range(5):
                name = f"{place.name}-{number}"
                client.create_device(name=name, host="127.0.0.1", username="x", password="p", enabled=False)
                client.delete_device(name)

    at_once(lambda: deeds(first), lambda: deeds(second))
    found = first.mtd("audit", "verify", "--json").json()
    assert found["ok"], found
    assert first.value("SELECT count(*) FROM audit_entry WHERE action LIKE '%%DeleteDevice'") == 1 + 2 * 5


def check_events(first: Daemon, second: Daemon) -> None:
    """A stream of one hub tells what the other one's log brought."""
    router, collector = next(iter(collectors_of_devices(first).items()))
    other = second if collector == first.name else first
    told: list[str] = []

    def follow() -> None:
        with MtdClient(other.server) as client:
            for event in client.events(only_new=True, devices=[router], give_up_after_s=20):
                told.append(event.device_name)
                return

    thread = threading.Thread(target=follow)
    thread.start()
    wait_for(lambda: other.metric("mtd_api_event_streams") == 1, "the stream is open")
    with first.control() as lab:
        lab.inject(router, "reboot", boot_s=1.0)
    thread.join(30)
    assert told == [router]


def check_keys(second: Daemon) -> None:
    """One with another master key doesn't start."""
    where = second.folder.parent / "stranger"
    with Daemon(where, second.dsn(), "stranger", daemon={"role": "hub"}) as stranger:
        share_key(stranger)
        with pytest.raises(HarnessFailed, match="another master key"):
            stranger.start_daemon()


def check_upgrade(first: Daemon, second: Daemon) -> None:
    """One is drained, and the next release migrates: the other one works on, and this one starts on the new schema."""
    both = f"{first.server},{second.server}"
    stopped = threading.Event()
    told: list[str] = []

    def follow() -> None:
        with MtdClient(both) as client:
            for sample in client.watch(metrics=["system.cpu.load_pct"], give_up_after_s=20):
                told.append(sample.device)
                if stopped.is_set():
                    return

    thread = threading.Thread(target=follow)
    thread.start()
    wait_for(lambda: told, "values at the first hub")
    assert first.daemon is not None
    first.daemon.stop()
    before = len(told)
    wait_for(lambda: len(told) > before, "values at the second hub")
    with MtdClient(both) as client:
        assert {device.name for device in client.list_devices()} == set(NAMES)
    wait_for(
        lambda: set(collectors_of_devices(second).values()) == {second.name}, "all is polled by the other one"
    )
    steps = [*migrations(), Migration(len(migrations()) + 1, "of_the_next_release", FUTURE)]
    assert migrate_blocking(second.dsn(), steps=steps).applied == ("of_the_next_release",)
    sees_news_of_all(second)
    first.start_daemon()
    sees_news_of_all(first)
    stopped.set()
    thread.join(20)
    assert not thread.is_alive()
    for place in (first, second):
        place.verify()


@pytest.mark.long
@pytest.mark.timeout(300)
def test_nothing_is_lost_or_doubled_when_hubs_are_killed_in_turn() -> None:
    with two_hubs_with_an_edge(SCENARIO) as (first, second, edge):
        first.add_routers()
        edge.start(ready=False)
        live = lambda hub: len(hub.collected()) == len(NAMES)  # noqa: E731
        wait_for(lambda: live(first), "live values", 30)
        with Watchman(first) as watchman:
            for hub, other in ((first, second), (second, first)):
                assert hub.daemon is not None
                hub.daemon.kill()
                wait_for(
                    lambda hub=other: all(age < 3 for age in hub.collected().values()),
                    f"{other.folder.name} has what is new",
                    30,
                )
                hub.start()
        wait_for(edge.is_ready, "all is well again", 30)
        edge.stop()
        polled = frames_in_log(edge)
        wait_for(lambda: len(frames_in_database(first)) >= len(polled), "all of it is in the database", 30)
        assert frames_in_database(first) == polled
        assert watchman.moved_back == []
        for hub in (first, second):
            hub.verify()
