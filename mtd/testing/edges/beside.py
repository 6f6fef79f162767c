"""Collectors beside a daemon of the harness: enrolled, and started."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mtd.testing.edges.edge import Edge
from mtd.testing.harness import HarnessFailed, Stage, free_port

HUB: Mapping[str, Mapping[str, Any]] = {
    "daemon": {"role": "hub"},
    "security": {"trust_loopback": True},
}


def hub_settings() -> dict[str, dict[str, Any]]:
    """Return the settings of a daemon that leaves polling to collectors."""
    tls = {"mode": "internal", "client_port": free_port()}
    return {**{name: dict(values) for name, values in HUB.items()}, "grpc.tls": tls}


def know_the_hub(stage: Stage) -> None:
    """Have the stage's clients trust its daemon, which has started."""
    stage.door_ca_file = stage.folder / "hub-ca.pem"
    stage.door_ca_file.write_text(_mtd(stage, "ca", "show", "--pem"))


@contextlib.contextmanager
def running_edges(stage: Stage, count: int, say: Callable[[str], None]) -> Iterator[list[Edge]]:
    """Make collectors known to the daemon, and run them."""
    edges: list[Edge] = []
    try:
        for number in range(1, count + 1):
            say(f"enrolling and starting the collector edge-{number}")
            edge = Edge(stage.folder / f"edge-{number}", f"edge-{number}")
            edges.append(edge)
            edge.write_config()
            invited = json.loads(_mtd(stage, "collector", "invite", edge.name, "--json"))
            edge.enrol(stage.server, invited["token"])
            edge.start(ready=False)
        yield edges
    finally:
        for edge in edges:
            edge.stop()


def _mtd(stage: Stage, *words: str) -> str:
    ca = {} if stage.door_ca_file is None else {"MTD_CA_FILE": str(stage.door_ca_file)}
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "mtd", *words],
        env={**os.environ, "MTD_SERVER": stage.server, "MTD_CONFIG": str(stage.config_path), **ca},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise HarnessFailed(f"mtd {' '.join(words)}: {done.stderr or done.stdout}")
    return done.stdout
