"""Disks that are full or can't be written: what is acknowledged stays, and all goes on when there is room.

Runbooks: `queue-growth`, `ingest-backlog`, `database-down`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mtd.testing.faults.catalogue.disks import FullDisk, ReadOnlyDisk
from mtd.testing.faults.disks import Disk, may_mount, small_disk
from mtd.testing.faults.fault import strike
from mtd.testing.faults.fleet import Fleet, place, postgres_in, running

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not may_mount(), reason="only root can mount the disks that are filled here"),
]

ROUTERS, INTERFACES = 5, 5


@dataclass(frozen=True)
class Place:
    """A fleet with two disks of its own."""

    fleet: Fleet
    log: Disk
    database: Disk


@pytest.fixture(scope="module")
def disks() -> Iterator[Place]:
    with (
        place() as folder,
        small_disk(folder / "log", 40) as log,
        small_disk(folder / "database", 400) as database,
        postgres_in(database.path / "server") as server,
        running(
            ROUTERS,
            INTERFACES,
            postgres=server,
            folder=folder,
            settings={"event_log": {"path": str(log.path / "events.db")}},
        ) as fleet,
    ):
        yield Place(fleet, log, database)


def test_the_disk_of_the_log_is_full(disks: Place) -> None:
    figures = strike(disks.fleet, FullDisk([disks.log]), held_s=3)
    assert (figures.lost, figures.doubled) == (0, 0), figures.examples
    assert figures.restarts == 0
    fleet = disks.fleet
    fleet.wait_for(lambda: fleet.event("collector.log.available"), "the outage is an event")
    assert fleet.event("collector.log.unavailable", message="%disk_full%")


def test_the_disk_of_postgresql_is_full(disks: Place) -> None:
    figures = strike(disks.fleet, FullDisk([disks.database], holds="PostgreSQL"), held_s=3)
    assert (figures.lost, figures.doubled) == (0, 0), figures.examples
    assert figures.restarts == 0


@pytest.mark.long
def test_both_disks_are_full(disks: Place) -> None:
    fault = FullDisk([disks.log, disks.database], holds="the log and PostgreSQL")
    figures = strike(disks.fleet, fault, held_s=3)
    assert (figures.lost, figures.doubled) == (0, 0), figures.examples
    assert figures.restarts == 0


def test_the_disk_of_the_log_goes_read_only(disks: Place) -> None:
    figures = strike(disks.fleet, ReadOnlyDisk(disks.log), held_s=2)
    assert (figures.lost, figures.doubled) == (0, 0), figures.examples
    # It lived with it; the operator ended it to repair the disk.
    assert figures.restarts == 1
