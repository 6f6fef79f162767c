"""Menus that a device refuses: not there, or not permitted to our user."""

from __future__ import annotations

from mtd.model.command import Command, Trap
from mtd.model.device import Device, Severity
from mtd.model.observation import Observation, StateChange


class Refusals:
    """Remembers them by command path, so that each is told once.

    A missing menu isn't asked again before the next probe. A denied one is: the
    right may be given at any time, and asking costs a line.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._missing: set[str] = set()
        self._told_missing: set[str] = set()
        self._denied: set[str] = set()

    @property
    def any(self) -> bool:
        """Whether there is anything that an answer could take back."""
        return bool(self._told_missing or self._denied)

    def is_missing(self, path: str) -> bool:
        """Whether the menu wasn't there when it was last asked."""
        return path in self._missing

    def forget_missing(self) -> None:
        """Ask again: the device was probed."""
        self._missing.clear()

    def refused(self, command: Command, trap: Trap, out: Observation) -> bool:
        """Take a refusal; return whether the menu is to be left out from now on."""
        path = command.path
        if trap.no_such_command:
            self._missing.add(path)
            if path not in self._told_missing:
                self._told_missing.add(path)
                out.state_changes.append(
                    self._event(path, "", "missing", f"{self._device.name} has no {path}")
                )
            return True
        if trap.not_permitted and path not in self._denied:
            self._denied.add(path)
            text = f"user {self._device.username} of {self._device.name} may not read {path}: {trap.message}"
            out.state_changes.append(self._event(path, "", "denied", text))
        return False

    def answered(self, command: Command, out: Observation) -> None:
        """The menu answers: take back what was told of it."""
        path = command.path
        if path in self._denied:
            self._denied.discard(path)
            text = f"user {self._device.username} of {self._device.name} may read {path} again"
            out.state_changes.append(self._event(path, "denied", "present", text))
        if path in self._told_missing:
            self._told_missing.discard(path)
            out.state_changes.append(
                self._event(path, "missing", "present", f"{self._device.name} has {path} now")
            )

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
