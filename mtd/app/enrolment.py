"""Behind the doors of collectors: invitations, certificates, and their end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mtd.api.access.interfaces import Auditor, Tenants
from mtd.app.metrics import CERTIFICATES_ISSUED, ENROLMENTS_REFUSED
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Misconfigured, NotFound, QuotaExceeded, Refused, Unauthenticated
from mtd.core.limits import Gate
from mtd.model.audit import AuditEntry, entry_of_unknown
from mtd.model.collector import Collector, CollectorCertificate, Invitation, IssuedCertificate
from mtd.model.principal import CallerKind, Principal
from mtd.model.tenant import NO_TENANT_ID
from mtd.security.attempts import Attempts, peer_host
from mtd.security.certificates import requested_key
from mtd.security.enrolment import EnrolmentToken, new_token, parse_token
from mtd.storage.stores.collectors import CollectorStore, NewToken
from mtd.storage.stores.enrolments import EnrolmentStore, Member, RefusedToken, TokenFault

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    from mtd.app.collectors import Collectors
    from mtd.security.ca_store import AuthorityStore, Signed
    from mtd.security.config import CertificatesConfig

_ACTION = "collector.enroll"
_REFUSED = "the enrolment token isn't good: it was used, has expired, or was never given out"
_ANOTHER = "ask for another one, which `mtd collector invite` makes on the hub"
_MINUTE_US = 60_000_000
_MINUTE_S = 60.0
_AT_ONCE = 4


class CollectorAdmin:
    """See `CollectorBackend`."""

    def __init__(
        self,
        store: CollectorStore,
        enrolments: EnrolmentStore,
        collectors: Collectors,
        tenants: Tenants,
        authorities: AuthorityStore,
        config: CertificatesConfig,
        clock: Clock = SYSTEM_CLOCK,
        *,
        takes_certificates: bool,
    ) -> None:
        self._takes_certificates = takes_certificates
        self._store = store
        self._enrolments = enrolments
        self._collectors = collectors
        self._tenants = tenants
        self._authorities = authorities
        self._config = config
        self._clock = clock

    async def invite(self, tenant_id: str, collector: str, life_s: float, by: str) -> Invitation:
        """Make a token for a collector. Raises Misconfigured if the door takes no certificates."""
        if not self._takes_certificates:
            raise Misconfigured(
                "collectors can't come in here, as the gRPC door has no TLS or doesn't take certificates: set"
                ' grpc.tls = "internal", see docs/tls.md'
            )
        token = new_token(await asyncio.to_thread(self._authorities.pin))
        now_us = self._clock.now_us()
        life_us = round(life_s * 1e6) if life_s else round(self._config.token_minutes * _MINUTE_US)
        stored = NewToken(token.token_id, token.secret_hash, by, now_us, now_us + life_us)
        found = await self._store.invite(tenant_id, collector, stored)
        return Invitation(token.text, stored.expires_us, found)

    async def get(self, tenant_id: str, collector: str) -> Collector:
        """Return a collector by its name or id."""
        return await self._store.get(tenant_id, collector, self._clock.now_us())

    async def list(self, tenant_id: str, after_name: str, limit: int) -> Sequence[Collector]:
        """Return collectors by name."""
        return await self._store.list(tenant_id, self._clock.now_us(), after_name=after_name, limit=limit)

    async def disable(self, tenant_id: str, collector: str) -> Collector:
        """Shut a collector out, and wait until it is."""
        found = await self._store.disable(tenant_id, collector, self._clock.now_us())
        await self._collectors.refresh()
        return found

    async def enable(self, tenant_id: str, collector: str) -> Collector:
        """Let a collector in again."""
        found = await self._store.enable(tenant_id, collector, self._clock.now_us())
        await self._collectors.refresh()
        return found

    async def revoke(self, tenant_id: str, collector: str, serial: str, reason: str) -> tuple[Collector, int]:
        """End certificates, and wait until nobody gets in by them."""
        found = await self._store.revoke(tenant_id, collector, serial, reason, self._clock.now_us())
        await self._collectors.refresh()
        return found

    async def serve(self, tenant_id: str, collector: str, tenants: Sequence[str]) -> Collector:
        """Set which tenants a collector serves beside its own."""
        found = await self.get(tenant_id, collector)
        wanted = [await self._tenant_id(tenant) for tenant in tenants]
        await self._enrolments.serve(found.collector_id, wanted)
        await self._collectors.refresh()
        return found

    async def with_served(self, collectors: Sequence[Collector]) -> Sequence[Collector]:
        """Return collectors together with the tenants that they serve."""
        served = await self._enrolments.served([one.collector_id for one in collectors])
        return [replace(one, served=served.get(one.collector_id, ())) for one in collectors]

    async def _tenant_id(self, tenant: str) -> str:
        found = await self._tenants.tenant_id(tenant)
        if found is None:
            raise NotFound(f"there is no tenant {tenant[:100]!r}")
        return found


class Enrolment:
    """See `EnrollmentBackend`. Keys are checked and certificates signed in threads.

    ``collector_port``: where the door takes callers with certificates; 0: where it takes all.
    """

    def __init__(
        self,
        enrolments: EnrolmentStore,
        collectors: Collectors,
        authorities: AuthorityStore,
        auditor: Auditor,
        config: CertificatesConfig,
        collector_port: Callable[[], int],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._enrolments = enrolments
        self._collectors = collectors
        self._authorities = authorities
        self._auditor = auditor
        self._collector_port = collector_port
        self._clock = clock
        self._attempts = Attempts("enrolments", config.enrolment_failures_per_minute, _MINUTE_S, clock)
        self._gate = Gate("enrolments", _AT_ONCE)

    async def enrol(self, token: str, request: bytes, peer: str) -> IssuedCertificate:
        """Return a certificate for a token, which is used up by that."""
        host = peer_host(peer)
        try:
            self._attempts.check(host)
        except QuotaExceeded:
            ENROLMENTS_REFUSED.labels(reason="limit").inc()
            raise
        try:
            async with self._gate:
                issued = await self._enrol(token, request, peer)
        except Refused:
            self._attempts.failed(host)
            raise
        self._attempts.succeeded(host)
        return issued

    async def _enrol(self, token: str, request: bytes, peer: str) -> IssuedCertificate:
        self._auditor.ready()
        parsed = parse_token(token)
        if parsed is None:
            raise self._refusal(RefusedToken(TokenFault.UNKNOWN), peer, None)
        try:
            key = await asyncio.to_thread(requested_key, request)
        except Refused:
            ENROLMENTS_REFUSED.labels(reason="request").inc()
            raise
        signer = _Signer(self._authorities, key, self._clock)
        found = await self._enrolments.enrol(
            parsed.token_id, parsed.secret_hash, peer, self._clock.now_us(), signer.sign
        )
        if isinstance(found, RefusedToken):
            raise self._refusal(found, peer, parsed)
        await self._collectors.refresh()
        detail = {"token": parsed.token_id, "serial": signer.signed.facts.serial}
        await self._auditor.record(
            AuditEntry(
                _ACTION,
                "OK",
                found.tenants[0],
                str(CallerKind.COLLECTOR),
                found.name,
                found.collector_id,
                peer=peer,
                target=f"collector={found.name}",
                detail=detail,
            )
        )
        CERTIFICATES_ISSUED.labels(how="enrolled").inc()
        return await self._issued(found, signer.signed)

    async def renew(self, caller: Principal, request: bytes) -> IssuedCertificate:
        """Return the next certificate of a collector: the same one, whatever it asks for."""
        signer = _Signer(self._authorities, await asyncio.to_thread(requested_key, request), self._clock)
        shown = bytes.fromhex(caller.proof.rpartition(" ")[2])
        found = await self._enrolments.renew(caller.caller_id, shown, self._clock.now_us(), signer.sign)
        await self._collectors.refresh()
        CERTIFICATES_ISSUED.labels(how="renewed").inc()
        return await self._issued(found, signer.signed)

    async def _issued(self, member: Member, signed: Signed) -> IssuedCertificate:
        return IssuedCertificate(
            signed.chain,
            await asyncio.to_thread(self._authorities.bundle),
            member.collector_id,
            member.name,
            member.tenants,
            signed.facts.not_after_us,
            self._collector_port(),
        )

    def _refusal(self, found: RefusedToken, peer: str, token: EnrolmentToken | None) -> Unauthenticated:
        """Write down a token that is no good: for the tenant, too, if it was one of its own."""
        ENROLMENTS_REFUSED.labels(reason=found.fault.value).inc()
        reason = f"enrolment token {token.token_id if token else ''}: {found.fault}"
        target = f"collector={found.collector}" if found.collector else ""
        self._auditor.record(
            entry_of_unknown(
                _ACTION, "UNAUTHENTICATED", found.tenant_id or NO_TENANT_ID, peer, reason, target
            )
        )
        refusal = Unauthenticated(_REFUSED)
        refusal.hint = _ANOTHER
        return refusal


class _Signer:
    """Signs one request, within the transaction that stores the certificate; again if that begins again."""

    def __init__(self, authorities: AuthorityStore, key: EllipticCurvePublicKey, clock: Clock) -> None:
        self._authorities = authorities
        self._key = key
        self._clock = clock
        self._signed: Signed | None = None

    @property
    def signed(self) -> Signed:
        """What was signed last."""
        assert self._signed is not None
        return self._signed

    async def sign(self, member: Member) -> CollectorCertificate:
        """Return the certificate of a collector."""
        signed, authority = await asyncio.to_thread(
            self._authorities.sign_collector, self._key, member.collector_id, member.name, member.tenants
        )
        self._signed, facts = signed, signed.facts
        return CollectorCertificate(
            facts.fingerprint, facts.serial, authority, self._clock.now_us(), facts.not_after_us
        )
