"""Devices that can't be polled as they are stored: why, on the timeline of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mtd.model.device import Device, DeviceStatus, Outcome
from mtd.model.observation import OutcomeReport

if TYPE_CHECKING:
    from mtd.ingest.recorder import Recorder
    from mtd.storage.stores.polled import UnreadableDevice


class UnreadableDevices:
    """Tells of each once, until its reason changes."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._reasons: dict[str, str] = {}

    def report(self, unreadable: Sequence[UnreadableDevice]) -> None:
        """Take note of all that can't be read now."""
        reasons = {one.device_id: one.reason for one in unreadable}
        for one in unreadable:
            if self._reasons.get(one.device_id) == one.reason:
                continue
            # Only who it is: how to reach it can't be known, and it isn't tried.
            device = Device(one.device_id, one.tenant_id, one.name, "", 0, "", "", enabled=False)
            report = OutcomeReport(Outcome.LOGIN_FAILED, DeviceStatus.DOWN, "", one.reason)
            self._recorder.record_outcome(device, report, polled=False)
        self._reasons = reasons
