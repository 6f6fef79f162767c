"""What a door shows: its key and certificates, read in a thread, and read again when they change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mtd.api import metrics
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Misconfigured
from mtd.core.service import TaskGroup
from mtd.security.ca_store import AuthorityStore
from mtd.security.certificates import Facts, facts_of, fits, load_certificates, load_key, refuse_weak
from mtd.security.errors import CertificateUnusable

logger = logging.getLogger(__name__)

_EXPIRES_SOON_DAYS = 7.0


@dataclass(frozen=True, slots=True)
class Material:
    """Everything in PEM. ``client_authorities``: the CAs by which callers are known; empty if none is asked."""

    key: bytes = field(repr=False)
    chain: bytes
    client_authorities: bytes
    facts: Facts


class Source(Protocol):
    """Where it comes from."""

    def read(self) -> Material:
        """Return the newest. Blocking. Raises Misconfigured."""


class InternalSource:
    """Certificates of the internal CA, which is made where there is none at the first reading.

    Later one that is missing is a fault: of a disk, say. Another one in its place would shut all collectors out.
    """

    def __init__(
        self, store: AuthorityStore, door: str, names: Sequence[str], more_authorities: Path | None = None
    ) -> None:
        self._store = store
        self._door = door
        self._names = names
        self._more_authorities = more_authorities
        self._may_make = True

    def read(self) -> Material:
        """Return the door's certificate, a new one where it is due."""
        if self._may_make and self._store.init_unless_there("mtd internal CA"):
            logger.info(
                "made the internal CA: back its folder up, or every collector has to enrol again if it is lost"
            )
        self._may_make = False
        signed = self._store.door(self._door, self._names)
        authorities = self._store.bundle() + _more(self._more_authorities)
        return Material(signed.key, signed.chain, authorities, signed.facts)


class FilesSource:
    """The operator's own files. Callers are known by the internal CA, where there is one, and by further ones."""

    def __init__(
        self,
        certificate_file: Path,
        key_file: Path,
        store: AuthorityStore | None = None,
        more_authorities: Path | None = None,
    ) -> None:
        self._certificate_file = certificate_file
        self._key_file = key_file
        self._store = store
        self._more_authorities = more_authorities

    def read(self) -> Material:
        """Return what is in the files. Raises CertificateUnusable, also for a key of another certificate."""
        chain, key = _read(self._certificate_file), _read(self._key_file)
        if _mode(self._key_file) & 0o007:
            raise CertificateUnusable(
                f"{self._key_file} can be read by everybody: run `chmod o-rwx {self._key_file}`"
            )
        certificate = load_certificates(chain, str(self._certificate_file))[0]
        loaded = load_key(key, str(self._key_file))
        refuse_weak(loaded, str(self._key_file))
        if not fits(loaded, certificate):
            raise CertificateUnusable(
                f"the key in {self._key_file} isn't that of the certificate in {self._certificate_file}"
            )
        own = self._store.bundle() if self._store is not None and self._store.exists() else b""
        return Material(key, chain, own + _more(self._more_authorities), facts_of(certificate))


class LiveMaterial:
    """The newest material of a door. What can't be used is told, counted, and changes nothing.

    ``version`` counts the changes, so that who uses it sees that there is something new.
    """

    def __init__(self, door: str, source: Source, interval_s: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._door = door
        self._source = source
        self._interval_s = interval_s
        self._clock = clock
        self._tasks = TaskGroup("api.tls")
        self._current: Material | None = None
        self._listeners: list[Callable[[Material], None]] = []
        self._told = ""
        self.version = 0

    @property
    def current(self) -> Material:
        """What the door shows."""
        assert self._current is not None, "it was not started"
        return self._current

    def listen(self, changed: Callable[[Material], None]) -> None:
        """Call a function with everything that is new."""
        self._listeners.append(changed)

    async def start(self) -> None:
        """Read it. Raises Misconfigured if it can't be used."""
        await self._take()
        self._tasks.spawn(self._door, self._follow())

    async def stop(self) -> None:
        """Look no more."""
        await self._tasks.stop()

    async def refresh(self) -> None:
        """Look now whether there is something newer."""
        try:
            await self._take()
        except Exception as wrong:
            # Whatever it is, the next look may find it mended.
            metrics.TLS_RELOADS.labels(door=self._door, result="failed").inc()
            if str(wrong) != self._told:
                self._told = str(wrong)
                logger.error(
                    "the %s door goes on with the certificate that it has: %s",
                    self._door,
                    wrong,
                    exc_info=not isinstance(wrong, Misconfigured),
                )

    async def _take(self) -> None:
        found = await asyncio.to_thread(self._source.read)
        self._told = ""
        days = found.facts.days_left(self._clock.now_us())
        metrics.TLS_LEFT_SECONDS.labels(door=self._door).set(days * 86_400)
        if found == self._current:
            return
        first = self._current is None
        self._current = found
        self.version += 1
        for changed in self._listeners:
            changed(found)
        metrics.TLS_RELOADS.labels(door=self._door, result="ok").inc()
        logger.log(
            logging.WARNING if days < _EXPIRES_SOON_DAYS else logging.INFO,
            "the %s door %s the certificate %s of %s, good for %.1f days",
            self._door,
            "shows" if first else "shows from now on",
            found.facts.serial,
            found.facts.issuer,
            days,
        )

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            await self.refresh()


def _more(path: Path | None) -> bytes:
    if path is None:
        return b""
    pem = _read(path)
    load_certificates(pem, str(path))
    return pem if pem.endswith(b"\n") else pem + b"\n"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> CertificateUnusable:
    return CertificateUnusable(
        f"{path} can't be read ({error.strerror}): give another file, or the right to read it"
    )
