"""IngestKeyService: the keys by which programs sign what they send."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from mtd.api.access.current import tenant_id
from mtd.api.grpc.admin.common import page_size_of, timestamp
from mtd.api.grpc.types import Context
from mtd.core.errors import Refused
from mtd.pb.admin.v1 import ingest_key_service_pb2 as pb
from mtd.pb.admin.v1.ingest_key_service_pb2_grpc import IngestKeyServiceServicer
from mtd.storage.stores.ingest_keys import IngestKeyRecord

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_MOST_OVERLAP_S = 30 * 86_400
_MOST_TOKEN = 200


class IngestKeyBackend(Protocol):
    """The ingest keys of tenants. Names and ids of those that aren't there raise NotFound."""

    async def create(self, tenant_id: str, name: str) -> tuple[IngestKeyRecord, str]:
        """Make a key; return it with its secret. Raises AlreadyExists, QuotaExceeded."""

    async def get(self, tenant_id: str, key: str) -> IngestKeyRecord:
        """Return a key by its id or name."""

    async def list(self, tenant_id: str, after: tuple[str, str], limit: int) -> Sequence[IngestKeyRecord]:
        """Return keys by name and id, at most ``limit`` behind a name and an id; revoked ones, too."""

    async def rotate(self, tenant_id: str, key: str, overlap_s: int) -> tuple[IngestKeyRecord, str]:
        """Give a key a new secret, and return it; the one before stays good for a while."""

    async def revoke(self, tenant_id: str, key: str) -> IngestKeyRecord:
        """End a key."""


class IngestKeyServicer(IngestKeyServiceServicer):
    """Asks the backend, for the caller's tenant."""

    def __init__(self, backend: IngestKeyBackend) -> None:
        self._backend = backend

    async def CreateIngestKey(
        self, request: pb.CreateIngestKeyRequest, context: Context
    ) -> pb.CreateIngestKeyResponse:
        """Make a key."""
        if not _NAME.fullmatch(request.name):
            raise Refused("name: 1 to 64 letters, digits, `.`, `-` and `_`")
        record, secret = await self._backend.create(tenant_id(), request.name)
        return pb.CreateIngestKeyResponse(key=key_message(record), secret=secret)

    async def GetIngestKey(
        self, request: pb.GetIngestKeyRequest, context: Context
    ) -> pb.GetIngestKeyResponse:
        """Read a key."""
        return pb.GetIngestKeyResponse(
            key=key_message(await self._backend.get(tenant_id(), _named(request.key)))
        )

    async def ListIngestKeys(
        self, request: pb.ListIngestKeysRequest, context: Context
    ) -> pb.ListIngestKeysResponse:
        """Read a page of keys."""
        size = page_size_of(request.page_size)
        name, _, key_id = request.page_token[:_MOST_TOKEN].partition("/")
        found = await self._backend.list(tenant_id(), (name, key_id), size + 1)
        last = found[size - 1] if len(found) > size else None
        return pb.ListIngestKeysResponse(
            keys=map(key_message, found[:size]), next_page_token=f"{last.name}/{last.key_id}" if last else ""
        )

    async def RotateIngestKey(
        self, request: pb.RotateIngestKeyRequest, context: Context
    ) -> pb.RotateIngestKeyResponse:
        """Give a key a new secret."""
        if not 0 <= request.overlap_s <= _MOST_OVERLAP_S:
            raise Refused(f"overlap_s: 0 to {_MOST_OVERLAP_S}, 30 days")
        record, secret = await self._backend.rotate(tenant_id(), _named(request.key), request.overlap_s)
        return pb.RotateIngestKeyResponse(key=key_message(record), secret=secret)

    async def RevokeIngestKey(
        self, request: pb.RevokeIngestKeyRequest, context: Context
    ) -> pb.RevokeIngestKeyResponse:
        """End a key."""
        return pb.RevokeIngestKeyResponse(
            key=key_message(await self._backend.revoke(tenant_id(), _named(request.key)))
        )


def key_message(record: IngestKeyRecord) -> pb.IngestKey:
    """Return a key as the protocol shows it."""
    return pb.IngestKey(
        key_id=record.key_id,
        name=record.name,
        create_time=timestamp(record.created_at),
        rotate_time=timestamp(record.rotated_at),
        old_secret_expire_time=timestamp(record.old_until),
        revoke_time=timestamp(record.revoked_at),
        last_used_time=timestamp(record.last_used_at),
    )


def _named(key: str) -> str:
    if not key:
        raise Refused("key: give a name or an id")
    return key
