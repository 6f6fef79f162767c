"""A hub with its CA, real TLS doors and PostgreSQL; collectors that enrol; and those who shouldn't get in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import psycopg2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from mtd.api.grpc.server import GrpcServer, ServicePart
from mtd.app.certificates import Certificates
from mtd.app.config import Settings
from mtd.app.tenancy import Tenancy
from mtd.model.audit import AuditEntry
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.tenant import Quotas, Tenant
from mtd.pb.admin.v1 import collector_service_pb2 as pb
from mtd.pb.admin.v1.collector_service_pb2_grpc import CollectorServiceStub
from mtd.pb.ingest.v1 import enrollment_service_pb2 as enrollment_pb
from mtd.pb.ingest.v1.enrollment_service_pb2_grpc import EnrollmentServiceStub
from mtd.security.certificates import key_pem, new_key, request_pem
from mtd.storage.pool import Database
from mtd.testing import run_async
from tests.unit.api.fakes import FakeTelemetry, context

CODE = grpc.StatusCode
DAY_US = 86_400_000_000
HOME = DEFAULT_TENANT_ID


class Hand:
    """A clock that is set by hand. Handshakes know no other than the machine's: it begins so many days before now."""

    def __init__(self, days_ago: float = 0) -> None:
        self.now = time.time_ns() // 1000 - round(days_ago * DAY_US)

    def now_us(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1e6


class Recorded:
    """An audit log in memory."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    def ready(self) -> None:
        return

    def record(self, entry: AuditEntry) -> Awaitable[None]:
        self.entries.append(entry)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def of(self, action: str) -> list[AuditEntry]:
        return [entry for entry in self.entries if entry.action.endswith(action)]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a caller shows in the handshake."""

    key: bytes | None = None
    chain: bytes | None = None


NOTHING = Shown()


class Hub:
    """A hub. ``admin`` and ``enrollment`` are stubs of the operator's own channel, without a certificate."""

    def __init__(self, settings: Settings, clock: Hand) -> None:
        self.settings = settings
        self.clock = clock
        self.audit = Recorded()
        self.certificates = Certificates(settings, clock)
        self.channels: list[Any] = []

    async def open(self, dsn: str, parts: list[ServicePart]) -> None:
        self.doors, self.writer = Database.for_queries(dsn), Database.for_writing(dsn)
        await self.doors.start()
        await self.writer.start()
        self.tenancy = Tenancy(self.doors, self.writer, self.settings.security, _welcome, self.clock)
        await self.tenancy.start()
        await self.certificates.start()
        await self.certificates.start_collectors(self.doors, self.writer, self.tenancy, self.audit)
        api = context(FakeTelemetry())
        self.api = replace(
            api,
            config=self.settings.grpc,
            gate=self.tenancy.gate,
            auditor=self.audit,
            parts=[*self.certificates.parts(lambda: self.server.client_port), *parts],
            running=self.certificates.running,
            tls=self.certificates.grpc,
        )
        self.server = GrpcServer(self.api)
        await self.api.hub.start()
        await self.server.start()
        self.ca = self.certificates.authorities.bundle()
        own = self.channel()
        self.admin: Any = CollectorServiceStub(own)
        self.enrollment: Any = EnrollmentServiceStub(own)

    async def close(self) -> None:
        for channel in self.channels:
            await channel.close()
        await self.server.stop()
        await self.certificates.stop_collectors()
        await self.certificates.stop()
        await self.tenancy.stop()
        await self.doors.stop()
        await self.writer.stop()

    def channel(self, shown: Shown = NOTHING, ca: bytes | None = None, name: str = "127.0.0.1") -> Any:
        port = self.server.client_port if shown.chain else self.server.port
        credentials = grpc.ssl_channel_credentials(ca or self.ca, shown.key, shown.chain)
        channel = grpc.aio.secure_channel(f"{name}:{port}", credentials)
        self.channels.append(channel)
        return channel

    async def invite(self, name: str, tenant: str = "", **others: Any) -> str:
        made = await self.admin.CreateEnrollmentToken(
            pb.CreateEnrollmentTokenRequest(collector=name, **others), metadata=as_tenant(tenant)
        )
        token: str = made.token
        return token

    async def enrol(self, token: str, key: ec.EllipticCurvePrivateKey | None = None) -> tuple[Shown, Any]:
        key = key or new_key()
        answer = await self.enrollment.Enroll(
            enrollment_pb.EnrollRequest(
                enrollment_token=token, certificate_request=request_pem(key, "whoever")
            )
        )
        return Shown(key_pem(key), answer.issued.certificate_chain), answer.issued

    async def collector(self, name: str, tenant: str = "") -> tuple[Shown, Any]:
        return await self.enrol(await self.invite(name, tenant))

    async def renew(self, shown: Shown, tenant: str = "", channel: Any = None) -> Any:
        """Call what collectors may call."""
        stub: Any = EnrollmentServiceStub(channel or self.channel(shown))
        request = enrollment_pb.RenewCertificateRequest(certificate_request=request_pem(new_key(), "e"))
        return (await stub.RenewCertificate(request, metadata=as_tenant(tenant), timeout=10)).issued

    async def tenant(self, name: str, quotas: Quotas = Quotas()) -> str:  # noqa: B008 - never changes
        made = await self.tenancy.tenants.create(name, quotas)
        await self.tenancy.welcome_new()
        return made.tenant_id


def as_tenant(tenant: str) -> tuple[tuple[str, str], ...]:
    return (("mtd-tenant", tenant),) if tenant else ()


def settings_of(folder: Path, **sections: Any) -> Settings:
    tls = {"mode": "internal", "client_port": 0, "reload_interval_s": 3600, **sections.pop("tls", {})}
    return Settings.model_validate(
        {
            "daemon": {"data_dir": folder},
            "grpc": {"port": 0, "stop_grace_s": 0.2, "event_read_interval_s": 0.0, "tls": tls},
            **sections,
        }
    )


@asynccontextmanager
async def hub_in(
    folder: Path, dsn: str, parts: list[ServicePart] | None = None, *, days_ago: float = 0, **sections: Any
) -> AsyncIterator[Hub]:
    hub = Hub(settings_of(folder, **sections), Hand(days_ago))
    await hub.open(dsn, parts or [])
    try:
        yield hub
    finally:
        await hub.close()


def with_hub(folder: Path, dsn: str, body: Callable[[Hub], Awaitable[None]], **sections: Any) -> None:
    async def main() -> None:
        async with hub_in(folder, dsn, **sections) as hub:
            await body(hub)

    run_async(main(), timeout_s=60)


async def fails(call: Awaitable[Any]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    return failed.value


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.01)


def rows(dsn: str, sql: str) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


async def _welcome(tenant: Tenant) -> None:
    return
