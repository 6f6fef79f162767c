"""What ``mtd poll`` makes of a poll, and which collector it takes."""

from __future__ import annotations

import io
import json

import click
import pytest
from rich.console import Console

from mtd.app.direct import Asked, DirectPoll, Reading
from mtd.cli.poll import chosen
from mtd.cli.poll_screen import TableSizes, as_json, everything
from mtd.model.device import Severity
from mtd.model.metric import Tier
from mtd.model.observation import Document, KeyRange, StateChange, TableChange
from mtd.plugin import manager as managing
from tests.unit.plugin.conftest import PORTS_EGG
from tests.unit.plugin.test_manager import egg, entry_point, other

CHANGE = StateChange(
    "ups.mains.changed", Severity.CRITICAL, "ups", "*1", "rack", "on-line", "present", "absent", "dark"
)
POLL = DirectPoll(
    collected_us=7,
    duration_s=0.25,
    readings=[
        Reading("ups.rack.load_pct", "ups.load_pct", "rack", "percent", 12.0),
        Reading("ups.rack.mains_state", "ups.mains_state", "rack", "state", 0.0, "absent"),
    ],
    changes=[CHANGE],
    tables=[
        TableChange(
            "ups", False, {"*1": {"name": "rack"}, "*2": {"name": "[cellar]"}}, ["*9"], KeyRange("", "*5")
        )
    ],
    documents=[Document("ups.models", b'{"model":"700"}', b"")],
    asked=[Asked("/system/ups/print", 2), Asked("/system/none/print", 0, "no such command")],
)


def printed(poll: DirectPoll, sizes: TableSizes | None = None) -> str:
    out = Console(file=io.StringIO(), width=200)
    for part in everything(poll, Tier.T3, sizes or TableSizes()):
        out.print(part)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def test_json_has_values_rows_documents_and_events() -> None:
    from mtd.cli.output import _plain

    told = json.loads(json.dumps(as_json(POLL, Tier.T3), default=_plain))
    assert told["tier"] == "t3"
    assert told["values"] == {"ups.rack.load_pct": 12.0, "ups.rack.mains_state": 0.0}
    [table] = told["tables"]
    assert table["rows"] == {"*1": {"name": "rack"}, "*2": {"name": "[cellar]"}}
    assert (table["complete"], table["removed"], table["complete_within"]) == (False, ["*9"], ["", "*5"])
    assert told["documents"] == {"ups.models": {"model": "700"}}
    assert told["changes"][0]["message"] == "dark"
    assert told["commands"][1] == {"command": "/system/none/print", "rows": 0, "refused": "no such command"}


def test_people_read_values_and_how_many_rows_there_are() -> None:
    text = printed(POLL)
    lines = [line.replace("\u2502", " ").split() for line in text.splitlines()]
    assert ["ups.rack.load_pct", "12", "percent"] in lines
    assert ["ups.rack.mains_state", "absent", "state"] in lines
    assert ["ups", "2", "2", "1"] in lines
    assert ["/system/none/print", "0", "no", "such", "command"] in lines
    assert "Document ups.models: 15 bytes" in text
    assert "Nothing is asked at t3" in printed(DirectPoll(7, 0.0, [], []))


def test_tables_keep_their_size_while_only_changes_are_told() -> None:
    sizes = TableSizes()
    rows = {f"*{number}": {"name": "x"} for number in range(5)}
    assert sizes.take(TableChange("ups", True, rows)) == 5
    assert sizes.take(TableChange("ups", False, {"*0": {"name": "y"}, "*7": {}}, ["*1"])) == 5
    assert sizes.take(TableChange("ups", False, {"*2": {}}, (), KeyRange("*1", "*4"))) == 3
    assert sizes.take(TableChange("other", True, {})) == 0
    assert sizes.take(TableChange("ups", True, {"*1": {}})) == 1


def test_one_collector_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (entry_point("ports", egg(PORTS_EGG)), entry_point("other", egg(other())))
    monkeypatch.setattr(managing, "entry_points", lambda **_: found)
    assert [one.name for one in chosen(None, Tier.T3).collectors] == ["other", "ports"]
    assert [one.name for one in chosen("other", Tier.T0).collectors] == ["other"]
    with pytest.raises(click.ClickException, match="other reads nothing at t3: choose --tier t0"):
        chosen("other", Tier.T3)
    with pytest.raises(click.ClickException, match="there is no collector 'ups', but other, ports"):
        chosen("ups", Tier.T0)
