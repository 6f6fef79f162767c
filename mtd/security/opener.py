"""Opening secrets: for what polls routers. Doors must not import it (.importlinter)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from zope.interface import implementer

from mtd.security.datakeys import KeyRing
from mtd.security.errors import SecretUnreadable
from mtd.security.interfaces import Bond, IDataKeys, IOpening, ISecretOpener
from mtd.security.keyfile import KEY_BYTES
from mtd.security.masters import MasterKeys
from mtd.security.sealed import bound, data_key_of, master_key_of, split


@implementer(IOpening)
class Opening:
    """See `IOpening`. ``missing``: why data keys can't be used, by their ids."""

    def __init__(
        self, ciphers: Mapping[str, tuple[str, AESGCM]], missing: Mapping[str, str], masters: MasterKeys
    ) -> None:
        self._ciphers = ciphers
        self._missing = missing
        self._masters = masters

    def open(self, bond: Bond, sealed: bytes) -> str:
        """Decrypt what was sealed. Raises SecretUnreadable."""
        parts = split(sealed)
        if parts is None:
            raise SecretUnreadable(f"{bond} isn't in a known format: set it again")
        header, nonce, rest = parts
        try:
            text = self._cipher(bond, sealed).decrypt(nonce, rest, bound(header, bond))
        except InvalidTag:
            raise SecretUnreadable(
                f"{bond} is damaged or belongs to another {bond.owner}: set it again"
            ) from None
        return text.decode("utf-8", "surrogatepass")

    def _cipher(self, bond: Bond, sealed: bytes) -> AESGCM:
        key_id = data_key_of(sealed)
        if key_id is None:
            return self._first_cipher(bond, master_key_of(sealed) or b"")
        tenant_id, cipher = self._ciphers.get(key_id, ("", None))
        if cipher is None:
            why = self._missing.get(key_id, f"its data key {key_id} wasn't asked for")
            raise SecretUnreadable(f"{bond} can't be opened: {why}, or set it again")
        if tenant_id != bond.tenant_id:
            raise SecretUnreadable(f"{bond} was sealed for another tenant: set it again")
        return cipher

    def _first_cipher(self, bond: Bond, master_key_id: bytes) -> AESGCM:
        master = self._masters.get(master_key_id)
        if master is None:
            raise SecretUnreadable(
                f"{bond} was sealed with master key {master_key_id.hex()}, which isn't in {self._masters.place}:"
                " put it back from its backup, or set the secret again"
            )
        derived = HKDF(
            algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"mtd tenant\0" + bond.tenant_id.encode()
        )
        return AESGCM(derived.derive(master.material))


@implementer(ISecretOpener)
class Opener:
    """See `ISecretOpener`."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def __repr__(self) -> str:
        return "Opener()"

    async def opening(self, keys: IDataKeys, sealed: Iterable[bytes]) -> Opening:
        """Return what opens these. What can't be opened is told when it is opened."""
        masters = self._ring.masters
        wanted: set[str] = set()
        first: set[bytes] = set()
        for one in sealed:
            key_id, master_key_id = data_key_of(one), master_key_of(one)
            if key_id is not None:
                wanted.add(key_id)
            elif master_key_id is not None:
                first.add(master_key_id)
        if any(masters.get(key_id) is None for key_id in first):
            await masters.refresh()
        ciphers: dict[str, tuple[str, AESGCM]] = {}
        for key_id in wanted:
            known = self._ring.known(key_id)
            if known is not None:
                ciphers[key_id] = known
        missing = await self._unwrap(keys, wanted - ciphers.keys(), ciphers)
        return Opening(ciphers, missing, masters)

    async def _unwrap(
        self, keys: IDataKeys, wanted: set[str], ciphers: dict[str, tuple[str, AESGCM]]
    ) -> dict[str, str]:
        missing: dict[str, str] = {}
        stored = await keys.named(wanted) if wanted else {}
        for key_id in wanted:
            key = stored.get(key_id)
            if key is None:
                missing[key_id] = (
                    f"its data key {key_id} is gone: restore the table mtd.tenant_data_key from the backup"
                )
                continue
            try:
                ciphers[key_id] = key.tenant_id, await self._ring.unwrap(key)
            except SecretUnreadable as error:
                missing[key_id] = str(error)
        return missing
