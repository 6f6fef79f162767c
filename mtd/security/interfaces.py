"""The ports of the secret store.

Who seals and who opens are two: doors take secrets in and are given a sealer, which can't open; what polls
routers is given an opener.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from zope.interface import Attribute, Interface

PASSWORD = "password"  # noqa: S105 - what the secret is


@dataclass(frozen=True, slots=True)
class Bond:
    """What a secret belongs to, bound into its ciphertext: in any other row it can't be opened.

    ``owner`` is what the id names, "device" or "credential", ``kind`` which of the owner's secrets it is.
    """

    tenant_id: str
    owner: str
    owner_id: str
    kind: str = PASSWORD

    def __str__(self) -> str:
        # Of a key of programs, a kind is only the number of a rotation.
        kind = self.kind if self.owner in ("device", "credential") else "secret"
        return f"the {kind} of {self.owner} {self.owner_id}"


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A tenant's data key as it is stored: sealed by a master key."""

    tenant_id: str
    key_id: str
    wrapped: bytes = field(repr=False)
    master_key_id: bytes


class IDataKeys(Interface):
    """Where the data keys of tenants are kept, within a transaction."""

    def current(tenant_id: str) -> Awaitable[WrappedKey | None]:
        """Return the key that seals; it goes on to be that until the transaction ends. None before the first."""

    def add(key: WrappedKey) -> Awaitable[WrappedKey]:
        """Add the first key of a tenant; return that of who was quicker, if somebody was."""

    def named(key_ids: Collection[str]) -> Awaitable[Mapping[str, WrappedKey]]:
        """Return those keys of these that there are, by their ids."""


class ISealing(Interface):
    """Seals the secrets of one tenant. For one transaction: later, another key may be the tenant's."""

    key_id: str = Attribute("The data key that seals.")

    def seal(bond: Bond, secret: str) -> bytes:
        """Encrypt a secret."""

    def is_current(sealed: bytes) -> bool:
        """Whether it was sealed with the key that seals now."""


class ISecretSealer(Interface):
    """Encrypts secrets so that a copy of the database gives none away. Opens none."""

    def sealing(keys: IDataKeys, tenant_id: str) -> Awaitable[ISealing]:
        """Return what seals for a tenant, whose first key is made if it has none. Raises SecretUnreadable."""


class IOpening(Interface):
    """Opens the secrets that it was asked for."""

    def open(bond: Bond, sealed: bytes) -> str:
        """Decrypt what was sealed. Raises SecretUnreadable."""


class ISecretOpener(Interface):
    """Decrypts secrets. For what polls routers, and for the operator's rotation of keys."""

    def opening(keys: IDataKeys, sealed: Iterable[bytes]) -> Awaitable[IOpening]:
        """Return what opens these. What can't be opened is told when it is opened."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A secret as a provider gave it. ``lifetime_s``: how long the provider says that it is good, if it says so."""

    secret: str = field(repr=False)
    lifetime_s: float | None = None


class ISecretProvider(Interface):
    """Knows secrets that are kept elsewhere.

    A reference is the scheme, a colon, and what only the provider understands: "vault:routers/core#password".
    """

    scheme: str = Attribute("What references to its secrets begin with.")

    def check(tenant_id: str, path: str) -> None:
        """Raise Refused for a path that it will never serve this tenant; says what would be served. No I/O."""

    def fetch(tenant_id: str, path: str) -> Awaitable[Fetched]:
        """Return the secret. Raises SecretUnavailable, with what to do; never with the secret in it."""

    def stop() -> Awaitable[None]:
        """Close what is open."""
