"""Reports are made of failures and of changes, not of success after success."""

from mtd.model.device import DeviceStatus, Outcome
from mtd.scheduler.health import DeviceHealth


def test_the_first_success_is_news_and_the_second_is_not() -> None:
    health = DeviceHealth()
    report = health.succeeded("t0")
    assert report is not None
    assert report.status is DeviceStatus.UP
    assert health.succeeded("t0") is None


def test_every_failure_is_reported_with_its_number() -> None:
    health = DeviceHealth()
    reports = [health.failed(Outcome.REFUSED, "no", retry_in_s=1.0) for _ in range(3)]
    assert [report.consecutive_failures for report in reports] == [1, 2, 3]
    assert {report.status for report in reports} == {DeviceStatus.DOWN}


def test_recovery_tells_what_was_missed() -> None:
    health = DeviceHealth()
    health.failed(Outcome.TIMED_OUT, "silent")
    report = health.succeeded("t0", missed=42)
    assert report is not None
    assert (report.status, report.polls_missed) == (DeviceStatus.UP, 42)


def test_a_reason_degrades_until_it_is_taken_back() -> None:
    health = DeviceHealth()
    health.succeeded("t0")
    report = health.degrade("cpu", Outcome.BUSY, "CPU at 95 %")
    assert report is not None
    assert (report.status, report.reason) == (DeviceStatus.DEGRADED, "CPU at 95 %")
    assert health.degrade("cpu", Outcome.BUSY, "CPU at 95 %") is None
    back = health.restore("cpu")
    assert back is not None
    assert back.status is DeviceStatus.UP
    assert health.restore("cpu") is None


def test_down_is_not_softened_by_a_reason_to_be_degraded() -> None:
    health = DeviceHealth()
    health.failed(Outcome.REFUSED, "no")
    assert health.degrade("slow", Outcome.TIMED_OUT, "slow") is None
    assert health.status is DeviceStatus.DOWN
