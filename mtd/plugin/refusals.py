"""Menus that a device refuses: not there, or not permitted to our user."""

from __future__ import annotations

from mtd.model.command import Command, Trap
from mtd.model.device import Device, Severity
from mtd.model.observation import Observation, StateChange


class Refusals:
    """Remembers them by command path, so that each is told once.

    A missing menu isn't asked again before the next probe. A denied one is: the
    right may be given at any time, and asking costs a line. Commands that fail
    otherwise are a matter of the device's health, not of what it offers.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._missing: set[str] = set()
        self._told: dict[str, str] = {}  # path -> what was told of it

    @property
    def any(self) -> bool:
        """Whether there is anything that an answer could take back."""
        return bool(self._told)

    def is_missing(self, path: str) -> bool:
        """Whether the menu wasn't there when it was last asked."""
        return path in self._missing

    def forget_missing(self) -> None:
        """Ask again: the device was probed."""
        self._missing.clear()

    def refused(self, command: Command, trap: Trap, out: Observation) -> bool:
        """Take a refusal; return whether the menu is to be left out from now on."""
        path, name = command.path, self._device.name
        if trap.no_such_command:
            state, text = "missing", f"{name} has no {path}"
            self._missing.add(path)
        elif trap.not_permitted:
            state = "denied"
            text = f"user {self._device.username} of {name} may not read {path}: {trap.message}"
        else:
            return False
        old = self._told.get(path, "")
        if old != state:
            self._told[path] = state
            out.state_changes.append(self._event(path, old, state, text))
        return state == "missing"

    def answered(self, command: Command, out: Observation) -> None:
        """The menu answers: take back what was told of it."""
        old = self._told.pop(command.path, None)
        if old is not None:
            text = f"{self._device.name} answers {command.path} now"
            out.state_changes.append(self._event(command.path, old, "present", text))

    def _event(self, path: str, old: str, new: str, message: str) -> StateChange:
        return StateChange(
            event_type="device.menu.changed",
            severity=Severity.WARNING if new == "denied" else Severity.INFO,
            entity_type="menu",
            entity_id=path,
            entity_label=path,
            field="access",
            old=old,
            new=new,
            message=message,
        )
