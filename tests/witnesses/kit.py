"""A lab and a daemon that polls it, for programs that nobody here wrote.

Four routers: each login, both shapes of menus, TLS, and the replies of 7.18 and later.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mtd.lab.truth import Resource, RouterTruth, Sensors
from mtd.lab.world import World
from mtd.testing.missing import skip_without
from mtd.testing.mktxp import WITNESSES
from tests.e2e.kit import Rig, wait_for
from tests.witnesses.polls import Moment, Polls

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHON = WITNESSES / "bin" / "python"
NODE = WITNESSES / "node"

INTERFACES, SESSIONS = 24, 3
SCENARIO = f"""
[[router]]
name = "old"  # the challenge login
version = "6.42.12"
interfaces = {INTERFACES}

[[router]]
name = "six"
version = "6.49.10"
interfaces = {INTERFACES}
pppoe = {SESSIONS}

[[router]]
name = "seven"
version = "7.16.2"
interfaces = {INTERFACES}
tls = "self-signed"

[[router]]
name = "new"  # answers !empty
version = "7.20.4"
interfaces = {INTERFACES}
"""
ROUTERS = ("old", "six", "seven", "new")
# Everything within a second or two, so that polls before and after a witness are soon there.
SETTINGS = {"scheduler.intervals_s": {"t0": 0.5, "t1": 2.0, "t2": 1.0}}

# What witnesses are asked about: all of it is polled by the quick tiers.
WATCHED = (
    "iface.*",
    *(f"system.{part}.*" for part in ("cpu", "core", "memory", "disk", "health")),
    "system.uptime*",
)

# Clocks of processes on one machine, and whole milliseconds.
_SLACK_TICKS = 5


def require(path: Path, what: str) -> None:
    """Skip, or fail where continuous integration says that it is one, if a witness isn't there."""
    if not path.exists():
        skip_without(f"{what} is not installed: run scripts/setup_witnesses")


def run_program(*command: str | Path, ask: object, environment: Mapping[str, str] | None = None) -> Any:
    """Run a witness: it is asked in JSON on its standard input, and answers in JSON."""
    done = subprocess.run(
        list(map(str, command)),
        input=json.dumps(ask),
        env={**os.environ, "PYTHONPATH": "", "PYTHONSAFEPATH": "1", **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=HERE,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stderr[-4000:]}"
    return json.loads(done.stdout)


@contextmanager
def clocked() -> Iterator[list[Moment]]:
    """Note when the body began and ended; the list is filled at the end."""
    moments: list[Moment] = []
    start_us = time.time_ns() // 1000
    yield moments
    moments.append(Moment(start_us, time.time_ns() // 1000))


class Watched(Rig):
    """The lab, the daemon, and what both say about a router at a time."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, settings=SETTINGS)
        self._worlds: list[World] = []
        self._polls: dict[tuple[str, Moment], Polls] = {}

    def wait_until_steady(self) -> None:
        """Wait until each tier of each router was polled some times: rates are there, and polls before now."""
        frames = (
            "SELECT count(*) FROM telemetry_frame JOIN series_layout USING (tenant_id, layout_id)"
            " WHERE poll_group IN ('t0', 't2') GROUP BY device_id, poll_group HAVING count(*) > 3"
        )
        wait_for(lambda: len(self.sql(frames)) == 2 * len(self.routers), "polls of all tiers", timeout_s=30)

    def connection(self, router: str) -> dict[str, Any]:
        """Return how a witness reaches a router; with TLS it may trust the router's own certificate alone."""
        found = dict(self.routers[router])
        tls = found["tls"] != "off"
        certificate = ssl.get_server_certificate((found["host"], found["port"]), timeout=10) if tls else ""
        login = "plain" if self.truth(router).version >= (6, 43) else "token"
        return found | {"login": login, "tls": tls, "certificate": certificate}

    def truth(self, router: str) -> RouterTruth:
        """Return the truth about a router."""
        return self.world.router(router)

    @property
    def world(self) -> World:
        """Return the truth about all routers."""
        if not self._worlds:
            self._worlds.append(World.from_state_file(self.lab_state_path))
        return self._worlds[0]

    def ticks(self, moment: Moment) -> range:
        """Return the ticks of the lab's clock in a span of time."""
        clock = self.world.clock
        return range(
            clock.tick_at(moment.start_us) - _SLACK_TICKS, clock.tick_at(moment.end_us) + _SLACK_TICKS + 1
        )

    def resources(self, router: str, moment: Moment) -> list[Resource]:
        """Return all that ``/system/resource`` may have said in a span of time."""
        return [self.truth(router).resource(tick) for tick in self.ticks(moment)]

    def sensors(self, router: str, moment: Moment) -> list[Sensors]:
        """Return all that ``/system/health`` may have said in a span of time."""
        return [self.truth(router).sensors(tick) for tick in self.ticks(moment)]

    def around(self, router: str, moment: Moment) -> Polls:
        """Return our polls before and after a span of time; waits for those after."""
        known = self._polls.get((router, moment))
        if known is None:
            known = wait_for(
                lambda: self._read(router, moment), f"polls of {router} around a witness", timeout_s=30
            )
            self._polls[router, moment] = known
        return known

    def _read(self, router: str, moment: Moment) -> Polls | None:
        start_us, end_us = moment.start_us - 15_000_000, time.time_ns() // 1000 + 1
        with self.client() as client:
            found = client.query_range(router, WATCHED, start=start_us, end=end_us)
        polls = Polls(
            {item.key: dict(zip(item.times_us, item.values, strict=True)) for item in found.series}, moment
        )
        return polls if polls.complete() else None

    def snapshot(self, router: str, kind: str) -> Any:
        """Return a document of a router as mtd stored it last."""
        return json.loads(
            self.value(
                "SELECT content FROM snapshot s JOIN device d USING (tenant_id, device_id)"
                " WHERE d.name = %s AND s.kind = %s ORDER BY s.ts_collected DESC LIMIT 1",
                router,
                kind,
            )
        )

    def interfaces(self, router: str) -> dict[str, dict[str, str]]:
        """Return interface name -> fields, as mtd's table has them."""
        return dict(self.sql("SELECT name, fields FROM interface WHERE device = %s", router))
