"""CollectorService and EnrollmentService: who collects, and its certificates."""

from __future__ import annotations

from typing import cast
from urllib.parse import unquote

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.api.access.current import principal, tenant_id
from mtd.api.collector_interfaces import CollectorBackend, EnrollmentBackend
from mtd.api.grpc.admin.common import page_size_of
from mtd.api.grpc.server import ServicePart
from mtd.api.grpc.types import Context
from mtd.core.errors import Refused
from mtd.model.collector import Collector, CollectorCertificate, IssuedCertificate
from mtd.pb.admin.v1 import collector_service_pb2 as pb
from mtd.pb.admin.v1.collector_service_pb2_grpc import (
    CollectorServiceServicer,
    add_CollectorServiceServicer_to_server,
)
from mtd.pb.ingest.v1 import enrollment_service_pb2 as enrollment_pb
from mtd.pb.ingest.v1.enrollment_service_pb2_grpc import (
    EnrollmentServiceServicer,
    add_EnrollmentServiceServicer_to_server,
)

_LONGEST_LIFE_S = 86_400
_REASON = "revoked by an administrator"


def collector_parts(collectors: CollectorBackend, enrollment: EnrollmentBackend) -> list[ServicePart]:
    """Return the services of collectors."""
    return [
        ServicePart(add_CollectorServiceServicer_to_server, CollectorServicer(collectors)),
        ServicePart(add_EnrollmentServiceServicer_to_server, EnrollmentServicer(enrollment)),
    ]


class CollectorServicer(CollectorServiceServicer):
    """Asks the backend for the caller's tenant."""

    def __init__(self, backend: CollectorBackend) -> None:
        self._backend = backend

    async def CreateEnrollmentToken(
        self, request: pb.CreateEnrollmentTokenRequest, context: Context
    ) -> pb.CreateEnrollmentTokenResponse:
        """Invite a collector."""
        if not request.collector:
            raise Refused("collector: name the collector that is to enrol")
        if request.life_seconds > _LONGEST_LIFE_S:
            raise Refused(f"life_seconds: {request.life_seconds} is too long, {_LONGEST_LIFE_S} is the most")
        made = await self._backend.invite(
            tenant_id(), request.collector, request.life_seconds, str(principal())
        )
        return pb.CreateEnrollmentTokenResponse(
            token=made.token,
            expire_time=_timestamp(made.expires_us),
            collector=await self._told(made.collector),
        )

    async def ListCollectors(
        self, request: pb.ListCollectorsRequest, context: Context
    ) -> pb.ListCollectorsResponse:
        """Read a page of the collectors."""
        size = page_size_of(request.page_size)
        found = list(await self._backend.list(tenant_id(), request.page_token, size + 1))
        page = found[:size]
        if principal().crosses_tenants:
            page = list(await self._backend.with_served(page))
        return pb.ListCollectorsResponse(
            collectors=map(collector_message, page),
            next_page_token=page[-1].name if len(found) > size else "",
        )

    async def GetCollector(
        self, request: pb.GetCollectorRequest, context: Context
    ) -> pb.GetCollectorResponse:
        """Read a collector."""
        found = await self._backend.get(tenant_id(), request.collector)
        return pb.GetCollectorResponse(collector=await self._told(found))

    async def DisableCollector(
        self, request: pb.DisableCollectorRequest, context: Context
    ) -> pb.DisableCollectorResponse:
        """Shut a collector out."""
        found = await self._backend.disable(tenant_id(), request.collector)
        return pb.DisableCollectorResponse(collector=await self._told(found))

    async def EnableCollector(
        self, request: pb.EnableCollectorRequest, context: Context
    ) -> pb.EnableCollectorResponse:
        """Let a collector in again."""
        found = await self._backend.enable(tenant_id(), request.collector)
        return pb.EnableCollectorResponse(collector=await self._told(found))

    async def RevokeCollector(
        self, request: pb.RevokeCollectorRequest, context: Context
    ) -> pb.RevokeCollectorResponse:
        """End certificates of a collector."""
        found, revoked = await self._backend.revoke(
            tenant_id(), request.collector, request.serial, request.reason or _REASON
        )
        return pb.RevokeCollectorResponse(collector=await self._told(found), revoked=revoked)

    async def SetServedTenants(
        self, request: pb.SetServedTenantsRequest, context: Context
    ) -> pb.SetServedTenantsResponse:
        """Set which tenants a collector serves."""
        found = await self._backend.serve(tenant_id(), request.collector, request.tenants)
        return pb.SetServedTenantsResponse(collector=await self._told(found))

    async def _told(self, collector: Collector) -> pb.Collector:
        """Return a collector as its caller may see it: other tenants are nobody else's business."""
        if principal().crosses_tenants:
            (collector,) = await self._backend.with_served([collector])
        return collector_message(collector)


class EnrollmentServicer(EnrollmentServiceServicer):
    """Asks the backend for certificates."""

    def __init__(self, backend: EnrollmentBackend) -> None:
        self._backend = backend

    async def Enroll(
        self, request: enrollment_pb.EnrollRequest, context: Context
    ) -> enrollment_pb.EnrollResponse:
        """Give a certificate for a token. Whoever calls: the token says who it is."""
        made = await self._backend.enrol(
            request.enrollment_token, request.certificate_request, unquote(context.peer())
        )
        return enrollment_pb.EnrollResponse(issued=_issued(made))

    async def RenewCertificate(
        self, request: enrollment_pb.RenewCertificateRequest, context: Context
    ) -> enrollment_pb.RenewCertificateResponse:
        """Give a collector its next certificate."""
        made = await self._backend.renew(principal(), request.certificate_request)
        return enrollment_pb.RenewCertificateResponse(issued=_issued(made))


def collector_message(collector: Collector) -> pb.Collector:
    """Return a collector as the protocol shows it."""
    state = pb.CollectorState.Value(f"COLLECTOR_STATE_{collector.state.name}")
    return pb.Collector(
        id=collector.collector_id,
        name=collector.name,
        state=cast("pb.CollectorState", state),
        create_time=_timestamp(collector.created_us),
        created_by=collector.created_by,
        enroll_time=_timestamp(collector.enrolled_us),
        last_seen_time=_timestamp(collector.last_seen_us),
        last_seen_peer=collector.last_seen_peer,
        certificates=map(_certificate, collector.certificates),
        served_tenant_ids=collector.served,
    )


def _certificate(one: CollectorCertificate) -> pb.Certificate:
    return pb.Certificate(
        serial=one.serial,
        fingerprint_sha256=one.fingerprint.hex(),
        issue_time=_timestamp(one.issued_us),
        expire_time=_timestamp(one.not_after_us),
        revoke_time=_timestamp(one.revoked_us),
        revoke_reason=one.revoked_reason,
    )


def _issued(made: IssuedCertificate) -> enrollment_pb.IssuedCertificate:
    return enrollment_pb.IssuedCertificate(
        certificate_chain=made.chain,
        authorities=made.authorities,
        collector_id=made.collector_id,
        collector_name=made.collector_name,
        tenant_ids=made.tenant_ids,
        expire_time=_timestamp(made.not_after_us),
        collector_port=made.collector_port,
    )


def _timestamp(microseconds: int | None) -> Timestamp | None:
    if microseconds is None:
        return None
    seconds, rest = divmod(microseconds, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)
