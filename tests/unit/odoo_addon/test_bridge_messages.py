"""What the bridge makes of mtd's frames: complete, exact, and bounded."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from mtd.client.live import LayoutBook
from mtd.client.values import moment
from mtd.client.watching import Interface
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb
from tests.unit.odoo_addon import bridge_kit as kit
from tests.unit.odoo_addon import fake_mtd

compose, state_of, shown = kit.part("compose"), kit.part("state"), kit.part("shown")
transcript = kit.part("transcript")

T_US = 1_700_000_000_000_000


def frame(t_us: int = T_US, **values: Any) -> Any:
    """Return a frame as the client gives it."""
    update = fake_mtd.update(1, t_us)
    for name, value in values.items():
        if name == "counters_present":
            update.counters_present = value
        else:
            del getattr(update, name)[:]
            getattr(update, name).extend(value)
    book = LayoutBook()
    book.take(pb.StreamLatestResponse(layout=fake_mtd.layout(1, "a")))
    (made,) = book.take(pb.StreamLatestResponse(update=update))
    return made


def interface(number: int, name: str, *, physical: bool | None = True) -> Interface:
    return Interface(
        f"*{number}",
        name,
        "",
        "ether",
        "t0",
        1.0,
        "all",
        "all are read",
        None,
        pinned=False,
        physical=physical,
    )


def state(*interfaces: Interface) -> Any:
    made = state_of.DeviceState(42, "a", {"name": "core", "status": "up"})
    made.take_interfaces(interfaces or [interface(1, "ether1"), interface(2, "<pppoe-anna>", physical=False)])
    return made


def message(of: Any, kind: str = "full") -> Any:
    made = compose.compose(of, kind, seq=1, now_us=T_US, connected=True)
    return json.loads(json.dumps(made))


def event(position: int, **fields: Any) -> Any:
    values: dict[str, Any] = {
        "position": position,
        "collected_at": moment(T_US + position),
        "device_id": "a",
        "device_name": "core",
        "event_type": "interface.changed",
        "severity": "info",
        "message": "",
        "evidences": (),
        "replaced_positions": (),
    }
    values |= dict.fromkeys(
        ("entity_type", "entity_id", "entity_label", "field", "old_value", "new_value"), ""
    )
    return SimpleNamespace(**(values | fields))


def test_counters_stay_exact_and_what_is_absent_is_null() -> None:
    of = state()
    assert of.take_frame(frame())
    (group,) = message(of)["groups"]
    assert group["scalars"] == [["system.cpu.load_pct", "percent", 12.5]]
    assert [metric for metric, _ in group["metrics"]] == ["iface.rx_bytes_total", "iface.rx_bps"]
    assert group["rows"] == [["*1", "ether1", ["9007199254740993", 1000]], ["*2", "<pppoe-anna>", [7, None]]]


def test_a_counter_that_is_not_there_is_no_nought() -> None:
    of = state()
    of.take_frame(frame(counters=[0, 7], counters_present=b"\x02"))
    (group,) = message(of)["groups"]
    assert group["rows"][0][2][0] is None


def test_subscribers_are_for_those_who_may_see_them() -> None:
    of = state()
    of.take_frame(frame())
    of.take_event(event(1, entity_label="<pppoe-anna>"))
    of.take_event(event(2, event_type="ppp.session.started", message="anna is connected"))
    of.take_event(event(3))
    of.take_lines([{"t_us": 1, "severity": 6, "topics": [], "text": "anna logged in"}])
    plain, full = message(of, "plain"), message(of, "full")
    assert "anna" not in json.dumps(plain)
    assert "lines" not in plain
    assert [row[0] for row in plain["groups"][0]["rows"]] == ["*1"]
    assert [one["position"] for one in plain["events"]] == [3]
    assert [one["position"] for one in full["events"]] == [1, 2, 3]
    assert len(full["interfaces"]) == 2
    assert full["lines"]


def test_the_summary_is_of_physical_ports() -> None:
    of = state()
    assert message(of)["summary"]["rx_bps"] is None
    of.take_frame(frame(rates=[1000.0, 500.0]))
    summary = message(of)["summary"]
    assert summary["rx_bps"] == 1000
    assert summary["cpu_pct"] == 12.5
    assert summary["mem_pct"] is None
    assert summary["t_us"] == T_US


def test_values_never_move_back() -> None:
    of = state()
    of.take_frame(frame(T_US + 2, gauges=[3.0]))
    assert not of.take_frame(frame(T_US + 1, gauges=[9.0]))
    (group,) = message(of)["groups"]
    assert group["t_us"] == T_US + 2
    assert group["scalars"][0][2] == 3


def test_values_of_a_device_that_is_gone_are_void() -> None:
    of = state()
    of.take_frame(frame())
    of.forget_values()
    assert message(of)["groups"] == []


def test_a_large_message_leaves_out_the_least_busy_and_says_so() -> None:
    count = 2000
    reading = kit.part("reading").Reading(
        "t0",
        T_US,
        (),
        (("iface.rx_bps", "bits_per_second"),),
        tuple((f"*{number}", f"ether{number}", (number,)) for number in range(count)),
    )
    of = state(*(interface(number, f"ether{number}") for number in range(count)))
    of.readings["t0"] = reading
    made = compose.compose(of, "full", seq=1, now_us=T_US, connected=True)
    (group,) = made["groups"]
    assert len(json.dumps(made, separators=(",", ":"))) <= 64 * 1024
    assert made["more"] == count - len(group["rows"]) > 0
    assert len(made["interfaces"]) == len(group["rows"]) > 300
    assert {row[2][0] for row in group["rows"]} == set(range(made["more"], count))
    # The sum is of all of them.
    assert made["summary"]["rx_bps"] == sum(range(count))


def test_an_event_takes_the_place_of_those_before() -> None:
    of = state()
    of.take_event(event(1))
    of.take_event(event(2))
    of.take_event(event(3, replaced_positions=(1,)))
    assert [one["position"] for one in message(of)["events"]] == [2, 3]


def test_stored_events_go_below_new_ones() -> None:
    of = state()
    of.take_event(event(7))
    of.fill_events([(state_of.event_shown(event(number)), False) for number in (5, 6, 7)])
    assert [one["position"] for one in message(of)["events"]] == [5, 6, 7]


def test_a_new_status_has_no_time_of_the_old_one() -> None:
    of = state_of.DeviceState(42, "a", {"status": "up", "since_us": 5})
    told: dict[str, Any] = {
        "name": "core",
        "status_reason": "",
        "routeros_version": "7.16",
        "board_name": "",
        "identity": "",
        "intervals_s": {"t0": 5.0},
        "last_seen_at": moment(T_US),
    }
    of.take_device(SimpleNamespace(status="up", **told))
    assert message(of)["since_us"] == 5
    of.take_device(SimpleNamespace(status="down", **told))
    made = message(of)
    assert made["since_us"] is None
    of.take_status("down", "no answer", 9)
    of.take_device(SimpleNamespace(status="down", **told))
    assert message(of)["since_us"] == 9
    assert made["hz"] == 0.2
    assert made["last_seen_us"] == T_US


def test_only_what_widgets_show_is_asked_for() -> None:
    library = kit.ADDON / "static" / "src" / "lib"
    text = "".join((library / name).read_text() for name in ("kpis.js", "interfaces.js"))
    assert {metric for metric in shown.METRICS if f'"{metric}"' not in text} <= {
        "iface.rx_bps",
        "iface.tx_bps",
        *shown.ERRORS,
    }


def test_rounds_of_a_table_take_the_place_of_the_round_before() -> None:
    kept = transcript.Transcript("traceroute")
    hop = dict.fromkeys(
        ("loss_pct", "sent", "last_ms", "avg_ms", "best_ms", "worst_ms", "std_dev_ms", "status")
    )
    for section in (0, 1):
        for address in ("192.0.2.1", None):
            kept.take(SimpleNamespace(section=section, address=address, **hop))
    assert [line.strip() for line in kept.lines] == ["192.0.2.1", "*"]
    kept.take(SimpleNamespace(reason="time", rows=4, seconds=2.0))
    assert kept.lines[-1] == "stopped: its time is over after 2.0 s"


def test_a_ping_keeps_its_last_lines() -> None:
    kept = transcript.Transcript("ping")
    fields = (
        "host",
        "size_bytes",
        "ttl",
        "status",
        "sent",
        "received",
        "loss_pct",
        "min_ms",
        "avg_ms",
        "max_ms",
    )
    for number in range(transcript.MOST_LINES + 5):
        kept.take(SimpleNamespace(sequence=number, time_ms=1.25, **dict.fromkeys(fields)))
    assert len(kept.lines) == transcript.MOST_LINES
    assert kept.lines[-1] == "seq=204  time=1.25 ms"


def test_a_status_is_as_old_as_its_oldest_reason() -> None:
    since = kit.part("facts")._since

    def health(*segments: tuple[int, str]) -> Any:
        return SimpleNamespace(
            segments=[SimpleNamespace(from_us=at, status=status) for at, status in segments]
        )

    assert since(health((1, "up"), (5, "down"), (7, "down"))) == 5
    assert since(health((1, "up"), (5, "up"))) is None
    assert since(health()) is None
