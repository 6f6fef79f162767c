"""What makes a device degraded: its answers, its speed, its CPU, and ourselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtd.model.device import Outcome, Severity
from mtd.model.metric import Lane, Tier
from mtd.model.observation import StateChange
from mtd.scheduler.guards import CpuGuard
from mtd.scheduler.health import DeviceHealth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mtd.ingest.recorder import Recorder
    from mtd.model.command import Reply, Trap
    from mtd.model.device import Device
    from mtd.model.observation import FrameValues, OutcomeReport
    from mtd.scheduler.config import SchedulerConfig

CPU_LOAD = "system.cpu.load_pct"
_SLOW_POLLS_TO_DEGRADE = 5
_REFUSAL_ADVICE = {
    Outcome.NOT_PERMITTED: "user {user} may not read {menus}; give its group the right",
    Outcome.TIMED_OUT: "{menus} was not answered in time; look at the router's load",
    Outcome.REPLY_TOO_LARGE: "{menus} has more rows than we read; raise the cap if they are wanted",
    Outcome.COMMAND_FAILED: "{menus} was answered with an error; see the events",
}


class Conditions:
    """Follows one device's polls, and reports each reason to be degraded as it comes and goes."""

    def __init__(
        self, device: Device, health: DeviceHealth, recorder: Recorder, settings: SchedulerConfig
    ) -> None:
        self._device = device
        self._health = health
        self._recorder = recorder
        self._settings = settings
        self._guard = CpuGuard(
            settings.cpu_guard_pct, settings.cpu_guard_release_pct, settings.cpu_guard_polls
        )
        self._cpu_position: tuple[int, int | None] = (0, None)  # layout id, position among the gauges
        self._slow_polls = 0

    @property
    def cpu_is_high(self) -> bool:
        """Whether the router is to be left alone but for live values."""
        return self._guard.active

    def follow_refusals(self, tier: Tier, refused: Sequence[Reply]) -> None:
        """Degrade while commands are denied, too slow or too large; a menu may be missing, or not asked."""
        if not refused and not self._health.degraded:
            return
        causes: dict[Outcome, list[str]] = {}
        no_login = ""
        for reply in refused:
            if reply.trap is not None and reply.trap.no_login:
                no_login = reply.trap.message
            elif reply.trap is not None and not (reply.trap.no_such_command or reply.trap.not_served):
                causes.setdefault(_outcome_of(reply.trap), []).append(reply.command.path)
        for outcome, advice in _REFUSAL_ADVICE.items():
            if outcome in causes:
                text = advice.format(user=self._device.username, menus=", ".join(causes[outcome]))
                self.set(f"{outcome}.{tier}", outcome, text)
            else:
                self.clear(f"{outcome}.{tier}")
        if no_login:
            self.set(f"no_login.{tier}", Outcome.LOGIN_FAILED, no_login)
        else:
            self.clear(f"no_login.{tier}")

    def follow_slowness(self, passed: int, interval_s: float) -> None:
        """Degrade after polls in a row that took longer than their interval."""
        self._slow_polls = self._slow_polls + 1 if passed else 0
        if self._slow_polls >= _SLOW_POLLS_TO_DEGRADE:
            self.set("slow", Outcome.TIMED_OUT, f"answers slower than the {interval_s:g} s between polls")
        elif not passed:
            self.clear("slow")

    def follow_cpu(self, frame: FrameValues | None) -> None:
        """Take the CPU load of a live poll; say when the guard begins and ends to act."""
        load = None if frame is None else self._cpu_load(frame)
        if load is None or not self._guard.update(load):
            return
        settings, before = self._settings, self._health.status
        active = self._guard.active
        if active:
            text = (
                f"CPU load {load:.0f} % is over {settings.cpu_guard_pct:.0f} %: only live values are polled"
            )
            self.set("cpu", Outcome.BUSY, text)
        else:
            text = (
                f"CPU load {load:.0f} % is under {settings.cpu_guard_release_pct:.0f} %:"
                " all tiers are polled again"
            )
            self.clear("cpu")
        if self._health.status is not before:
            return  # the change of status is an event and says the same
        self._recorder.record_event(
            StateChange(
                event_type="device.polling.reduced" if active else "device.polling.restored",
                severity=Severity.WARNING if active else Severity.INFO,
                entity_type="device",
                entity_id=self._device.device_id,
                entity_label=self._device.name,
                field="polling",
                old="full" if active else "live only",
                new="live only" if active else "full",
                message=text,
            ),
            self._device,
        )

    def set(self, key: str, outcome: Outcome, reason: str) -> None:
        """Let a reason stand, by a key to take it back."""
        self.report(self._health.degrade(key, outcome, reason))

    def clear(self, key: str) -> None:
        """Take a reason back."""
        self.report(self._health.restore(key))

    def report(self, report: OutcomeReport | None) -> None:
        """Record a report, if there is one."""
        if report is not None:
            self._recorder.record_outcome(self._device, report)

    def _cpu_load(self, frame: FrameValues) -> float | None:
        layout_id, position = self._cpu_position
        if layout_id != frame.layout.layout_id:
            names = [series.metric for series in frame.layout.lane(Lane.GAUGE)]
            position = names.index(CPU_LOAD) if CPU_LOAD in names else None
            self._cpu_position = (frame.layout.layout_id, position)
        return None if position is None else frame.gauges[position]


def _outcome_of(trap: Trap) -> Outcome:
    if trap.not_permitted:
        return Outcome.NOT_PERMITTED
    if trap.timed_out:
        return Outcome.TIMED_OUT
    return Outcome.REPLY_TOO_LARGE if trap.too_large else Outcome.COMMAND_FAILED
