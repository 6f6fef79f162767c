"""Tools and tests of connections go over the link as they are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtd.api.link.failures import error_of
from mtd.core.errors import NotFound, Refused, Retryable
from mtd.diagnostics.config import DiagnosticsConfig
from mtd.diagnostics.errors import RouterRefused, ToolBusy
from mtd.diagnostics.performing import EndReason, RunEnd
from mtd.diagnostics.plans import BandwidthTest, Ping, Sniff, Torch, Traceroute, Wish
from mtd.link.devices import device_of
from mtd.link.tools import (
    connection_message,
    connection_of,
    end_message,
    end_of,
    plan_of,
    row_messages,
    rows_of,
    run_message,
)
from mtd.model.device import Outcome, Way
from mtd.pb.collector.v1 import collector_link_service_pb2 as pb
from mtd.sources.errors import SessionFailed
from mtd.sources.steps import TestStep
from mtd.sources.trial import ConnectionTest
from mtd.sources.way_trial import WaysTest
from tests.unit.link.devices_made import TEXTS, device

VALUES = TEXTS | st.integers(0, 2**64 - 1) | st.floats(allow_nan=False)
ROWS = st.lists(
    st.dictionaries(st.sampled_from(("sequence", "host", "time_ms", "rx_bps")), VALUES), max_size=5
)


@pytest.mark.parametrize(
    "wish",
    [
        Ping("192.0.2.7", count=3, interface="ether1", do_not_fragment=True),
        Ping("", from_collector=True),
        Traceroute("192.0.2.7", udp=True),
        Torch("ether1", port=53),
        Sniff("ether1", ip_protocol="tcp"),
        BandwidthTest("192.0.2.9", user="u", password="hunter2"),
    ],
    ids=lambda wish: f"{wish.tool.name}",
)
def test_runs(wish: Wish) -> None:
    plan = wish.plan(DiagnosticsConfig())
    message = pb.RunTool.FromString(run_message(plan, device(1)).SerializeToString())
    assert plan_of(message) == plan
    assert device_of(message.device) == device(1)


def test_a_tool_that_isnt_known_here_is_refused() -> None:
    with pytest.raises(Refused, match="update mtd"):
        plan_of(pb.RunTool(tool="telnet"))


@settings(max_examples=40)
@given(ROWS)
def test_rows(rows: list[dict[str, str | int | float]]) -> None:
    sent = [pb.ToolRows.FromString(part.SerializeToString()) for part in row_messages(rows)]
    back = [row for part in sent for row in rows_of(part)]
    assert back == rows
    assert [[type(value) for value in row.values()] for row in back] == [
        [type(row[name]) for name in found] for row, found in zip(rows, back, strict=True)
    ]


def test_many_rows_come_in_parts() -> None:
    assert [len(part.rows) for part in row_messages([{"sequence": 1}] * 1001)] == [500, 500, 1]


@pytest.mark.parametrize("reason", EndReason)
def test_ends(reason: EndReason) -> None:
    assert end_of(end_message(RunEnd(reason, 7, 1.5))) == RunEnd(reason, 7, 1.5)


def test_connection_tests() -> None:
    steps = [TestStep("connect", ok=True, duration_us=5, detail="in time"), TestStep("login", detail="no")]
    test = WaysTest(
        [
            (Way.API, ConnectionTest(Outcome.LOGIN_FAILED, "no", steps)),
            (Way.REST, ConnectionTest(Outcome.OK, "yes", [], "7.16", "RB", "gw", "ab")),
        ]
    )
    assert connection_of(connection_message(test)) == test


@pytest.mark.parametrize("kind", [NotFound, Refused, Retryable, RouterRefused, ToolBusy])
def test_failures_stay_what_they_were(kind: type[Exception]) -> None:
    found = error_of(pb.CommandFailure(error=kind.__name__, message="no", hint="do"), "edge-1")
    assert type(found) is kind
    assert (str(found), found.hint) == ("the collector 'edge-1' says: no", "do")


def test_failures_of_sessions_and_unknown_ones() -> None:
    failed = SessionFailed(Outcome.TIMED_OUT, "no answer within 5 s")
    found = error_of(pb.CommandFailure(error="SessionFailed", message=str(failed)), "edge-1")
    assert isinstance(found, SessionFailed)
    assert (found.outcome, found.reason) == (Outcome.TIMED_OUT, "no answer within 5 s")
    assert type(error_of(pb.CommandFailure(error="Newer", message="x"), "edge-1")) is Retryable
    odd = error_of(pb.CommandFailure(error="SessionFailed", message="odd"), "edge-1")
    assert type(odd) is Retryable
