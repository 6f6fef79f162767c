"""The files of the internal CA: made, rotated, read. Blocking, so that callers use a thread.

``<folder>/<number>/`` holds one generation of the CA: ``authority.pem``, its key, ``cross.pem`` if it followed another
one, and, after its successor was made, ``trusted_until``. The key of a CA that was followed is removed. ``doors/`` holds the
certificates that the doors of this machine use.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import AlreadyExists, Refused
from mtd.security.ca import Authority, Revoked, pin_of
from mtd.security.certificates import (
    Facts,
    certificate_pem,
    facts_of,
    fits,
    key_pem,
    load_certificates,
    load_key,
    new_key,
)
from mtd.security.config import CertificatesConfig
from mtd.security.errors import CertificateUnusable, KeyUnusable, NoAuthority
from mtd.security.generations import Generations, make_private_folder, replace_private
from mtd.security.keyfile import MasterKey
from mtd.security.sealed_files import open_sealed, seal, sealed_with

Keys = Callable[[], Sequence[MasterKey]]
"""Reads the master keys, newest first."""

_CERTIFICATE, _KEY, _SEALED, _CROSS = "authority.pem", "authority.key", "authority.key.sealed", "cross.pem"
_TRUSTED_UNTIL = "trusted_until"
_DAY_US = 86_400_000_000
_RENEWED_AT = 1 / 3
"""The share of its life that a certificate has left when it is renewed."""


@dataclass(frozen=True, slots=True)
class AuthorityFacts:
    """One CA of the folder. ``trusted_until_us``: 0 for the one that signs."""

    facts: Facts
    pin: str
    trusted_until_us: int
    sealed: bool

    @property
    def signs(self) -> bool:
        """Whether it is the one that signs."""
        return not self.trusted_until_us


@dataclass(frozen=True, slots=True, repr=False)
class Signed:
    """A certificate with its chain, and the key where it was made here."""

    facts: Facts
    chain: bytes
    key: bytes = b""


class AuthorityStore:
    """Keeps the internal CA in a folder. ``keys``: of the master key, if the CA's key is to be sealed with it."""

    def __init__(
        self, folder: Path, config: CertificatesConfig, keys: Keys, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._generations = Generations(folder)
        self._folder = folder
        self._config = config
        self._keys = keys
        self._clock = clock

    def __repr__(self) -> str:
        return f"AuthorityStore({str(self._folder)!r})"

    def exists(self) -> bool:
        """Return whether there is a CA."""
        return self._generations.newest() is not None

    def init(self, name: str) -> AuthorityFacts:
        """Make the CA. Raises AlreadyExists."""
        with self._generations.locked():
            self.refuse_existing()
            made = Authority.new(name, self._clock.now_us(), self._config.authority_days)
            self._write(made)
        return self.all()[0]

    def refuse_existing(self) -> None:
        """Raise AlreadyExists if there is a CA."""
        if self.exists():
            raise AlreadyExists(
                f"there is a CA in {self._folder} already: `mtd ca show` shows it, `mtd ca rotate` makes a new one"
            )

    def init_unless_there(self, name: str) -> bool:
        """Make the CA if there is none; return whether it was made."""
        if self.exists():
            return False
        try:
            self.init(name)
        except AlreadyExists:
            return False  # another process was quicker
        return True

    def rotate(self, name: str) -> AuthorityFacts:
        """Make a new CA. The one before is trusted for the overlap, and its key removed. Raises NoAuthority, Refused."""
        with self._generations.locked():
            now_us = self._clock.now_us()
            if sum(not one.signs for one in self.all()) >= self._config.most_trusted:
                raise Refused(
                    "enough CAs are trusted beside the one that signs: wait until the oldest isn't any more (`mtd ca show`)"
                )
            before, old = self._signing()
            until_us = now_us + round(self._config.overlap_days * _DAY_US)
            # Told before it is so: of the newest it means nothing, and what is interrupted here is done again.
            replace_private(old / _TRUSTED_UNTIL, b"%d\n" % until_us)
            self._write(before.successor(name, now_us, self._config.authority_days))
            for secret in (_KEY, _SEALED):
                (old / secret).unlink(missing_ok=True)
        return self.all()[0]

    def all(self) -> list[AuthorityFacts]:
        """Return the CAs that are trusted, the one that signs first."""
        found: list[AuthorityFacts] = []
        for generation in self._trusted():
            certificate = _read_certificate(generation / _CERTIFICATE)
            until_us = _trusted_until(generation) if found else 0
            sealed = (generation / _SEALED).exists()
            found.append(AuthorityFacts(facts_of(certificate), pin_of(certificate), until_us, sealed))
        return found

    def bundle(self) -> bytes:
        """Return the certificates of the CAs that are trusted. Raises NoAuthority."""
        trusted = self._trusted()
        if not trusted:
            raise self._none()
        return b"".join(certificate_pem(_read_certificate(one / _CERTIFICATE)) for one in trusted)

    def pin(self) -> str:
        """Return what an enrolment token carries of the CA that signs. Raises NoAuthority."""
        newest = self._generations.newest()
        if newest is None:
            raise self._none()
        return pin_of(_read_certificate(newest / _CERTIFICATE))

    def sign_collector(
        self, key: ec.EllipticCurvePublicKey, collector_id: str, name: str, tenant_ids: Sequence[str]
    ) -> tuple[Signed, bytes]:
        """Return a certificate of a collector, and the fingerprint of the CA that signed it. Raises NoAuthority."""
        authority, _ = self._signing()
        made = authority.issue_collector(
            key, collector_id, name, tenant_ids, self._clock.now_us(), self._config.collector_days
        )
        return Signed(facts_of(made), certificate_pem(made) + authority.chain_pem), authority.fingerprint

    def sign_server(self, names: Sequence[str], days: float | None = None) -> Signed:
        """Return a key and a certificate for a door or another server. Raises NoAuthority, CertificateUnusable."""
        authority, _ = self._signing()
        key = new_key()
        made = authority.issue_server(
            key.public_key(), names, self._clock.now_us(), days or self._config.server_days
        )
        return Signed(facts_of(made), certificate_pem(made) + authority.chain_pem, key_pem(key))

    def door(self, door: str, names: Sequence[str]) -> Signed:
        """Return the certificate of a door of this machine, renewed where needed.

        It is if a third of its life is left, its names are others, or another CA signs now. Raises NoAuthority,
        CertificateUnusable.
        """
        current = self._kept_door(door)
        if current is not None and self._still_good(current, names):
            return current
        with self._generations.locked():
            current = self._kept_door(door)
            if current is not None and self._still_good(current, names):
                return current  # another process was quicker
            signed = self.sign_server(names)
            doors = self._folder / "doors"
            make_private_folder(doors)
            replace_private(doors / f"{door}.pem", signed.key + signed.chain)
        return signed

    def seal_again(self) -> None:
        """Seal the key of the CA with the newest master key, if it was sealed with another. Raises KeyUnusable."""
        newest = self._generations.newest()
        if newest is not None and (newest / _SEALED).exists():
            self._read_key(newest)

    def write_crl(self, path: Path, revoked: Sequence[Revoked]) -> None:
        """Write the list of revoked certificates for others to read. Raises NoAuthority, Misconfigured."""
        authority, _ = self._signing()
        content = authority.crl_pem(revoked, self._clock.now_us())
        replace_private(path, content, mode=0o644)

    # -- underneath --------------------------------------------------------------

    def _trusted(self) -> list[Path]:
        found, now_us = self._generations.all(), self._clock.now_us()
        return [*found[:1], *(one for one in found[1:] if _trusted_until(one) > now_us)]

    def _signing(self) -> tuple[Authority, Path]:
        newest = self._generations.newest()
        if newest is None:
            raise self._none()
        certificate = _read_certificate(newest / _CERTIFICATE)
        key = load_key(self._read_key(newest), str(newest))
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not fits(key, certificate):
            raise CertificateUnusable(
                f"the key in {newest} isn't that of the CA: restore the folder from its backup"
            )
        cross = newest / _CROSS
        return Authority(key, certificate, _read_certificate(cross) if cross.exists() else None), newest

    def _write(self, authority: Authority) -> None:
        files = {_CERTIFICATE: certificate_pem(authority.certificate)}
        pem = key_pem(authority.key)
        if self._config.seal_key:
            files[_SEALED] = seal(self._keys()[0], pem)
        else:
            files[_KEY] = pem
        if authority.cross is not None:
            files[_CROSS] = certificate_pem(authority.cross)
        self._generations.add(files)

    def _read_key(self, generation: Path) -> bytes:
        sealed = generation / _SEALED
        if not sealed.exists():
            return _read_private(generation / _KEY)
        content, keys = _read_private(sealed), self._keys()
        pem = open_sealed(keys, content, sealed)
        if sealed_with(content) != keys[0].key_id:
            replace_private(sealed, seal(keys[0], pem))  # the master key was rotated
        return pem

    def _kept_door(self, door: str) -> Signed | None:
        path = self._folder / "doors" / f"{door}.pem"
        if not path.exists():
            return None
        content = _read_private(path)
        try:
            certificates, key = load_certificates(content, str(path)), load_key(content, str(path))
            if fits(key, certificates[0]):
                return Signed(facts_of(certificates[0]), certificate_pem(*certificates), key_pem(key))
        except CertificateUnusable:
            pass  # damaged: another is made
        return None

    def _still_good(self, signed: Signed, names: Sequence[str]) -> bool:
        newest = self._generations.newest()
        if newest is None:
            raise self._none()
        authority = _read_certificate(newest / _CERTIFICATE)
        # Its chain ends with the CA that signed it.
        signed_by_newest = signed.chain.endswith(certificate_pem(authority))
        named = {str(name).lower() for name in names} == {name.lower() for name in signed.facts.names}
        return named and signed_by_newest and not is_due(signed.facts, self._clock.now_us())

    def _none(self) -> NoAuthority:
        return NoAuthority(f"there is no CA in {self._folder}: make one with `mtd ca init`")


def is_due(facts: Facts, now_us: int, share: float = _RENEWED_AT) -> bool:
    """Return whether no more than a share of a certificate's life is left."""
    return facts.not_after_us - now_us <= share * (facts.not_after_us - facts.not_before_us)


def _trusted_until(generation: Path) -> int:
    try:
        return int((generation / _TRUSTED_UNTIL).read_text(encoding="ascii"))
    except FileNotFoundError:
        return 0
    except (OSError, ValueError):
        raise CertificateUnusable(
            f"{generation / _TRUSTED_UNTIL} can't be read: restore it from its backup"
        ) from None


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        return load_certificates(path.read_bytes(), str(path))[0]
    except OSError as error:
        raise CertificateUnusable(
            f"{path} can't be read ({error.strerror}): run mtd as its owner, or restore it from its backup"
        ) from None


def _read_private(path: Path) -> bytes:
    try:
        if path.stat().st_mode & 0o077:
            raise KeyUnusable(f"{path} can be read by others: run `chmod 600 {path}`")
        return path.read_bytes()
    except OSError as error:
        raise KeyUnusable(
            f"{path} can't be read ({error.strerror or os.strerror(error.errno or 0)}): run mtd as its owner, or restore it"
            " from its backup"
        ) from None
