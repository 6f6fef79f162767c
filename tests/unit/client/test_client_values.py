from __future__ import annotations

import datetime as dt
import math
import subprocess
import sys

import pytest

from mtd.client import AsyncMtdClient, MtdClient, MtdClientError
from mtd.client import requests as client_requests
from mtd.client.errors import error_of
from mtd.client.live import LayoutBook
from mtd.client.resume import CAP_S, Resume
from mtd.client.values import event_of, moment, word
from mtd.pb.common.v1 import device_pb2, series_pb2
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb


def test_importing_the_client_imports_no_grpc_and_nothing_of_the_daemon() -> None:
    """A process that forks later may import it: gRPC doesn't survive a fork."""
    code = (
        "import sys, mtd.client; c = mtd.client.MtdClient(); a = mtd.client.AsyncMtdClient();"
        "print([m for m in sys.modules if m.split('.')[0] in ('grpc', 'twisted', 'pydantic', 'txpostgres')"
        " or m.startswith('mtd.') and not m.startswith(('mtd.client', 'mtd.pb'))])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert found.stdout.strip() == "[]"


# -- live values ------------------------------------------------------------------


def layout(
    number: int, device_id: str = "d1", group: str = "t0", label: str = "ether1"
) -> pb.StreamLatestResponse:
    def info(metric: str, lane: int) -> pb.SeriesInfo:
        return pb.SeriesInfo(
            key=f"iface.{label}.{metric}", series={"metric": metric, "instance": "*1", "lane": lane}, label=label, unit="u"
        )  # fmt: skip

    series = [
        info("state", series_pb2.LANE_GAUGE),
        info("rx", series_pb2.LANE_COUNTER),
        info("bps", series_pb2.LANE_RATE),
        info("tx", series_pb2.LANE_COUNTER),
    ]
    return pb.StreamLatestResponse(
        layout=pb.StreamLayout(
            layout=number, device_id=device_id, device_name="r1", poll_group=group, series=series
        )
    )


def update(number: int, **values: object) -> pb.StreamLatestResponse:
    filled = {
        "counters": [2**62 + 1, 5],
        "gauges": [1.0],
        "rates": [8.5],
        "collected_at_us": 1_700_000_000_000_001,
    }
    return pb.StreamLatestResponse(update=pb.LatestUpdate(**{"layout": number} | filled | values))


def test_samples_carry_names_exact_integers_and_exact_times() -> None:
    book = LayoutBook()
    assert book.take(layout(1)) == []
    (frame,) = book.take(update(1))
    samples = list(frame.samples())
    assert [(one.metric, one.value, one.value_int) for one in samples] == [
        ("state", 1.0, None),
        ("rx", float(2**62 + 1), 2**62 + 1),
        ("bps", 8.5, None),
        ("tx", 5.0, 5),
    ]
    assert samples[1].key == "iface.ether1.rx"
    assert samples[0].collected_at == dt.datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=dt.UTC)


def test_what_is_absent_gives_no_sample() -> None:
    book = LayoutBook()
    book.take(layout(1))
    (frame,) = book.take(update(1, counters_present=b"\x02", gauges=[math.nan], rates=[math.nan]))
    assert [(one.metric, one.value_int) for one in frame.samples()] == [("tx", 5)]


def test_a_new_layout_of_a_group_replaces_the_old_one() -> None:
    book = LayoutBook()
    book.take(layout(1))
    book.take(layout(2, device_id="d2"))
    book.take(layout(3, label="wan"))
    assert book.take(update(1)) == []
    (first,), (second,) = book.take(update(3)), book.take(update(2))
    assert (first.layout.series[0].label, second.layout.device_id) == ("wan", "d2")


def test_numbers_of_an_earlier_stream_mean_nothing() -> None:
    book = LayoutBook()
    book.take(layout(1, device_id="d1"))
    book.take(layout(2, device_id="d2"))
    book.clear()
    book.take(layout(1, device_id="d2"))
    book.take(layout(2, device_id="d1"))
    frames = [frame for number in (1, 2) for frame in book.take(update(number))]
    assert [frame.layout.device_id for frame in frames] == ["d2", "d1"]


def test_batches_are_read_like_single_messages() -> None:
    batch = pb.LatestBatch(
        layouts=[layout(1).layout, layout(2, device_id="d2").layout],
        updates=[update(2).update, update(1).update, update(7).update],
    )
    frames = LayoutBook().take(pb.StreamLatestResponse(batch=batch))
    assert [frame.layout.device_id for frame in frames] == ["d2", "d1"]


# -- requests -----------------------------------------------------------------------


def test_settings_are_words() -> None:
    call = client_requests.create_device(
        "pw", {"name": "r1", "host": "h", "username": "u", "interface_naming": "both"}
    )
    assert call.request.settings.tls_mode == device_pb2.TLS_MODE_OFF
    assert call.request.settings.enabled
    assert call.request.settings.interface_naming == device_pb2.INTERFACE_NAMING_BOTH
    assert call.request.password == "pw"


def test_an_update_masks_what_is_given_and_nothing_else() -> None:
    call = client_requests.update_device("r1", "", 7, {"tls_mode": "pinned", "enabled": False})
    assert list(call.request.update_mask.paths) == ["enabled", "tls_mode"]
    assert (call.request.revision, call.request.settings.enabled) == (7, False)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"tls_mode": "sometimes"}, "off, verify, pinned, anonymous, insecure"),
        ({"tls_mode": "unspecified"}, "isn't one of"),
        ({"colour": "red"}, "colour"),
        ({"port": -1}, "settings that can't be sent"),
        ({"name": 5}, "settings that can't be sent"),
    ],
)
def test_settings_that_can_not_be_sent_are_told(settings: dict[str, object], told: str) -> None:
    with pytest.raises(MtdClientError, match=told) as failed:
        client_requests.create_device("", settings)
    assert failed.value.code == "INVALID_ARGUMENT"


def test_a_connection_test_has_one_target() -> None:
    for device, settings in (("", {}), ("r1", {"host": "h"})):
        with pytest.raises(MtdClientError, match="one of both"):
            client_requests.test_connection(device, "", settings)


def test_times_are_exact_and_have_a_zone() -> None:
    when = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.timezone(dt.timedelta(hours=3)))
    assert moment(client_requests.microseconds(when)) == when
    assert client_requests.microseconds(17) == 17
    with pytest.raises(MtdClientError, match="no time zone"):
        client_requests.microseconds(dt.datetime(2026, 1, 2))


def test_words_of_newer_daemons_are_unknown() -> None:
    assert word(device_pb2.DeviceStatus, 2, "DEVICE_STATUS_") == "degraded"
    assert word(device_pb2.DeviceStatus, 0, "DEVICE_STATUS_") == "unknown"
    assert word(device_pb2.DeviceStatus, 99, "DEVICE_STATUS_") == "unknown"
    assert event_of(pb.Event(position=1)).severity == "info"


# -- errors, back-off -----------------------------------------------------------------


class Failed:
    """What both kinds of gRPC errors have."""

    def __init__(self, code: str, details: str, metadata: tuple[tuple[str, str], ...] = ()) -> None:
        import grpc

        self._code, self._details, self._metadata = grpc.StatusCode[code], details, metadata

    def code(self) -> object:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._metadata


def test_errors_carry_code_reason_and_hint() -> None:
    error = error_of(
        Failed("ABORTED", "changed", (("mtd-reason", "CONFLICT"), ("mtd-hint", "read 100%25"))), "h:1"
    )
    assert (error.code, error.reason, error.hint) == ("ABORTED", "CONFLICT", "read 100%")
    assert str(error) == "changed (read 100%)"
    assert not error.is_retryable


def test_a_daemon_that_is_not_reached_is_told_in_words() -> None:
    error = error_of(Failed("UNAVAILABLE", "failed to connect to all addresses; ipv4:..."), "10.0.0.1:50051")
    assert str(error).startswith("can't reach mtd at 10.0.0.1:50051 (is the daemon running")
    assert error.is_retryable
    ours = error_of(Failed("UNAVAILABLE", "the database is away", (("mtd-reason", "RETRYABLE"),)), "h:1")
    assert str(ours) == "the database is away"


def test_back_off_grows_to_its_cap_and_starts_again() -> None:
    resume = Resume(clock=lambda: 0.0)
    away = MtdClientError("away", code="UNAVAILABLE")
    delays = [resume.delay_after(away) for _ in range(40)]
    assert all(0 < delay <= CAP_S for delay in delays)
    assert delays[0] <= 0.1
    assert min(delays[-5:]) >= CAP_S / 2
    resume.succeeded()
    assert resume.delay_after(away) <= 0.1


def test_giving_up_counts_from_the_last_answer() -> None:
    now = [0.0]
    resume = Resume(give_up_after_s=10.0, clock=lambda: now[0])
    away = MtdClientError("away", code="UNAVAILABLE")
    resume.delay_after(away)
    now[0] = 9.0
    resume.delay_after(away)
    resume.succeeded()
    now[0] = 15.0
    resume.delay_after(away)
    now[0] = 25.0
    with pytest.raises(MtdClientError, match="away"):
        resume.delay_after(away)


def test_what_will_not_get_better_is_raised_at_once() -> None:
    with pytest.raises(MtdClientError, match="no such"):
        Resume().delay_after(MtdClientError("no such device", code="NOT_FOUND"))
    with pytest.raises(MtdClientError, match="away"):
        Resume(give_up_after_s=0).delay_after(MtdClientError("away", code="UNAVAILABLE"))


UNDERNEATH = ("begin", "raw_stream")
"""What collectors call their hub by, from a loop."""


def test_both_clients_offer_the_same_calls() -> None:
    def offered(kind: type) -> dict[str, object]:
        return {
            name: sorted(getattr(kind, name).__annotations__)
            for name, value in vars(kind).items()
            if not (name.startswith("_") or isinstance(value, property) or name in UNDERNEATH)
        }

    assert offered(MtdClient) == offered(AsyncMtdClient)


def test_other_hubs_are_called_at_once_and_all_of_them_again_after_a_while() -> None:
    resume, away = Resume(), MtdClientError("away", code="UNAVAILABLE")
    delays = [resume.delay_after(away, others=2) for _ in range(6)]
    assert [delay > 0 for delay in delays] == [False, False, True] * 2
    assert resume.delay_after(MtdClientError("busy", code="RESOURCE_EXHAUSTED"), others=2) > 0


def test_the_last_attempt_is_made_when_the_time_is_up() -> None:
    now = [0.0]
    resume = Resume(give_up_after_s=5.0, clock=lambda: now[0])
    away = MtdClientError("away", code="UNAVAILABLE")

    def fail_for_ever() -> None:
        for _ in range(1000):
            now[0] += resume.delay_after(away) + 1e-3

    with pytest.raises(MtdClientError, match="away"):
        fail_for_ever()
    assert 5.0 <= now[0] < 5.1
