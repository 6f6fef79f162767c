"""librouteros, which many tools build upon, reads the routers with asyncio and in threads: it agrees with mtd.

mtd speaks the protocol by code of its own and shares nothing with it.
"""

from __future__ import annotations

from typing import Any

import pytest

from mtd.testing.truth_check import COUNTER_PROPERTIES
from tests.witnesses.agreement import Agreement, compare_counters
from tests.witnesses.kit import HERE, INTERFACES, PYTHON, ROUTERS, SESSIONS, Watched, require, run_program
from tests.witnesses.polls import Moment

WAYS = ("asyncio", "threads")
COUNTERS = list(COUNTER_PROPERTIES.values())


@pytest.fixture(scope="module")
def reads(stage: Watched) -> dict[str, Any]:
    """Return what it read: all routers at once, with TLS where there is."""
    require(PYTHON, "librouteros")
    ask = {"routers": [stage.connection(router) for router in ROUTERS]}
    found: dict[str, Any] = run_program(PYTHON, HERE / "programs" / "librouteros_reads.py", ask=ask)
    return found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("router", ROUTERS)
def test_all_counters(stage: Watched, reads: dict[str, Any], router: str, way: str) -> None:
    found = reads[router][way]
    rows = {row["name"]: row for row in found["interfaces"]}
    assert len(rows) == INTERFACES + (SESSIONS if router == "six" else 0)
    moment, agreement = Moment(found["start_us"], found["end_us"]), Agreement()
    compare_counters(agreement, stage, router, moment, rows, COUNTERS)
    agreement.conclude(counters=INTERFACES * len(COUNTERS), instants=1)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("router", ROUTERS)
def test_tables_and_documents(stage: Watched, reads: dict[str, Any], router: str, way: str) -> None:
    found, agreement = reads[router][way], Agreement()
    (resource,) = found["resource"]
    document = stage.snapshot(router, "system.resource")
    for key, ours in document.items():
        agreement.same("documents", key, str(resource[key]), ours)
    with stage.client() as client:
        agreement.same(
            "documents", "identity", found["identity"], [{"name": client.get_device(router).identity}]
        )
    rows = {row["name"]: row for row in found["interfaces"]}
    for name, fields in stage.interfaces(router).items():
        for key in ("type", "mac-address", "default-name", "actual-mtu", "l2mtu"):
            agreement.same("tables", f"{name} {key}", str(rows[name].get(key, "")), fields.get(key, ""))
    agreement.conclude(documents=len(document) + 1, tables=INTERFACES * 5)
    assert len(document) > 8


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("router", ROUTERS)
def test_queries_and_tags(stage: Watched, reads: dict[str, Any], router: str, way: str) -> None:
    found = reads[router][way]
    assert [set(row) for row in found["some"]] == [{"name", "rx-byte"}] * 2
    assert {row["name"] for row in found["some"]} == {"ether1", "bridge1"}
    assert found["none"] == [], "also where RouterOS says !empty"
    version = stage.snapshot(router, "system.resource")["version"]
    tagged = {
        tag: [sorted(words) for _, words in found["tagged"] if f".tag={tag}" in words] for tag in ("w7", "w8")
    }
    assert tagged == {
        "w7": [sorted([f"=name={router}", ".tag=w7"]), [".tag=w7"]],
        "w8": [sorted([f"=version={version}", ".tag=w8"]), [".tag=w8"]],
    }
