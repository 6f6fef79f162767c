"""Traps on their way to the recorder: those of an interface wait until it is known what that is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from mtd.codec.snmp import Notification
from mtd.codec.snmp.rules import Rule, Rules
from mtd.core.service import TaskGroup
from mtd.listeners import metrics as listener_metrics
from mtd.listeners.traps import metrics
from mtd.listeners.traps.meaning import Interface, change_of, interface_of
from mtd.listeners.traps.naming import Named, Names
from mtd.model.device import Device

if TYPE_CHECKING:
    from mtd.ingest.recorder import Recorder

# Of a device, while its names are asked for; more are passed on without a name.
_MOST_WAITING = 1000


class Trap(NamedTuple):
    """What a device told, and when that came, in microseconds since the epoch.

    ``settle`` is told whether it is on its way to the log.
    """

    device: Device
    notification: Notification
    at_us: int
    settle: Callable[[bool], None]


class Outbox:
    """Passes traps on, as what they mean. Those of the interfaces of a device stay in their order."""

    def __init__(
        self, listener: str, recorder: Recorder, rules: Rules, names: Names, tasks: TaskGroup
    ) -> None:
        self._recorder = recorder
        self._rules = rules
        self._names = names
        self._tasks = tasks
        self._stored = listener_metrics.STORED.labels(listener=listener)
        self._refused = listener_metrics.DROPPED.labels(listener=listener, reason="not_recorded")
        self._understood = listener_metrics.UNDERSTOOD.labels(listener=listener)
        self._waiting: dict[str, list[tuple[Trap, Rule]]] = {}

    def put(self, trap: Trap) -> None:
        """Take a trap."""
        rule = self._rules.find(trap.notification.trap)
        if rule is None or not rule.wants_interface:
            self._record(trap, rule, {})
            return
        waiting = self._waiting.get(trap.device.device_id)
        if waiting is not None and len(waiting) < _MOST_WAITING:
            waiting.append((trap, rule))
            return
        names = self._names.known(trap.device)
        if waiting is not None or names is not None:
            self._record(trap, rule, names or {})
            return
        self._waiting[trap.device.device_id] = [(trap, rule)]
        self._tasks.spawn("names", self._ask(trap.device))

    def flush(self) -> None:
        """Pass on what still waits for a name, without one."""
        for device_id in list(self._waiting):
            self._settle(device_id, {})

    async def _ask(self, device: Device) -> None:
        self._settle(device.device_id, await self._names.ask(device))

    def _settle(self, device_id: str, names: Named) -> None:
        for trap, rule in self._waiting.pop(device_id, ()):
            self._record(trap, rule, names)

    def _record(self, trap: Trap, rule: Rule | None, names: Named) -> None:
        told = interface_of(trap.notification, trap.device.code_page)
        name, label = names.get(told.id, (told.name, told.name))
        interface = Interface(told.id, name, label)
        if rule is not None:
            self._understood.inc()
            if rule.wants_interface and not interface.name:
                metrics.UNNAMED.inc()
        change = change_of(trap.notification, trap.device, rule, interface)
        taken = self._recorder.record_pushed_event(trap.device, change, trap.at_us)
        (self._stored if taken else self._refused).inc()
        trap.settle(taken)
