"""What an edge polls without a lease, on its disk: sealed, for its owner only, whole or not at all."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.message import DecodeError

from mtd.link.devices import DeviceUnreadable, assigned_message, assigned_of
from mtd.link.metrics import DEVICES_UNREADABLE, KEPT_FAILURES
from mtd.model.assignment import AssignedDevice
from mtd.pb.collector.v1 import collector_link_service_pb2 as link_pb
from mtd.pb.collector.v1 import kept_pb2 as pb
from mtd.security.errors import KeyUnusable
from mtd.security.keyfile import MasterKey
from mtd.security.sealed_files import open_sealed, seal

logger = logging.getLogger(__name__)

# Within the seal: another sealed file of this daemon, put in the place of this one, isn't read as one.
_MARK = b"mtd-assignment-1\n"

_NEW = ".new"

Keys = Callable[[], Sequence[MasterKey]]
"""The master keys, the newest first."""


@dataclass(frozen=True, slots=True)
class TenantKey:
    """A tenant that an edge polls for. ``key``: of its pseudonyms, empty if its texts are kept as they are."""

    tenant_id: str
    key: bytes = field(repr=False)

    @classmethod
    def of(cls, message: link_pb.ServedTenant) -> TenantKey:
        """Return it as a message has it. Without a key that isn't meant to be missing, raises DeviceUnreadable."""
        if not message.pseudonym_key and not message.names_kept:
            raise DeviceUnreadable(f"there is no key for the names of the tenant {message.tenant_id}")
        return cls(message.tenant_id, b"" if message.names_kept else message.pseudonym_key)

    @property
    def message(self) -> link_pb.ServedTenant:
        """It as a message."""
        return link_pb.ServedTenant(tenant_id=self.tenant_id, pseudonym_key=self.key, names_kept=not self.key)


@dataclass(frozen=True, slots=True)
class Kept:
    """What survives a restart."""

    collector_id: str = ""
    revision: int = 0
    tenants: Mapping[str, TenantKey] = field(default_factory=dict)
    devices: Mapping[str, AssignedDevice] = field(default_factory=dict)


class KeptFile:
    """The file. All methods block: call them in a thread."""

    def __init__(self, path: Path, keys: Keys) -> None:
        self.path = path
        self._keys = keys

    def sweep(self) -> None:
        """Remove what a crash left half written: before the first writing only."""
        for leftover in self.path.parent.glob(f"{self.path.name}.*{_NEW}"):
            with suppress(OSError):
                leftover.unlink()

    def read(self) -> Kept:
        """Return what is kept; nothing if there is no file. One that can't be used is moved aside, loudly."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return Kept()
        except OSError as error:
            KEPT_FAILURES.labels(what="read").inc()
            logger.error(
                "%s can't be read (%s): this edge polls nothing until a hub answers", self.path, error
            )
            return Kept()
        try:
            return _kept_of(open_sealed(self._keys(), content, self.path), self.path)
        except KeyUnusable as error:
            KEPT_FAILURES.labels(what="read").inc()
            self._set_aside(error)
            return Kept()

    def write(self, kept: Kept) -> None:
        """Replace the file. Raises OSError, and KeyUnusable."""
        message = pb.KeptAssignment(
            collector_id=kept.collector_id,
            revision=kept.revision,
            tenants=[one.message for one in kept.tenants.values()],
            devices=map(assigned_message, kept.devices.values()),
        )
        _replace(self.path, seal(self._keys()[0], _MARK + message.SerializeToString()))

    def remove(self) -> None:
        """Remove the file. Raises OSError."""
        self.path.unlink(missing_ok=True)
        _sync(self.path.parent)

    def _set_aside(self, error: KeyUnusable) -> None:
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns() // 1_000_000_000}")
        logger.error(
            "what this edge polls without a lease can't be used, and is moved to %s; it polls nothing until a hub answers: %s",
            aside,
            error,
        )
        try:
            self.path.replace(aside)
        except OSError as failure:
            KEPT_FAILURES.labels(what="read").inc()
            logger.error("%s can't be moved aside: %s", self.path, failure)


def _kept_of(content: bytes, path: Path) -> Kept:
    if not content.startswith(_MARK):
        raise KeyUnusable(f"{path} holds something else: remove it")
    try:
        message = pb.KeptAssignment.FromString(content.removeprefix(_MARK))
    except DecodeError:
        raise KeyUnusable(f"{path} is damaged: remove it") from None
    tenants: dict[str, TenantKey] = {}
    devices: dict[str, AssignedDevice] = {}
    for tenant in message.tenants:
        try:
            tenants[tenant.tenant_id] = TenantKey.of(tenant)
        except DeviceUnreadable as error:
            logger.error("%s: %s", path, error)
    for device in message.devices:
        try:
            devices[device.device.device_id] = assigned_of(device)
        except (DeviceUnreadable, ValueError) as error:
            DEVICES_UNREADABLE.inc()
            logger.error("device %s isn't polled: %s", device.device.device_id, error)
    return Kept(message.collector_id, message.revision, tenants, devices)


def _replace(path: Path, content: bytes) -> None:
    """Write a file aside, for its owner only, and put it in the place of the one before."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=_NEW, dir=path.parent)  # mode 0600
    staging = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        staging.replace(path)
    except BaseException:
        staging.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
