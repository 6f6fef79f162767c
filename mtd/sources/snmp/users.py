"""Who asks, in version 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gufo.snmp import Aes128Key, BaseAuthKey, BasePrivKey, DesKey, Md5Key, Sha1Key, User

from mtd.model.device import SnmpAuth, SnmpPriv

if TYPE_CHECKING:
    from mtd.model.device import SnmpSettings

_AUTH: dict[SnmpAuth, type[BaseAuthKey]] = {SnmpAuth.MD5: Md5Key, SnmpAuth.SHA1: Sha1Key}
_PRIV: dict[SnmpPriv, type[BasePrivKey]] = {SnmpPriv.DES: DesKey, SnmpPriv.AES: Aes128Key}


def user_of(settings: SnmpSettings) -> User:
    """Return the user with the keys that the settings give."""
    auth, priv = _AUTH.get(settings.auth), _PRIV.get(settings.priv)
    return User(
        settings.username,
        auth_key=None if auth is None else auth(settings.auth_password.encode()),
        priv_key=None if auth is None or priv is None else priv(settings.priv_password.encode()),
    )
