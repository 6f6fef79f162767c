from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from mtd.api.console.reading import Reading
from mtd.api.console.static import Assets
from mtd.api.interfaces import ConsoleBackend
from mtd.core.errors import MtdError, NotFound, Refused
from mtd.model.command import Command, Reply, Rows
from mtd.model.device import DeviceStatus, TlsMode
from mtd.model.metric import Lane
from mtd.model.watching import NOT_WATCHING
from mtd.queries.health import Outage, segments_of, unwatched
from mtd.queries.logs import LogLineView
from mtd.queries.records import (
    DeviceDetail,
    DeviceView,
    HealthSegment,
    InterfaceRow,
    RangeAnswer,
    SeriesPoints,
)
from mtd.scheduler.account import Account
from mtd.storage.stores.device_settings import DeviceSettings
from mtd.testing import run_async
from tests.unit.api.console.kit import BOSS, FakeClock, FakeConsoleReads, Scene
from tests.unit.api.fakes import CATALOGUE, assert_same_signatures, event

DEVICE = "00000000-0000-4000-8000-0000000000aa"


def make(backend: FakeConsoleReads, account: Account | None = None) -> Reading:
    intervals = {"t0": 1.0, "t1": 10.0, "t2": 60.0, "t3": 900.0}
    return Reading(
        backend,
        CATALOGUE,
        lambda tenant_id: Scene().world.own,
        lambda: intervals,
        5.0,
        FakeClock(),
        account=lambda _: account,
    )


def read(
    page: str,
    backend: FakeConsoleReads | None = None,
    account: Account | None = None,
    **given: str | list[str],
) -> Any:
    arguments = {name: [value] if isinstance(value, str) else value for name, value in given.items()}
    return json.loads(run_async(make(backend or FakeConsoleReads(), account).read(BOSS, page, arguments)))


def test_the_fake_is_what_it_stands_for() -> None:
    assert_same_signatures(ConsoleBackend, FakeConsoleReads)


def test_a_device_tells_which_interfaces_are_ports() -> None:
    backend = FakeConsoleReads()
    settings = DeviceSettings(name="r1", host="192.0.2.1", username="u", tls_mode=TlsMode.OFF)
    ports = [InterfaceRow(f"*{n}", kind, "", kind, kind, 1, {}) for n, kind in enumerate(("ether", "bridge"))]
    backend.details[DEVICE] = DeviceDetail(DeviceView(DEVICE, "t", settings, 1, 1, 1), "", "", (), ports)
    told = read(f"devices/{DEVICE}", backend)["interfaces"]
    assert [(one["type"], one["physical"]) for one in told] == [("ether", True), ("bridge", False)]


def test_a_device_tells_how_its_interfaces_are_read_and_what_that_costs() -> None:
    backend = FakeConsoleReads()
    settings = DeviceSettings(name="r1", host="192.0.2.1", username="u", tls_mode=TlsMode.OFF)
    port = InterfaceRow(
        "*1", "ether1", "", "ether1", "ether", 1, {}, "t1", "rest", "others were chosen", None
    )
    backend.details[DEVICE] = DeviceDetail(DeviceView(DEVICE, "t", settings, 1, 1, 1), "", "", (), [port])
    assert read(f"devices/{DEVICE}", backend)["cost"] is None
    account, command = Account(), Command("/interface/print")
    answer = Reply(command, Rows(30), 0.0, 0, 0.5, 900, sent_bytes=90)
    busy_s = account.ended(0.5, (1, 90, 900), account.sent(0.0))
    account.costs.answered([answer], {command: ("interfaces",)}, busy_s)
    told = read(f"devices/{DEVICE}", backend, account)
    (one,) = told["interfaces"]
    assert (one["tier"], one["reason"], one["why"]) == ("t1", "rest", "others were chosen")
    cost = told["cost"]
    assert cost["counted_s"] == 1000.0
    assert [category["category"] for category in cost["categories"]] == ["interfaces", "mtd"]
    assert cost["categories"][0] == {
        "category": "interfaces",
        "commands_per_h": 3.6,
        "received_bytes_per_h": 3240,
        "sent_bytes_per_h": 324,
        "rows_per_h": 108.0,
        "busy_s_per_h": 1.8,
    }
    assert cost["total"]["busy_s_per_h"] == 1.8


def test_history_is_bounded_and_exact() -> None:
    backend = FakeConsoleReads()
    points = SeriesPoints("m", "*1", Lane.COUNTER, "ether1", "k", "bytes", [1, 2], counters=[5, 2**60])
    rates = SeriesPoints("r", "*1", Lane.RATE, "ether1", "l", "bits", [1, 2], values=[5.0, float("nan")])
    backend.answer = RangeAnswer([points, rates], 7)
    told = read(f"devices/{DEVICE}/history", backend, metric=["m", "r*"], seconds="60", points="10")
    assert backend.asked == [(DEVICE, ("m", "r*"), 940_000_000, 1_000_000_000, 10)]
    assert told["bucket_us"] == 7
    assert told["series"][0]["v"] == [5, str(2**60)]
    assert told["series"][1]["v"] == [5.0, None]


def test_history_in_buckets_tells_the_largest_of_each() -> None:
    backend = FakeConsoleReads()
    rates = SeriesPoints(
        "r", "*1", Lane.RATE, "ether1", "l", "bits", np.array([10, 20]), np.array([5.0, np.nan]),
        maximum=np.array([9.5, np.inf]),
    )  # fmt: skip
    backend.answer = RangeAnswer([rates], 10)
    (series,) = read(f"devices/{DEVICE}/history", backend, metric="r")["series"]
    assert (series["t_us"], series["v"], series["max"]) == ([10, 20], [5.0, None], [9.5, None])


def test_older_events_go_on_from_a_position() -> None:
    backend = FakeConsoleReads()
    backend.events = [event(9), event(8), event(7)]
    told = read("events", backend, limit="2")
    assert [one["position"] for one in told["events"]] == [9, 8]
    assert (told["before"], told["position"]) == (8, 9)
    assert read("events", backend, limit="5", before="10")["before"] is None
    read(f"devices/{DEVICE}/events", backend)
    # How far a list reaches is looked at before it is read, and over all devices: the live channel goes on from there.
    newest = (None, 1, None)
    assert backend.asked == [newest, (None, 2, None), (10, 5, None), newest, (None, 100, DEVICE)]
    assert "position" not in read("events", backend, before="10")
    assert (
        len(read("events", backend, before=str(2**63 - 1))["events"]) == 3
    )  # the greatest position there can be
    assert read("events", FakeConsoleReads())["position"] == 0


LINE = LogLineView(
    5, DEVICE, "r1", "192.0.2.1", 6, ["interface"], "ether1 link down", "interface ether1 link down",
    "interface.oper.changed", "interface", "ether1", "running", "up", "down", {"interface": "ether1"}, 0, "5/x/1/0",
)  # fmt: skip


def test_lines_of_logs_are_asked_for_by_what_they_are() -> None:
    backend = FakeConsoleReads()
    backend.lines = [LINE, LINE]
    page = read(
        "logs", backend, contains="ether1", event=["interface.*"], severity="6", device=DEVICE, limit="1"
    )
    assert page["older"] == "5/x/1/0"
    assert page["lines"][0]["text"] == "ether1 link down"
    assert page["lines"][0]["severity"] == 6
    ((wanted, after, limit),) = backend.asked
    assert (wanted.contains, wanted.event_types, wanted.severity) == ("ether1", ("interface.*",), 6)
    assert wanted.devices == (DEVICE,)
    assert (wanted.end_us - wanted.start_us, after, limit) == (min(wanted.end_us, 86_400_000_000), "", 1)
    assert read("logs", backend, older="5/x/1/0")["older"] is None
    assert backend.asked[-1][1] == "5/x/1/0"
    for wrong in ({"severity": "8"}, {"contains": ["a", "b"]}, {"q": "x"}, {"limit": "501"}):
        with pytest.raises(Refused):
            read("logs", backend, **wrong)  # type: ignore[arg-type]


def test_the_catalogue_says_what_states_mean() -> None:
    metrics = {one["key"]: one for one in read("catalogue")["metrics"]}
    assert metrics["iface.oper_state"]["states"] == {"0": "down", "1": "up"}
    assert metrics["iface.rx_bps"]["kind"] == "rate"


@pytest.mark.parametrize(
    ("page", "given", "error"),
    [
        ("nothing", {}, NotFound), ("devices", {}, NotFound), ("devices/x", {}, NotFound),
        (f"devices/{DEVICE}", {}, NotFound), (f"devices/{DEVICE}/torch", {}, NotFound),
        (f"devices/{DEVICE}/history", {}, Refused),
        (f"devices/{DEVICE}/history", {"metric": "a", "seconds": "0"}, Refused),
        (f"devices/{DEVICE}/history", {"metric": "a", "seconds": "1e3"}, Refused),
        (f"devices/{DEVICE}/history", {"metric": "a", "seconds": "99999999"}, Refused),
        (f"devices/{DEVICE}/history", {"metric": "a", "points": "2001"}, Refused),
        (f"devices/{DEVICE}/history", {"metric": ["a"] * 201}, Refused),
        (f"devices/{DEVICE}/history", {"metric": "a" * 2000}, Refused),
        (f"devices/{DEVICE}/history", {"metric": "a", "what": "b"}, Refused),
        ("events", {"limit": "501"}, Refused), ("events", {"before": "-1"}, Refused),
        ("events", {"before": ["1", "2"]}, Refused), ("events", {"before": "9" * 30}, Refused),
        (f"devices/{DEVICE}/health", {"seconds": "x"}, Refused),
    ],
)  # fmt: skip
def test_what_can_not_be_answered_is_told(page: str, given: dict[str, Any], error: type[MtdError]) -> None:
    backend = FakeConsoleReads()
    with pytest.raises(error):
        read(page, backend, **given)
    assert backend.asked == []


def test_segments_have_no_gaps_and_no_doubles() -> None:
    up, down = DeviceStatus.UP, DeviceStatus.DOWN
    changes = [
        (0, "unknown", ""),
        (10, "up", "ok"),
        (10, "up", "ok"),
        (20, "down", "refused"),
        (30, "down", "refused"),
    ]
    assert segments_of(changes, 40) == [
        HealthSegment(0, 10, DeviceStatus.UNKNOWN, ""),
        HealthSegment(10, 20, up, "ok"),
        HealthSegment(20, 40, down, "refused"),
    ]
    # Known from the first moment on.
    assert segments_of([(0, "unknown", ""), (0, "up", "ok")], 5) == [HealthSegment(0, 5, up, "ok")]


def test_health_is_not_told_of_the_future() -> None:
    backend = FakeConsoleReads()
    told = read(f"devices/{DEVICE}/health", backend, seconds="60", end_us="1030000000")
    assert backend.asked == [(DEVICE, 970_000_000, 1_000_000_000)]
    assert told["end_us"] == 1_000_000_000
    read(f"devices/{DEVICE}/health", backend, seconds="60", end_us="5000000000")
    assert backend.asked[1] == (DEVICE, 1_000_000_000, 1_000_000_000)


def test_what_happened_while_nobody_watched_is_unknown() -> None:
    def back(second: int) -> tuple[int, str, str]:
        return second, "up", "ok"

    changes = [back(0), (50, "down", "refused")]
    assert unwatched(changes, [Outage(10, back(20))]) == [
        back(0), (10, "unknown", NOT_WATCHING), back(20), (50, "down", "refused"),
    ]  # fmt: skip
    # It was down while nobody looked, which nobody knows; and came back as it is told anyhow.
    assert unwatched(changes, [Outage(10, (50, "down", "refused"))])[-1] == (50, "down", "refused")
    assert unwatched(changes, [Outage(60, None)])[-1] == (60, "unknown", NOT_WATCHING)
    # Over before the span, never known, or two one after the other without a poll in between.
    assert unwatched(changes, [Outage(-5, back(-1))]) == changes
    assert unwatched([(0, "unknown", "")], [Outage(10, back(20))]) == [(0, "unknown", "")]
    twice = unwatched(changes, [Outage(10, back(40)), Outage(30, back(40))])
    assert segments_of(twice, 45) == [
        HealthSegment(0, 10, DeviceStatus.UP, "ok"),
        HealthSegment(10, 40, DeviceStatus.UNKNOWN, NOT_WATCHING),
        HealthSegment(40, 45, DeviceStatus.UP, "ok"),
    ]


def test_files_are_known_by_name_and_read_again_when_built_anew(tmp_path: Any) -> None:
    assets = Assets(tmp_path)
    assets.refresh()
    assert assets.get("index.html") is None
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets/app-1.js").write_text("x" * 1000)
    (tmp_path / "assets/secret.py").write_text("no")
    (tmp_path / "index.html").write_text("<html>")
    (tmp_path / "link.txt").symlink_to("/etc/passwd")
    assets.refresh()
    script = assets.get("assets/app-1.js")
    assert script is not None
    assert script.hashed
    assert script.packed is not None
    assert len(script.packed) < 100
    page = assets.get("index.html")
    assert page is not None
    assert not page.hashed
    for name in ("link.txt", "assets/secret.py", "../x", "/etc/passwd", "assets/../index.html"):
        assert assets.get(name) is None
