"""What a device's status is, and which polls it missed. Pure: time is passed in."""

from __future__ import annotations

from mtd.model.device import DeviceStatus, Outcome
from mtd.model.observation import OutcomeReport


class DeviceHealth:
    """Follows the outcomes of one device and says when there is something to report.

    A device is up when it is polled in time, degraded while a reason stands
    beside it ("its CPU is at 95 %"), down from its first failure on. Every
    failure is reported, and every change of status; success after success is not.
    """

    def __init__(self) -> None:
        self.status = DeviceStatus.UNKNOWN
        self.failures = 0
        self._reasons: dict[str, tuple[Outcome, str]] = {}

    @property
    def degraded(self) -> bool:
        """Whether any reason stands."""
        return bool(self._reasons)

    def failed(
        self, outcome: Outcome, reason: str, *, poll_group: str = "", missed: int = 0, retry_in_s: float = 0.0
    ) -> OutcomeReport:
        """Count a failure; ``missed`` polls were due and not made since the last report."""
        self.failures += 1
        self.status = DeviceStatus.DOWN
        self._reasons.clear()
        return OutcomeReport(outcome, self.status, poll_group, reason, self.failures, missed, retry_in_s)

    def succeeded(self, poll_group: str, *, missed: int = 0) -> OutcomeReport | None:
        """Take a poll that was answered; return a report if that is news."""
        self.failures = 0
        if self.status in (DeviceStatus.UP, DeviceStatus.DEGRADED):
            return None
        return self._report(poll_group, missed)

    def degrade(self, key: str, outcome: Outcome, reason: str) -> OutcomeReport | None:
        """Set a reason to be degraded, by a key to take it back; return a report if it is new.

        While the device is down it is told with the first success.
        """
        if self._reasons.get(key) == (outcome, reason):
            return None
        self._reasons[key] = (outcome, reason)
        return None if self.status is DeviceStatus.DOWN else self._report("")

    def restore(self, key: str) -> OutcomeReport | None:
        """Take back a reason to be degraded; return a report if it stood."""
        if self._reasons.pop(key, None) is None or self.status is DeviceStatus.DOWN:
            return None
        return self._report("")

    def _report(self, poll_group: str, missed: int = 0) -> OutcomeReport:
        if not self._reasons:
            self.status = DeviceStatus.UP
            return OutcomeReport(Outcome.OK, self.status, poll_group, "polled in time", 0, missed)
        self.status = DeviceStatus.DEGRADED
        outcome = next(iter(self._reasons.values()))[0]
        reason = "; ".join(text for _, text in self._reasons.values())
        return OutcomeReport(outcome, self.status, poll_group, reason, 0, missed)
