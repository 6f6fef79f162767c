"""``scripts/bench faults``: every fault struck once, then kills in a row, with figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from mtd.testing.bench_output import end_with, folder, show
from mtd.testing.faults.catalogue import logs, routers
from mtd.testing.faults.catalogue.disks import FullDisk, ReadOnlyDisk, SpoiledLog
from mtd.testing.faults.catalogue.edges import BadLineToHub, Cut, HubForgotten, KillInBackfill
from mtd.testing.faults.catalogue.machine import ClockStep, NoDescriptors, NoMemory
from mtd.testing.faults.catalogue.nats import NatsNode
from mtd.testing.faults.catalogue.network import HalfOpen, Latency, NoNames, PacketLoss
from mtd.testing.faults.catalogue.processes import Freeze, Kill, StopPostgres
from mtd.testing.faults.clock import FakeClock, may_fake
from mtd.testing.faults.disks import may_mount, small_disk
from mtd.testing.faults.edge_fleet import QUICK_FORWARD, SLOW_BACKFILL, EdgeFleet, hub_and_edge
from mtd.testing.faults.fault import Fault, strike
from mtd.testing.faults.fleet import QUICK, Fleet, postgres_in, running
from mtd.testing.faults.kills import kill_in_a_row
from mtd.testing.faults.network import may_network
from mtd.testing.faults.networked import NetworkFleet, on_a_bad_line
from mtd.testing.faults.victims import Role
from mtd.testing.harness import HarnessFailed

Say = Callable[[str], None]

# Of the polls, so many may come late enough to be left out: routers, daemons and PostgreSQL share the cores of one machine.
_BUSY_MACHINE = 0.001
_COST_NOTHING = (Role.POSTMASTER.value, Role.BACKEND.value, Role.WORKER.value)
# A part of a fleet's faults: what each is, and how long it lasts at least before it is mended.
Struck = tuple[Fault, float]


class FaultsBench:
    """Runs the parts, each on a fleet of its own below one folder."""

    def __init__(self, place: Path, say: Say, *, routers: int, interfaces: int, stopped_s: float) -> None:
        self._place = place
        self._say = say
        self._size = (routers, interfaces)
        self._stopped_s = stopped_s
        self.faults: list[dict[str, Any]] = []
        self.skipped: list[str] = []
        self.not_struck: list[str] = []
        self.failed: dict[str, str] = {}

    def run(self) -> None:
        """Strike all faults that this machine can have."""
        with running(*self._size, folder=self._folder("processes")) as fleet:
            self._strike_all(fleet, _of_processes())
        with running(*self._size, folder=self._folder("routers")) as fleet:
            self._strike_all(fleet, _of_routers())
        with running(*self._size, folder=self._folder("log")) as fleet:
            self._strike_all(fleet, [(SpoiledLog(*one), 0.0) for one in logs.HARMS])
        self._with_own_postgres()
        self._with_disks()
        self._with_a_clock()
        self._with_networks()
        self._with_nats()

    def _with_own_postgres(self) -> None:
        home = self._folder("stopped")
        with (
            postgres_in(home / "server") as server,
            running(*self._size, folder=home, postgres=server) as fleet,
        ):
            self._strike_all(fleet, [(StopPostgres(), self._stopped_s)])

    def _with_disks(self) -> None:
        if not may_mount():
            self.skipped.append("disks: only root can mount them")
            return
        home = self._folder("disks")
        with (
            small_disk(home / "log", 60) as log,
            small_disk(home / "database", 500) as database,
            postgres_in(database.path / "server") as server,
            running(
                *self._size,
                folder=home,
                postgres=server,
                settings={"event_log": {"path": str(log.path / "events.db")}},
            ) as fleet,
        ):
            faults: list[Struck] = [
                (FullDisk([log]), 5),
                (FullDisk([database], holds="PostgreSQL"), 5),
                (FullDisk([log, database], holds="the log and PostgreSQL"), 5),
                (ReadOnlyDisk(log), 3),
            ]
            self._strike_all(fleet, faults)

    def _with_a_clock(self) -> None:
        if not may_fake():
            self.skipped.append("clocks: there is no C compiler")
            return
        home = self._folder("clock")
        clock = FakeClock(home)
        with running(*self._size, folder=home, environment=clock.environment) as fleet:
            self._strike_all(fleet, [(ClockStep(clock, 3600), 0.0), (ClockStep(clock, -3600), 0.0)])

    def _with_networks(self) -> None:
        if not may_network():
            self.skipped.append("networks: only root can make them")
            return
        with on_a_bad_line(*self._size, self._folder("network")) as fleet:
            self._strike_all(fleet, _of_lines(fleet))
        with hub_and_edge(*self._size, self._folder("edge")) as site:
            self._strike_all(site, _of_edges(site))

    def _with_nats(self) -> None:
        # It needs pytest, which other benches do without.
        from mtd.testing.nats import running_servers, server_program

        try:
            server_program()
        except FileNotFoundError as missing:
            self.skipped.append(f"NATS: {missing}")
            return
        for nodes in (1, 3):
            home = self._folder(f"nats-{nodes}")
            with running_servers(nodes, folder=home / "servers") as servers:
                settings = {
                    "event_log": {"backend": "jetstream", "max_bytes": 200_000_000},
                    "event_log.jetstream": servers.settings(name="hub-1"),
                }
                with running(*self._size, folder=home, settings=settings) as fleet:
                    self._strike_all(fleet, [(NatsNode(servers, "mtd-log-hub-1"), 0.0)])

    def figures(self) -> dict[str, Any]:
        """Return what came of the faults, with what they were measured on."""
        routers, interfaces = self._size
        return {
            "faults": self.faults,
            "skipped": self.skipped,
            "failed": self.failed,
            "not_struck": self.not_struck,
            "size": {"routers": routers, "interfaces": interfaces, "stopped_s": self._stopped_s},
            "settings": {**QUICK, "forward": SLOW_BACKFILL},
        }

    def kill(self, kills: int, routers: int, interfaces: int) -> dict[str, Any]:
        """Kill in a row under load; return the figures."""
        with running(routers, interfaces, folder=self._folder("kills")) as fleet:
            return kill_in_a_row(fleet, kills, self._say).as_dict()

    def kill_apart(self, kills: int, routers: int, interfaces: int) -> dict[str, Any] | None:
        """Do the same where a collector at the edge polls for a hub; None if this machine can't have that."""
        if not may_network():
            return None
        home = self._folder("kills-apart")
        with hub_and_edge(routers, interfaces, home, forward=QUICK_FORWARD) as site:
            return kill_in_a_row(site, kills, self._say).as_dict()

    def _strike_all(self, fleet: Fleet, faults: list[Struck]) -> None:
        for number, (fault, held_s) in enumerate(faults):
            self._say(fault.name)
            try:
                self.faults.append(strike(fleet, fault, held_s=held_s).as_dict())
            except HarnessFailed as failed:
                # The others have fleets of their own, and figures that are worth having.
                self.failed[fault.name] = str(failed).splitlines()[0]
                self.not_struck += [other.name for other, _ in faults[number + 1 :]]
                return

    def _folder(self, name: str) -> Path:
        path = self._place / name
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o711)
        return path


def _of_processes() -> list[Struck]:
    return [
        (Kill(Role.DAEMON, "unreachable-spike"), 0.0),
        (Kill(Role.WORKER, "partition-failure"), 0.0),
        (Kill(Role.POSTMASTER, "database-down"), 0.0),
        (Kill(Role.BACKEND, "database-down", all_of_them=True), 0.0),
        (Freeze(), 5.0),
        (NoDescriptors(), 2.0),
        (NoMemory(), 2.0),
    ]


def _of_routers() -> list[Struck]:
    return [
        (routers.all_reboot(), 0.0),
        (routers.reconnect_storm(), 0.0),
        (routers.half_open(), 0.0),
        (routers.slow_loris(), 5.0),
        (routers.ten_million_rows(), 5.0),
        (routers.garbage(), 2.0),
    ]


def _of_lines(fleet: NetworkFleet) -> list[Struck]:
    return [
        (PacketLoss(fleet.line), 10.0),
        (Latency(fleet.line), 5.0),
        (HalfOpen(fleet.line), 0.0),
        (NoNames(fleet.names), 5.0),
    ]


def _of_edges(site: EdgeFleet) -> list[Struck]:
    return [
        (Cut(site), 10.0),
        (KillInBackfill(site, of_hub=False), 0.0),
        (KillInBackfill(site, of_hub=True), 0.0),
        (BadLineToHub(site, loss=0.3), 10.0),
        (BadLineToHub(site, round_trip_s=0.8), 5.0),
        (HubForgotten(site), 0.0),
        (HubForgotten(site, no_names=True), 5.0),
    ]


@click.command()
@click.option("--kills", type=click.IntRange(min=0), default=100, show_default=True, help="Kills in a row.")
@click.option(
    "--routers",
    type=click.IntRange(1, 5000),
    default=100,
    show_default=True,
    help="Lab routers, while killing.",
)
@click.option(
    "--interfaces", type=click.IntRange(1, 4000), default=30, show_default=True, help="Of each router."
)
@click.option("--without-faults", is_flag=True, help="Only the kills.")
@click.option(
    "--stopped",
    type=click.FloatRange(min=1),
    default=30.0,
    show_default=True,
    help="Seconds that PostgreSQL is away.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
@click.option("--keep", is_flag=True, help="Keep the folder with logs and data.")
def faults(
    kills: int, routers: int, interfaces: int, without_faults: bool, stopped: float, as_json: bool, keep: bool
) -> None:
    """Break everything once, then kill processes in a row under load.

    \b
    acknowledged  Events that the log said are durable, by a ledger that the log has no
                  part in.
    lost          Of those, not in PostgreSQL at the end: none, but for a log whose file
                  was damaged, and of that no more than the file had alone (alone).
    doubled       In PostgreSQL more than once: none.
    detect_s      Until mtd told of it: by an event, a metric, or /readyz; a process that
                  was killed tells as it comes back. null: mtd doesn't, who supervises
                  what was hit does.
    recover_s     Until routers were polled and live again, from the mending on if
                  somebody has to mend it, else from the fault on. Measured with waits
                  that are shorter than the defaults (settings), on at most 20 routers
                  of 10 interfaces (size).
    not_struck    Faults of a fleet in which one before them failed.

    Each kill lands while events are written: of all processes of a daemon that does
    everything (kills), then of a hub and of a collector at the edge that polls for it
    (kills_apart). polls_missed_beyond are those that are missing though who polls ran.
    Ends with 1 if anything is lost or doubled, a fault was not noticed, or not over, in time,
    or kills of PostgreSQL, backends and workers cost more than one of 1,000 polls (beyond_after).
    """
    console = Console(stderr=True)
    with folder(console, keep=keep) as place, console.status("starting") as status:
        bench = FaultsBench(
            place, status.update, routers=min(routers, 20), interfaces=min(interfaces, 10), stopped_s=stopped
        )
        figures: dict[str, Any] = {}
        if not without_faults:
            bench.run()
            figures = bench.figures()
        if kills:
            figures["kills"] = bench.kill(kills, routers, interfaces)
            apart = bench.kill_apart(kills, routers, interfaces)
            if apart is not None:
                figures["kills_apart"] = apart
            else:
                figures.setdefault("skipped", []).append("kills_apart: only root can make networks")
    show(console, figures if as_json else _as_table(figures), as_json=as_json)
    end_with(console, list(judge_figures(figures)))


def judge_figures(figures: dict[str, Any]) -> Iterator[str]:
    """Yield what must not be."""
    for name, text in figures.get("failed", {}).items():
        yield f"{name}: {text}"
    for one in figures.get("faults", []):
        if one["doubled"] or one["lost"] > (one.get("alone") or 0):
            yield f"{one['fault']}: {one['lost']} lost, {one['doubled']} doubled: {one['examples']}"
    for name in ("kills", "kills_apart"):
        row = figures.get(name)
        if row and (row["lost"] or row["doubled"] or not row["log_ok"]):
            yield f"{name}: {row['lost']} lost, {row['doubled']} doubled: {row['examples']}"
        after = (row or {}).get("beyond_after", {})
        missing = sum(polls for role, polls in after.items() if role in _COST_NOTHING)
        if row and missing > row["polls_stored"] * _BUSY_MACHINE:
            yield f"{name}: {missing} of {row['polls_stored']} polls are missing after kills that are to cost none: {after}"


def _as_table(figures: dict[str, Any]) -> dict[str, Any]:
    table: dict[str, Any] = {
        one["fault"]: f"{one['acknowledged']} acknowledged, {one['lost']} lost, {one['doubled']} doubled, "
        f"{_noticed(one['detect_s'])}, well in {one['recover_s']} s"
        for one in figures.get("faults", [])
    }
    apart = {f"apart_{name}": value for name, value in figures.get("kills_apart", {}).items()}
    rest = {
        name: str(figures[name]) for name in ("skipped", "not_struck", "size", "settings") if name in figures
    }
    return {**table, **figures.get("kills", {}), **apart, **rest}


def _noticed(detect_s: float | None) -> str:
    return "mtd has nothing to tell" if detect_s is None else f"noticed in {detect_s} s"
