"""Which collectors there are, by heart: who shows a certificate is looked up here, and out when it is revoked.

The CA's signature alone lets nobody in: a certificate is one of those that the database has, and hasn't revoked.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
from collections.abc import Callable, Container
from dataclasses import replace
from typing import TYPE_CHECKING

from mtd.api.access.interfaces import Credentials, Tenants
from mtd.api.access.running import RunningCalls
from mtd.app.metrics import COLLECTORS, COLLECTORS_REFUSED
from mtd.core.backoff import Backoff
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError, Retryable, Unauthenticated
from mtd.core.service import TaskGroup
from mtd.model.principal import CallerKind, Principal
from mtd.security.ca import Revoked
from mtd.security.certificates import Facts, facts_of, load_certificates
from mtd.security.errors import CertificateUnusable
from mtd.storage.stores.collectors import CHANNEL
from mtd.storage.stores.enrolments import EnrolmentStore, Member, Membership

if TYPE_CHECKING:
    from mtd.storage.pool import Database, Listening

logger = logging.getLogger(__name__)

_LOOK_S = 60.0
_WAIT_S = 5.0
_PARSED = 4096
_KIND = "certificate"
_HINTS = {"disabled": "ask an admin of its tenant: mtd collector enable"}


class Collectors:
    """See `Verifier`. What it knows is read again upon each notification, and each minute anyway.

    After a notification nobody is let in by what was known before it.
    """

    def __init__(
        self,
        store: EnrolmentStore,
        writer: Database,
        tenants: Tenants,
        running: RunningCalls,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._store = store
        self._writer = writer
        self._tenants = tenants
        self._running = running
        self._clock = clock
        self._known = Membership({}, {})
        self._told = 1  # how often it was told that something changed
        self._read = 0  # how much of that it has read
        self._reading = asyncio.Lock()
        self._seen: dict[str, tuple[int, str]] = {}
        self._listeners: list[Callable[[], None]] = []
        self._tasks = TaskGroup("app.collectors")
        self._listening: Listening | None = None
        self._following = False
        self._facts = functools.lru_cache(maxsize=_PARSED)(facts_in)
        running.judge(_KIND, self._is_good)

    async def start(self) -> None:
        """Read all collectors, and follow changes."""
        await self.refresh()
        self._listening = await self._writer.listen(CHANNEL, lambda _payload: self.changed())
        self._tasks.spawn("upkeep", self._look_now_and_then())

    async def stop(self) -> None:
        """Follow nothing any more; write down who was seen."""
        if self._listening is not None:
            await self._listening.stop()
        await self._tasks.stop()
        await self._write_seen()

    def changed(self) -> None:
        """Something changed, whoever changed it: nobody comes in before it is read."""
        self._told += 1
        if not self._following:
            self._following = True
            self._tasks.spawn("follow", self._follow())

    async def refresh(self) -> None:
        """Read all that changed before this call. Raises StorageUnavailable."""
        self._told += 1
        await self._catch_up()

    async def verify(self, credentials: Credentials) -> Principal | None:
        """Return the collector that shows a certificate; None without one, or with one of another CA.

        Works for its own tenant, or that among those that it serves which it names.
        """
        if credentials.certificate is None:
            return None
        facts = self._facts(credentials.certificate.pem)
        if facts is None:
            raise self._refusal("unreadable", "the certificate can't be read")
        if not facts.collector_id:
            return None  # the door wanted a certificate of some CA: who calls has to say otherwise who it is
        await self._fresh()
        member = self._member_of(facts)
        self._seen[member.collector_id] = (self._clock.now_us(), credentials.peer)
        tenant_id = member.tenants[0]
        if credentials.tenant:
            wanted = await self._tenants.tenant_id(credentials.tenant)
            # Another one is the gate's to refuse.
            tenant_id = wanted if wanted in member.tenants else tenant_id
        return replace(
            _principal_of(member, tenant_id),
            peer=credentials.peer,
            proof=f"{_KIND} {_tenants_word(member)} {facts.fingerprint.hex()}",
        )

    def revoked(self) -> list[Revoked]:
        """Return the certificates that were revoked before they expired."""
        found = (certificate for _, certificate in self._known.certificates.values())
        return sorted(
            (Revoked(one.serial, one.revoked_us) for one in found if one.revoked_us is not None),
            key=lambda one: one.serial,
        )

    def orphans(self, authorities: Container[bytes]) -> list[str]:
        """Return the collectors that have good certificates, and none of these CAs, by their fingerprints."""
        now_us = self._clock.now_us()
        good, known = set(), set()
        for collector_id, one in self._known.certificates.values():
            if one.revoked_us is None and one.not_after_us > now_us:
                good.add(collector_id)
                if one.authority in authorities:
                    known.add(collector_id)
        return sorted(self._known.members[one].name for one in good - known if one in self._known.members)

    def saw(self, collector_id: str, peer: str) -> None:
        """Take note that a collector is heard, over a link that it opened a while ago."""
        self._seen[collector_id] = (self._clock.now_us(), peer)

    def listen(self, read: Callable[[], None]) -> None:
        """Call a function whenever all was read again."""
        self._listeners.append(read)

    async def _fresh(self) -> None:
        """Have read all that was told. Raises Retryable if that takes too long."""
        if self._read >= self._told:
            return
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._catch_up()
        except TimeoutError:
            raise Retryable(f"what changed about collectors can't be read within {_WAIT_S:g} s") from None

    def _member_of(self, facts: Facts) -> Member:
        """Return whose a certificate is. Raises Unauthenticated."""
        found = self._known.certificates.get(facts.fingerprint)
        member = None if found is None else self._known.members.get(found[0])
        if found is None or member is None or member.collector_id != facts.collector_id:
            if facts.not_after_us <= self._clock.now_us():
                raise self._refusal("expired", f"the certificate {facts.serial} has expired: enrol again")
            raise self._refusal(
                "unknown", f"the certificate {facts.serial} isn't one that mtd knows: enrol again"
            )
        _, certificate = found
        claimed = _principal_of(member, member.tenants[0])
        if certificate.revoked_us is not None:
            raise self._refusal(
                "revoked",
                f"the certificate {facts.serial} of the collector {member.name!r} was revoked: enrol again",
                claimed,
            )
        if certificate.not_after_us <= self._clock.now_us():
            raise self._refusal(
                "expired",
                f"the certificate {facts.serial} of the collector {member.name!r} has expired: enrol again",
                claimed,
            )
        if not member.enabled:
            raise self._refusal("disabled", f"the collector {member.name!r} is disabled", claimed)
        return member

    @staticmethod
    def _refusal(reason: str, text: str, claimed: Principal | None = None) -> Unauthenticated:
        COLLECTORS_REFUSED.labels(reason=reason).inc()
        error = Unauthenticated(text)
        error.hint = _HINTS.get(reason, "enrol the collector again: mtd collector invite, mtd enroll")
        error.claimed = claimed
        return error

    async def _catch_up(self) -> None:
        told = self._told
        async with self._reading:
            if self._read >= told:
                return
            told = self._told
            self._known = await self._store.membership(self._clock.now_us())
            self._read = told
        COLLECTORS.set(sum(member.enabled for member in self._known.members.values()))
        self._end_calls()
        for read in self._listeners:
            read()

    def _end_calls(self) -> None:
        """End what is served for those who would not be let in now, or not for the same tenants."""
        ended = self._running.look_again(_KIND)
        if ended:
            logger.warning(
                "ended %d calls of collectors whose certificates aren't good any more, or whose tenants changed",
                ended,
            )

    def _is_good(self, proof: str) -> bool:
        _, tenants, fingerprint = proof.split(" ")
        found = self._known.certificates.get(bytes.fromhex(fingerprint))
        if found is None:
            return False
        collector_id, certificate = found
        member = self._known.members.get(collector_id)
        if (
            member is None or _tenants_word(member) != tenants
        ):  # a stream goes on for those that it began with
            return False
        return (
            member.enabled
            and certificate.revoked_us is None
            and certificate.not_after_us > self._clock.now_us()
        )

    async def _follow(self) -> None:
        backoff = Backoff(first_s=0.1, cap_s=10.0)
        try:
            while self._read < self._told:
                try:
                    await self._catch_up()
                except MtdError as error:
                    logger.warning("can't read what changed about collectors: %s", error)
                    await asyncio.sleep(backoff.next_delay())
        finally:
            self._following = False

    async def _look_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            self.changed()  # a certificate may have expired
            await self._write_seen()

    async def _write_seen(self) -> None:
        seen, self._seen = self._seen, {}
        if not seen:
            return
        try:
            await self._store.seen(seen)
        except MtdError as error:
            self._seen = {**seen, **self._seen}
            logger.warning("can't write down when collectors were seen: %s", error)


def _tenants_word(member: Member) -> str:
    """Return a word for the tenants that a collector works for: another one when they change."""
    return hashlib.sha256(" ".join(member.tenants).encode()).hexdigest()[:16]


def _principal_of(member: Member, tenant_id: str) -> Principal:
    return Principal(CallerKind.COLLECTOR, member.name, tenant_id, role=None, caller_id=member.collector_id)


def facts_in(pem: bytes) -> Facts | None:
    """Return what a certificate says; None if it can't be read."""
    try:
        return facts_of(load_certificates(pem, "the certificate")[0])
    except CertificateUnusable:
        return None
