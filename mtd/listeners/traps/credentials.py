"""Who may send: communities and users, those of the settings and those by which devices are polled."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from mtd.codec.snmp import Auth, Priv, User
from mtd.codec.snmp.usm import LEAST_PASSWORD_BYTES
from mtd.core.errors import Misconfigured
from mtd.model.device import SnmpAuth, SnmpPriv, SnmpVersion

if TYPE_CHECKING:
    from mtd.listeners.traps.config import TrapsConfig, TrapUserConfig
    from mtd.model.device import Device, SnmpSettings

_MOST_USERS = 20_000


class Credentials:
    """Communities and users. ``communities``: None if any is accepted.

    Of devices only what they are polled by is looked at, so that users of the same name may differ from tenant to tenant.
    """

    def __init__(self, communities: frozenset[bytes] | None, users: dict[bytes, User]) -> None:
        self._communities = communities
        self._users = users
        self._of_devices: OrderedDict[SnmpSettings, User] = OrderedDict()

    def accepts(self, community: bytes, device: Device) -> bool:
        """Return whether a device may send with a community."""
        if self._communities is None or community in self._communities:
            return True
        own = device.snmp
        return own is not None and own.version is SnmpVersion.V2C and own.community.encode() == community

    def user(self, name: bytes, device: Device) -> User | None:
        """Return the user of a name; None if a device may not send by it.

        Takes a few milliseconds once for each user that a device is polled by.
        """
        own = device.snmp
        if own is None or own.version is not SnmpVersion.V3 or own.username.encode() != name:
            return self._users.get(name)
        if not _is_whole(own):
            return None
        user = self._of_devices.get(own)
        if user is None:
            user = self._of_devices[own] = User.of_passwords(
                own.username, Auth(own.auth.value), own.auth_password, Priv(own.priv.value), own.priv_password
            )
            if len(self._of_devices) > _MOST_USERS:
                self._of_devices.popitem(last=False)
        self._of_devices.move_to_end(own)
        return user


def read_credentials(config: TrapsConfig) -> Credentials:
    """Read the files that the settings name. Raises Misconfigured. Blocks, and computes for some milliseconds a user."""
    communities = None
    if config.communities_file is not None:
        lines = _read(config.communities_file, "traps.communities_file").splitlines()
        communities = frozenset(line.strip().encode() for line in lines if line.strip())
        if not communities:
            raise Misconfigured(f"traps.communities_file {config.communities_file} has no community")
    users = [_configured(user) for user in config.users]
    return Credentials(communities, {user.name: user for user in users})


def _configured(config: TrapUserConfig) -> User:
    passwords = ["", ""]
    for place, (path, setting) in enumerate(
        (
            (config.auth_password_file, "auth_password_file"),
            (config.priv_password_file, "priv_password_file"),
        )
    ):
        if path is None:
            continue
        where = f"{setting} of the user {config.name} of traps"
        passwords[place] = _read(path, where).strip("\r\n")
        if len(passwords[place].encode()) < LEAST_PASSWORD_BYTES:
            raise Misconfigured(
                f"{where}: {path} has less than {LEAST_PASSWORD_BYTES} characters, which SNMP doesn't allow"
            )
    return User.of_passwords(config.name, config.auth, passwords[0], config.priv, passwords[1])


def _is_whole(own: SnmpSettings) -> bool:
    """Return whether the passwords are there: without one that is wanted, nobody would have to prove anything."""
    return (own.auth is SnmpAuth.NONE or bool(own.auth_password)) and (
        own.priv is SnmpPriv.NONE or bool(own.priv_password)
    )


def _read(path: Path, where: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Misconfigured(f"{where}: {path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Misconfigured(f"{where}: {path} isn't UTF-8 text") from None
