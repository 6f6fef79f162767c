"""Tells which way serves a device: as events, as a reason to be degraded, and as what is there now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mtd.model.device import Device, Severity, Way
from mtd.model.observation import Observation, StateChange, TableChange
from mtd.model.ways import TABLE, WayState, states_of
from mtd.model.ways import Standing as Stands

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.ingest.recorder import Recorder
    from mtd.scheduler.conditions import Conditions
    from mtd.sources.standing import Fall, Standing

_NAMES = {Way.API: "API", Way.REST: "REST", Way.SNMP: "SNMP"}
_KEY = "way"


class WayFollower:
    """Follows one device's ways. Says what is new once, also over a restart of mtd."""

    def __init__(self, device: Device, recorder: Recorder, conditions: Conditions, clock: Clock) -> None:
        self._device = device
        self._recorder = recorder
        self._conditions = conditions
        self._clock = clock
        self._served: Way | None = None  # by the last event, or before mtd was started
        self._told: tuple[WayState, ...] = ()

    def restore(self, rows: Mapping[str, Mapping[str, str]]) -> str:
        """Take what was told before mtd was started; return what the router had said of where REST is."""
        self._told = tuple(states_of(rows))
        self._served = next((s.way for s in self._told if s.standing is Stands.SERVES), None)
        return next((state.told for state in self._told if state.way is Way.REST), "")

    def follow(self, standing: Standing) -> bool:
        """Take how the ways stand; return whether another one serves than before."""
        self._tell_states(standing)
        now = standing.serves
        if now is None:
            return False
        before = self._served or standing.best
        self._served = now
        if now is before:
            return False
        self._recorder.record_event(self._event(before, standing), self._device)
        return True

    def follow_condition(self, standing: Standing) -> None:
        """Degrade the device while its best way is closed and another serves."""
        if standing.fall is not None and standing.serves is not None:
            text = f"{_described(standing.fall)}; {_NAMES[standing.serves]} serves"
            self._conditions.set(_KEY, standing.fall.outcome, text)
        else:
            self._conditions.clear(_KEY)

    def _tell_states(self, standing: Standing) -> None:
        used = [state for state in standing.states if state.standing is not Stands.UNUSED]
        if standing.states == self._told or (len(used) < 2 and not self._told):
            return  # of a device with one way the status says all
        self._told = standing.states
        rows = {state.way.value: state.fields() for state in standing.states}
        change = TableChange(TABLE, complete=True, upserted=rows)
        self._recorder.record(self._device, Observation(self._clock.now_us(), tables=[change]))

    def _event(self, before: Way, standing: Standing) -> StateChange:
        now = standing.serves
        assert now is not None
        name, fall = self._device.name, standing.fall
        if fall is not None:
            why = f": {_described(fall)}"
        else:
            why = f": {_NAMES[now]} opened" if standing.best is now else ""
        return StateChange(
            event_type="device.way.changed",
            severity=Severity.INFO if fall is None else Severity.WARNING,
            entity_type="device",
            entity_id=self._device.device_id,
            entity_label=name,
            field="way",
            old=before.value,
            new=now.value,
            message=f"{name} is asked over {_NAMES[now]} now, not over {_NAMES[before]}{why}",
        )


def _described(fall: Fall) -> str:
    return f"{_NAMES[fall.way]} {fall.outcome.replace('_', ' ')}: {fall.reason}"
