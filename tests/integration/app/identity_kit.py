"""A door that trusts nobody, before a database: tenants, users and tokens as in the daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import grpc
import grpc.aio
import pytest

from mtd.api.access.interfaces import Credentials
from mtd.api.grpc.server import GrpcServer
from mtd.app.config import Settings
from mtd.app.identity import Identity
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.principal import CallerKind, Principal, Role
from mtd.model.tenant import NO_TENANT_ID
from mtd.pb.admin.v1.tenant_service_pb2_grpc import TenantServiceStub
from mtd.pb.admin.v1.token_service_pb2_grpc import TokenServiceStub
from mtd.pb.admin.v1.user_service_pb2_grpc import UserServiceStub
from mtd.pb.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as telemetry_pb
from mtd.pb.telemetry.v1.telemetry_service_pb2_grpc import TelemetryServiceStub
from mtd.storage.pool import Database
from mtd.storage.stores.tokens import NewToken
from mtd.storage.stores.users import UserRecord
from tests.unit.api.fakes import CATALOGUE, FakeTelemetry, context

CHEAP = {"memory_kib": 8192, "passes": 1, "lanes": 1}


class Caller:
    """Stubs that show a token with each call, and may say for which tenant they work."""

    def __init__(self, channel: Any, bearer: str = "", tenant: str = "") -> None:
        shown: list[tuple[str, str]] = []
        if bearer:
            shown.append(("authorization", f"Bearer {bearer}"))
        if tenant:
            shown.append(("mtd-tenant", tenant))
        self._metadata = tuple(shown)
        self._stubs = [
            stub(channel)
            for stub in (TenantServiceStub, UserServiceStub, TokenServiceStub, InventoryServiceStub)
        ]

    def latest(self, channel: Any) -> Any:
        """Begin a stream of live values."""
        return TelemetryServiceStub(channel).StreamLatest(
            telemetry_pb.StreamLatestRequest(), metadata=self._metadata
        )

    def __getattr__(self, method: str) -> Any:
        stub = next(stub for stub in self._stubs if hasattr(stub, method))

        async def call(request: Any) -> Any:
            return await getattr(stub, method)(request, metadata=self._metadata, timeout=20)

        return call


class LoggedIn:
    """Knows people who logged in elsewhere, by what they show."""

    def __init__(self) -> None:
        self.people: dict[str, Principal] = {}

    async def verify(self, credentials: Credentials) -> Principal | None:
        """See `Verifier`."""
        return self.people.get(credentials.bearer)


class Door:
    """An open door; the token of a super-admin is there from the beginning."""

    def __init__(
        self, identity: Identity, doors: Database, writer: Database, port: int, logged_in: LoggedIn
    ) -> None:
        self.identity = identity
        self.logged_in = logged_in
        self.doors = doors
        self.writer = writer
        self.target = f"127.0.0.1:{port}"
        self.channel: Any = grpc.aio.insecure_channel(self.target)
        self.root_token = ""

    def showing(self, bearer: str, tenant: str = "") -> Caller:
        """Return a caller that shows a token."""
        return Caller(self.channel, bearer, tenant)

    def user(self, record: UserRecord) -> Caller:
        """Return a user as a caller who logged in."""
        tenant_id = DEFAULT_TENANT_ID if record.tenant_id == NO_TENANT_ID else record.tenant_id
        caller = Principal(CallerKind.USER, record.name, tenant_id, record.role, "", record.user_id)
        self.logged_in.people[record.user_id] = caller
        return self.showing(record.user_id)

    async def token(self, tenant_id: str, role: Role, scopes: Sequence[str] = ("*",), name: str = "") -> str:
        """Make a token behind the door's back; return its secret."""
        new = NewToken(name or f"{role.word} {' '.join(scopes)}", role, scopes, "test")
        return (await self.identity.tenancy.tokens.create(tenant_id, new))[1].text

    @property
    def root(self) -> Caller:
        """The super-admin, for the first tenant."""
        return self.showing(self.root_token)


@asynccontextmanager
async def open_door(dsn: str, *, sole: str = "", **security: Any) -> AsyncIterator[Door]:
    """Open a door on a database. ``sole``: the id of the only tenant that it serves."""
    settings = Settings.model_validate(
        {"security": {"trust_loopback": False, "passwords": CHEAP, **security}}
    )
    doors, writer = Database.for_queries(dsn), Database.for_writing(dsn)
    await doors.start()
    await writer.start()
    fakes = context(FakeTelemetry())
    identity = Identity(doors, writer, settings, CATALOGUE, fakes.running, sole)
    await identity.start()
    logged_in = LoggedIn()
    identity.tenancy.verifiers.append(logged_in)
    api = replace(fakes, gate=identity.tenancy.gate, parts=identity.parts())
    server = GrpcServer(api)
    await server.start()
    door = Door(identity, doors, writer, server.port, logged_in)
    door.root_token = await door.token(NO_TENANT_ID, Role.SUPER_ADMIN, name="root")
    try:
        yield door
    finally:
        await door.channel.close()
        await server.stop()
        await identity.stop()
        await doors.stop()
        await writer.stop()


async def refused(call: Any, code: grpc.StatusCode, words: str = "") -> str:
    """Expect a status; return its text."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    assert failed.value.code() is code, failed.value
    text = str(failed.value.details())
    assert words in text, text
    return text
