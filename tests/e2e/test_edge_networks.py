"""Two edges in networks of their own: their routers are reached by nobody else, and one line is cut."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mtd.client import MtdClient
from mtd.testing.edges.edge import Edge
from mtd.testing.edges.namespaces import Namespace, can_make_namespaces
from mtd.testing.harness import Process
from tests.e2e.edge_kit import QUICK_FORWARD, Hub, Watchman, frames_in_database, frames_in_log
from tests.e2e.kit import folder, wait_for

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not can_make_namespaces(), reason="network namespaces need root"),
]


@dataclass
class Place:
    """A network with a router, and the collector that polls it."""

    network: Namespace
    edge: Edge
    lab: Process


@contextmanager
def place(where: Path, name: str, number: int) -> Iterator[Place]:
    with Namespace(name, number) as network:
        edge = Edge(where / name, name, settings={"forward": QUICK_FORWARD}, prefix=network.prefix)
        edge.write_config()
        scenario, state = edge.folder / "lab.toml", edge.folder / "lab.json"
        scenario.write_text(f'[[router]]\nname = "router-{name}"\ninterfaces = 4\n')
        command = [*network.prefix, sys.executable, "-m", "mtd", "lab", "--scenario", str(scenario)]
        lab = Process("lab", [*command, "--state-file", str(state)], edge.folder / "lab.log")
        lab.start()
        try:
            wait_for(state.exists, "the lab runs", 30)
            yield Place(network, edge, lab)
        finally:
            edge.stop()
            lab.stop()
            sys.stdout.write(edge.tail())


def router_of(one: Place) -> dict[str, Any]:
    (router,) = json.loads((one.edge.folder / "lab.json").read_text())["endpoints"]
    return dict(router)


def ages(hub: Hub) -> dict[str, float]:
    return hub.collected()


@pytest.mark.timeout(240)
def test_edges_poll_what_only_they_can_reach_and_one_that_is_cut_off_holds_up_nobody() -> None:
    with ExitStack() as stack:
        where = stack.enter_context(folder())
        places = {
            name: stack.enter_context(place(where, name, number))
            for number, name in enumerate(("east", "west"), start=11)
        }
        hub = stack.enter_context(Hub(where, names=[one.network.hub for one in places.values()]))
        hub.start()
        with MtdClient(hub.server, ca_file=hub.ca_file) as client:
            for one in places.values():
                hub.enrol(one.edge, f"{one.network.hub}:{hub.grpc_port}")
                router = router_of(one)
                client.create_device(
                    name=router["name"],
                    host=router["host"],
                    port=router["port"],
                    username=router["username"],
                    password=router["password"],
                    tls_mode=router["client_tls"],
                )
        for name, one in places.items():
            hub.ask("collector", "pin", name, f"router-{name}")
            one.edge.start(ready=False)
        wait_for(lambda: len(ages(hub)) == 2, "both have live values", 40)
        east, west = places["east"], places["west"]
        with Watchman(hub) as watchman:
            west.network.cut()
            wait_for(lambda: west.edge.status()["buffer_events"] > 10, "west keeps what it polls", 30)
            assert ages(hub)["router-east"] < 5
            assert east.edge.status()["connected"]
            deadline = time.monotonic() + 30
            west.network.mend()
            wait_for(lambda: ages(hub)["router-west"] < 3, "west is fresh again", deadline - time.monotonic())
            wait_for(lambda: west.edge.status()["buffer_events"] < 5, "all is sent", 30)
        assert watchman.moved_back == []
        for one in places.values():
            one.edge.stop()
        polled = frames_in_log(east.edge) + frames_in_log(west.edge)
        wait_for(lambda: len(frames_in_database(hub)) >= len(polled), "all is in the database", 30)
        assert frames_in_database(hub) == polled
