"""``scripts/bench odoo``: what viewing costs an Odoo, and how fresh what is viewed is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mtd.testing.end_to_end import Plan, postmaster_pid, running_stage, wait_for_first_polls, wait_until_live
from mtd.testing.harness import HarnessFailed, Stage, Usage, usage_of
from mtd.testing.odoo.companies import MAIN, Company, Person, set_up, token_of
from mtd.testing.odoo.crowd import CrowdProcess, Tab
from mtd.testing.odoo.database import odoo_postgres
from mtd.testing.odoo.installation import ADDON, find_installation
from mtd.testing.odoo.rpc import OdooSession
from mtd.testing.odoo.server import BASE_MODULES, Bridge, Odoo, OdooServer

Say = Callable[[str], None]

# Until what was open before is over: a stream that closes, values on their way.
SETTLE_S = 4.0
_REQUESTS_PER_S = 10.0
_FIRST_MESSAGES_S = 30.0
P95_RATIO_MAX = 1.2
MESSAGES_SHARE = (0.95, 1.02)
"""Of one message per second and viewed device: a bit less is a tick that fell between the phases' ends."""


@dataclass(frozen=True, slots=True)
class OdooPlan:
    """How large, and how long."""

    devices: int
    interfaces: int
    viewers: int
    pairs: int
    """Of phases: without viewing and with it."""
    seconds: float
    """Of each phase."""
    workers: int = 2


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that runs."""

    stage: Stage
    odoo: Odoo
    database: str
    server: OdooServer
    bridge: Bridge
    devices: list[int]
    sessions: list[OdooSession]

    def processes(self) -> dict[str, int]:
        """Return the process ids of what is accounted for; a family's children count with it, unless they are named."""
        assert self.stage.lab is not None
        assert self.stage.daemon is not None
        assert self.server.process is not None
        assert self.server.proxy is not None
        assert self.bridge.process is not None
        return {
            "odoo_websocket": _event_process(self.server.process.pid),
            "odoo_workers": self.server.process.pid,
            "bridge": self.bridge.process.pid,
            "odoo_postgresql": self.odoo.postgres.pid,
            "proxy": self.server.proxy.pid,
            "mtd_postgresql": postmaster_pid(self.stage),
            "mtd": self.stage.daemon.pid,
            "lab": self.stage.lab.pid,
        }

    def usage(self) -> dict[str, Usage]:
        """Return what each has used so far."""
        found = self.processes()
        return {
            name: usage_of(pid, without=[other for other in found.values() if other != pid])
            for name, pid in found.items()
        }


def _event_process(parent: int) -> int:
    """Return the child of a prefork server that holds the WebSockets."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"gevent" in words and f"PPid:\t{parent}\n" in (entry / "status").read_text():
                return int(entry.name)
    raise HarnessFailed("the server has no process for WebSockets")


@contextlib.contextmanager
def running_odoo(place: Path, plan: OdooPlan, say: Say) -> Iterator[Scene]:
    """Run lab, daemon, Odoo with workers, and the bridge; take over the devices, log people in."""
    installation = find_installation()
    lab = ("--scenario", "fleet", "--routers", str(plan.devices), "--interfaces", str(plan.interfaces))
    # Ten interfaces of each router are read each second, as it is by default.
    settings = {"t0": {"interfaces": 10}}
    with (
        running_stage(place, Plan(0, lab, settings=settings), say) as (stage, _),
        odoo_postgres() as postgres,
    ):
        wait_for_first_polls(stage, plan.devices, say)
        say("installing Odoo with the addon")
        odoo = Odoo(place / "odoo", installation, postgres)
        odoo.install("bench", *BASE_MODULES, ADDON)
        people = tuple(Person(f"viewer-{number}") for number in range(plan.viewers))
        token = token_of(stage.server, "default")
        ids = set_up(odoo, "bench", stage.server, [Company(MAIN, token, people)])
        if len(ids["devices"]) != plan.devices:
            raise HarnessFailed(f"Odoo took over {len(ids['devices'])} of {plan.devices} devices")
        server, bridge = OdooServer(odoo, "bench", plan.workers), Bridge(odoo, "bench")
        with server, bridge:
            say("logging people in")
            sessions = [server.login(person.login) for person in people]
            yield Scene(stage, odoo, "bench", server, bridge, sorted(ids["devices"].values()), sessions)


@dataclass(slots=True)
class Phases:
    """What was measured in the phases of one kind."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    latencies_s: dict[str, list[float]] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    rows_viewed: int = 0
    rows_unviewed: int = 0
    messages: int = 0
    messages_of_others: int = 0
    received_bytes: int = 0
    ages_s: list[float] = field(default_factory=list)


def measure_odoo(scene: Scene, plan: OdooPlan, say: Say) -> dict[str, Any]:
    """Measure in turns without viewing and with it: what drifts meets both alike."""
    wait_until_live(scene.stage, say)
    viewed = scene.devices[: plan.viewers]
    tabs = [Tab(session, device) for session, device in zip(scene.sessions, viewed, strict=True)]
    kinds = {"idle": Phases(), "viewing": Phases()}
    user = scene.server.login()
    _warm_up(user, scene)
    with CrowdProcess(tabs) as crowd:
        for turn in range(plan.pairs):
            for kind in ("idle", "viewing") if turn % 2 == 0 else ("viewing", "idle"):
                say(f"measuring, {turn + 1} of {plan.pairs}: {kind}")
                if kind == "viewing":
                    crowd.view()
                    _wait_for_messages(crowd, plan.viewers)
                _phase(scene, crowd, user, viewed, kinds[kind], plan.seconds)
                if kind == "viewing":
                    crowd.leave()
    return _figures(kinds["idle"], kinds["viewing"], plan, scene)


def _wait_for_messages(crowd: CrowdProcess, viewers: int) -> None:
    crowd.begin()
    deadline = time.monotonic() + _FIRST_MESSAGES_S
    while (got := crowd.heard_by()) < viewers:
        if time.monotonic() > deadline:
            raise HarnessFailed(f"only {got} of {viewers} tabs got messages in {_FIRST_MESSAGES_S} s")
        time.sleep(0.1)  # noqa: TID251 - a script's own wait, no reactor here


def _phase(
    scene: Scene, crowd: CrowdProcess, user: OdooSession, viewed: list[int], phases: Phases, seconds: float
) -> None:
    time.sleep(SETTLE_S)  # noqa: TID251
    before, cpu_started = scene.usage(), time.monotonic()
    last, started = _last_row(scene), time.monotonic()
    crowd.begin()
    _ask_for(user, scene, seconds, phases.latencies_s)
    # Taken at once: looking at processes takes its time, in which more comes.
    heard, took = crowd.take(), time.monotonic() - started
    rows = _rows_of_devices(scene, last, _last_row(scene))
    after, cpu_took = scene.usage(), time.monotonic() - cpu_started
    phases.seconds += took
    phases.cpu_seconds += cpu_took
    for name, usage in after.items():
        phases.cpu_s[name] = phases.cpu_s.get(name, 0.0) + usage.cpu_s - before[name].cpu_s
    phases.rows_viewed += sum(count for device, count in rows.items() if device in viewed)
    phases.rows_unviewed += sum(count for device, count in rows.items() if device not in viewed)
    for one in heard:
        phases.messages += one.messages
        phases.messages_of_others += one.of_others
        phases.received_bytes += one.received_bytes
        phases.ages_s += one.ages_s


def _last_row(scene: Scene) -> int:
    ((last,),) = scene.odoo.postgres.sql(scene.database, "SELECT coalesce(max(id), 0) FROM bus_bus")
    return int(last)


def _rows_of_devices(scene: Scene, after: int, until: int) -> dict[int, int]:
    """Return device -> rows of the bus about it between two rows."""
    rows = scene.odoo.postgres.sql(
        scene.database,
        "SELECT (channel::jsonb ->> 2)::int, count(*) FROM bus_bus"
        " WHERE id > %s AND id <= %s AND channel::jsonb ->> 1 = 'mikrotik.device' GROUP BY 1",
        after,
        until,
    )
    return dict(rows)


# What people do all day: look at a list, open a form.
_REQUESTS: dict[str, Callable[[OdooSession, Scene, int], Any]] = {
    "list": lambda user, _scene, _number: user.call(
        "mikrotik.device",
        "web_search_read",
        domain=[],
        specification={"name": {}, "host": {}, "status": {}, "routeros_version": {}, "site_id": {}},
        limit=80,
    ),
    "form": lambda user, scene, number: user.call(
        "mikrotik.device",
        "web_read",
        [scene.devices[number % len(scene.devices)]],
        specification={"name": {}, "host": {}, "port": {}, "status": {}, "notes": {}, "capability_ids": {}},
    ),
    "users": lambda user, _scene, _number: user.call(
        "res.users", "web_search_read", domain=[], specification={"name": {}, "login": {}}, limit=80
    ),
}


def _ask_for(user: OdooSession, scene: Scene, seconds: float, into: dict[str, list[float]]) -> None:
    """Ask at a steady pace, one after the other, and note how long each took."""
    started = time.monotonic()
    number = 0
    while (due := started + number / _REQUESTS_PER_S) < started + seconds:
        time.sleep(max(0.0, due - time.monotonic()))  # noqa: TID251
        for name, request in _REQUESTS.items():
            begun = time.perf_counter()
            request(user, scene, number)
            into.setdefault(name, []).append(time.perf_counter() - begun)
        number += len(_REQUESTS)


def _warm_up(user: OdooSession, scene: Scene) -> None:
    """Let each worker read its registry and views once."""
    _ask_for(user, scene, 5.0, {})


def _figures(idle: Phases, viewing: Phases, plan: OdooPlan, scene: Scene) -> dict[str, Any]:
    idle_all, viewing_all = (
        [one for values in phases.latencies_s.values() for one in values] for phases in (idle, viewing)
    )
    return {
        "devices": plan.devices,
        "viewers": plan.viewers,
        "seconds_idle": round(idle.seconds, 1),
        "seconds_viewing": round(viewing.seconds, 1),
        "requests": {
            "idle": _milliseconds(idle_all),
            "viewing": _milliseconds(viewing_all),
            "p95_ratio": round(float(np.percentile(viewing_all, 95) / np.percentile(idle_all, 95)), 3),
            **{
                name: {"idle": _milliseconds(values), "viewing": _milliseconds(viewing.latencies_s[name])}
                for name, values in idle.latencies_s.items()
            },
        },
        "messages_per_viewed_device_s": round(viewing.messages / viewing.seconds / plan.viewers, 3),
        "messages_of_others": viewing.messages_of_others + idle.messages_of_others,
        "bytes_per_message": round(viewing.received_bytes / max(1, viewing.messages)),
        "rows_per_viewed_device_s": round(viewing.rows_viewed / viewing.seconds / plan.viewers, 3),
        "rows_of_unviewed": viewing.rows_unviewed + idle.rows_unviewed + idle.rows_viewed,
        "age_at_browser": _spread_s(viewing.ages_s),
        "cpu_pct": {
            name: {
                "idle": round(100 * idle.cpu_s[name] / idle.cpu_seconds, 1),
                "viewing": round(100 * viewing.cpu_s[name] / viewing.cpu_seconds, 1),
            }
            for name in idle.cpu_s
        },
        "rss_mb": {name: round(usage.rss_bytes / 1e6, 1) for name, usage in scene.usage().items()},
    }


def _milliseconds(values: list[float]) -> dict[str, float]:
    p50, p95 = np.percentile(values, [50, 95])
    return {"p50_ms": round(1000 * float(p50), 2), "p95_ms": round(1000 * float(p95), 2), "n": len(values)}


def _spread_s(values: list[float]) -> dict[str, float]:
    p50, p95 = np.percentile(values, [50, 95])
    return {"p50_s": round(float(p50), 3), "p95_s": round(float(p95), 3), "max_s": round(max(values), 3)}


def judge(figures: dict[str, Any]) -> list[str]:
    """Return what isn't as it has to be."""
    problems = []
    ratio = figures["requests"]["p95_ratio"]
    if ratio > P95_RATIO_MAX:
        problems.append(f"viewing makes Odoo's requests slower: p95 is {ratio} times that of idle")
    low, high = MESSAGES_SHARE
    for name in ("messages_per_viewed_device_s", "rows_per_viewed_device_s"):
        if not low <= figures[name] <= high:
            problems.append(f"{name} has to be about 1, and is {figures[name]}")
    if figures["rows_of_unviewed"]:
        problems.append(f"{figures['rows_of_unviewed']} rows were written for devices that nobody viewed")
    if figures["messages_of_others"]:
        problems.append(f"{figures['messages_of_others']} messages went to who doesn't view the device")
    return problems
