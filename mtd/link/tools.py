"""Tools and connection tests as messages, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtd.core.errors import Refused
from mtd.diagnostics import tools
from mtd.diagnostics.performing import EndReason, RunEnd
from mtd.diagnostics.plans import Plan
from mtd.diagnostics.tools import Tool, ToolRow
from mtd.diagnostics.values import Value
from mtd.link.devices import device_message
from mtd.model.device import Device, Outcome, Way
from mtd.model.pb_enums import OUTCOME, WAY
from mtd.pb.collector.v1 import collector_link_service_pb2 as pb
from mtd.sources.steps import TestStep
from mtd.sources.trial import ConnectionTest
from mtd.sources.way_trial import WaysTest

_TOOLS: Mapping[str, Tool] = {
    str(tool.name): tool
    for tool in (tools.PING, tools.TRACEROUTE, tools.TORCH, tools.SNIFF, tools.BANDWIDTH_TEST)
}
_ROWS_IN_PART = 500
_INT64 = 2**63


def run_message(plan: Plan, device: Device) -> pb.RunTool:
    """Return the message of a run. There may be a password among its arguments."""
    return pb.RunTool(
        device=device_message(device),
        tool=str(plan.tool.name),
        arguments=[pb.ToolArgument(name=name, value=value) for name, value in plan.arguments],
        seconds=plan.seconds,
        rows=plan.rows,
        max_bytes=plan.max_bytes,
        interface=plan.interface,
        from_collector=plan.from_collector,
    )


def plan_of(message: pb.RunTool) -> Plan:
    """Return the run of a message. Raises Refused for a tool that isn't known here."""
    tool = _TOOLS.get(message.tool)
    if tool is None:
        raise Refused(f"this collector has no tool {message.tool!r}: update mtd there")
    return Plan(
        tool,
        tuple((argument.name, argument.value) for argument in message.arguments),
        message.seconds,
        message.rows,
        message.max_bytes,
        message.interface,
        message.from_collector,
    )


def row_messages(rows: Sequence[ToolRow]) -> list[pb.ToolRows]:
    """Return messages of rows, some in each."""
    pieces = [rows[at : at + _ROWS_IN_PART] for at in range(0, len(rows), _ROWS_IN_PART)]
    return [pb.ToolRows(rows=[_row_message(row) for row in piece]) for piece in pieces]


def rows_of(message: pb.ToolRows) -> list[ToolRow]:
    """Return the rows of a message; what is of a kind that isn't known here is missing."""
    return [_row_of(row) for row in message.rows]


def end_message(end: RunEnd) -> pb.ToolEnd:
    """Return the message of a run's end."""
    return pb.ToolEnd(reason=str(end.reason), rows=end.rows, seconds=end.seconds)


def end_of(message: pb.ToolEnd) -> RunEnd:
    """Return the end of a run."""
    known = message.reason in set(EndReason)
    return RunEnd(EndReason(message.reason) if known else EndReason.FINISHED, message.rows, message.seconds)


def connection_message(test: WaysTest) -> pb.TestedConnection:
    """Return the message of a connection test."""
    return pb.TestedConnection(
        ways=[
            pb.TestedWay(
                way=WAY.to_pb(way),
                outcome=OUTCOME.to_pb(one.outcome),
                reason=one.reason,
                steps=[
                    pb.TestedStep(
                        name=step.name, ok=step.ok, duration_us=step.duration_us, detail=step.detail
                    )
                    for step in one.steps
                ],
                routeros_version=one.routeros_version,
                board_name=one.board_name,
                identity=one.identity,
                tls_fingerprint=one.tls_fingerprint,
            )
            for way, one in test.tests
        ]
    )


def connection_of(message: pb.TestedConnection) -> WaysTest:
    """Return the connection test of a message."""
    return WaysTest(
        [
            (
                WAY.from_pb(one.way, Way.API),
                ConnectionTest(
                    OUTCOME.from_pb(one.outcome, Outcome.PROTOCOL_ERROR),
                    one.reason,
                    [TestStep(step.name, step.ok, step.duration_us, step.detail) for step in one.steps],
                    one.routeros_version,
                    one.board_name,
                    one.identity,
                    one.tls_fingerprint,
                ),
            )
            for one in message.ways
            if WAY.knows(one.way)
        ]
    )


def _row_message(row: ToolRow) -> pb.ToolRow:
    message = pb.ToolRow()
    for name, value in row.items():
        target = message.values[name]
        if isinstance(value, str):
            target.text = value
        elif isinstance(value, float):
            target.number = value
        elif value < _INT64:
            target.whole = value
        else:
            target.large = value
    return message


def _row_of(message: pb.ToolRow) -> ToolRow:
    row: dict[str, Value] = {}
    for name, value in message.values.items():
        kind = value.WhichOneof("kind")
        if kind is not None:
            row[name] = getattr(value, kind)
    return row
