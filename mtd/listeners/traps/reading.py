"""From a datagram of a device to a notification that is believed, and what is answered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtd.codec.snmp import (
    Auth,
    Engine,
    Notification,
    NotSnmp,
    Plain,
    Secured,
    Unproven,
    Version,
    plain_answer,
    read_message,
)
from mtd.codec.snmp.errors import NoTrap

if TYPE_CHECKING:
    from collections.abc import Collection

    from mtd.codec.snmp.pdu import Pdu
    from mtd.listeners.traps.credentials import Credentials
    from mtd.model.device import Device

_DIGEST_BYTES = 16


class Refused(Exception):
    """A datagram that isn't taken for a trap. ``answer``: what its sender is told, if anything.

    ``asks``: its sender only asks for what it has to know of us.
    """

    def __init__(
        self, reason: str, detail: str = "", answer: bytes | None = None, *, asks: bool = False
    ) -> None:
        super().__init__(detail or reason)
        self.reason = reason
        self.answer = answer
        self.asks = asks


@dataclass(frozen=True, slots=True)
class Heard:
    """A notification that is believed.

    ``answer``: of an inform. ``mark``: the same in each copy of a message that its sender may send again, or somebody else
    may; empty where two alike are two.
    """

    version: Version
    notification: Notification
    answer: bytes | None
    mark: bytes


class TrapReader:
    """Reads what known devices send."""

    def __init__(self, versions: Collection[Version], credentials: Credentials, engine: Engine) -> None:
        self._versions = frozenset(versions)
        self._credentials = credentials
        self._engine = engine

    def read(self, data: bytes, device: Device, now: float) -> Heard:
        """Return what a device tells. Raises Refused. ``now``: monotonic seconds."""
        try:
            message = read_message(data)
            if isinstance(message, Plain):
                return self._plain(message, device)
            return self._secured(message, device, now)
        except NoTrap as error:
            raise Refused("no_trap", error.reason) from None
        except NotSnmp as error:
            raise Refused("malformed", error.reason) from None

    def _plain(self, message: Plain, device: Device) -> Heard:
        self._check_version(message.version)
        if not self._credentials.accepts(message.community, device):
            raise Refused("wrong_community")
        pdu = message.pdu
        if not pdu.is_inform:
            return Heard(message.version, pdu.notification, None, b"")
        return Heard(message.version, pdu.notification, plain_answer(message), _mark_of(pdu, device))

    def _secured(self, message: Secured, device: Device, now: float) -> Heard:
        self._check_version(Version.V3)
        user = self._credentials.user(message.user, device)
        try:
            scoped = self._engine.open(message, user, now)
        except Unproven as unproven:
            answer = self._engine.report(message, user, unproven.reason, now)
            raise Refused(unproven.reason.value, answer=answer, asks=unproven.asks) from None
        assert user is not None  # else it isn't proven
        pdu = scoped.pdu
        if pdu.is_inform:
            answer = self._engine.answer(message, user, scoped, now)
            return Heard(Version.V3, pdu.notification, answer, _mark_of(pdu, device))
        # Who replays one within the time that the standard allows, is found out here.
        mark = b"" if user.auth is Auth.NONE else _hashed(device, message.whole)
        return Heard(Version.V3, pdu.notification, None, mark)

    def _check_version(self, version: Version) -> None:
        if version not in self._versions:
            raise Refused("version_off")


def _mark_of(pdu: Pdu, device: Device) -> bytes:
    return _hashed(device, str(pdu.request_id).encode() + b" " + pdu.raw_bindings)


def _hashed(device: Device, content: bytes) -> bytes:
    return hashlib.blake2b(device.device_id.encode() + b" " + content, digest_size=_DIGEST_BYTES).digest()
