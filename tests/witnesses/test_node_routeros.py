"""node-routeros, the client for Node.js, reads the routers that mtd polls: it agrees with mtd.

It can't be used with RouterOS 7.18 and later as soon as an answer is empty: see the last test.
"""

from __future__ import annotations

from typing import Any

import pytest

from mtd.testing.truth_check import COUNTER_PROPERTIES
from tests.witnesses.agreement import Agreement, compare_counters
from tests.witnesses.kit import HERE, INTERFACES, NODE, ROUTERS, SESSIONS, Watched, require, run_program
from tests.witnesses.polls import Moment

COUNTERS = list(COUNTER_PROPERTIES.values())
PROGRAM = HERE / "programs" / "node_reads.cjs"
PACKAGES = NODE / "node_modules"
EMPTY = "/ip/dhcp-server/lease/print"
# monitor-traffic tells the mean of the last second.
RATE_TICKS = 1000


def run_node(stage: Watched, routers: tuple[str, ...], empty: str | None = None) -> dict[str, Any]:
    require(PACKAGES / "node-routeros", "node-routeros")
    ask = {"routers": [stage.connection(router) for router in routers], "empty": empty}
    found: dict[str, Any] = run_program("node", PROGRAM, ask=ask, environment={"NODE_PATH": str(PACKAGES)})
    return found


@pytest.fixture(scope="module")
def reads(stage: Watched) -> dict[str, Any]:
    return run_node(stage, ROUTERS)


@pytest.mark.parametrize("router", ROUTERS)
def test_all_counters(stage: Watched, reads: dict[str, Any], router: str) -> None:
    found = reads[router]
    rows = {row["name"]: row for row in found["interfaces"]}
    assert len(rows) == INTERFACES + (SESSIONS if router == "six" else 0)
    agreement = Agreement()
    compare_counters(agreement, stage, router, Moment(found["start_us"], found["end_us"]), rows, COUNTERS)
    agreement.conclude(counters=INTERFACES * len(COUNTERS), instants=1)


@pytest.mark.parametrize("router", ROUTERS)
def test_commands_at_once_on_one_session(stage: Watched, reads: dict[str, Any], router: str) -> None:
    found, agreement = reads[router], Agreement()
    (resource,) = found["resource"]
    document = stage.snapshot(router, "system.resource")
    assert len(document) > 8
    for key, ours in document.items():
        agreement.same("documents", key, resource[key], ours)
    with stage.client() as client:
        agreement.same(
            "documents", "identity", found["identity"], [{"name": client.get_device(router).identity}]
        )
    rows = {row["name"]: row for row in found["interfaces"]}
    for name, fields in stage.interfaces(router).items():
        for key in ("type", "mac-address", "default-name", "actual-mtu", "l2mtu"):
            agreement.same("tables", f"{name} {key}", rows[name].get(key, ""), fields.get(key, ""))
    agreement.conclude(documents=len(document) + 1, tables=INTERFACES * 5)
    assert found["some"] == [{"name": "ether1", "type": "ether"}, {"name": "bridge1", "type": "bridge"}]
    assert found["refused"] == "no such command"


@pytest.mark.parametrize("router", ROUTERS)
def test_a_stream_that_is_cancelled(stage: Watched, reads: dict[str, Any], router: str) -> None:
    found, truth, agreement = reads[router], stage.truth(router), Agreement()
    ticks = stage.ticks(Moment(found["stream_start_us"], found["stream_end_us"]))
    port = next(item.id for item in truth.interfaces(0) if item.name == "ether1")
    for way in ("rx", "tx"):
        for unit, prop, factor in (("bits", "byte", 8), ("packets", "packet", 1)):
            possible = {
                str(int((truth.true_rate(port, f"{way}-{prop}", tick - RATE_TICKS, tick) or 0) * factor))
                for tick in ticks
            }
            for reading in found["stream"]:
                agreement.one_of("rates", f"{way} {unit}", reading[f"{way}-{unit}-per-second"], possible)
    agreement.conclude(rates=3 * 4)
    assert found["after"] == found["identity"], "the session is good for more"


def test_an_empty_answer_ends_it_since_7_18(stage: Watched) -> None:
    """RouterOS says !empty since 7.18; node-routeros 1.6.9 knows no such word and throws where nobody catches it."""
    before = ("old", "six", "seven")
    assert run_node(stage, before, EMPTY) == {router: [] for router in before}
    with pytest.raises(AssertionError, match="Tried to process unknown reply: !empty"):
        run_node(stage, ("new",), EMPTY)
