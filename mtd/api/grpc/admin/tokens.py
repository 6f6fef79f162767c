"""TokenService: what programs show instead of a password."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.api.access.current import principal
from mtd.api.access.grants import checked_scopes, refuse_higher_role, refuse_more_scopes
from mtd.api.admin_interfaces import TokenBackend
from mtd.api.grpc.admin.common import (
    future_moment,
    given_role,
    owner,
    page_size_of,
    role_message,
    timestamp,
)
from mtd.api.grpc.types import Context
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Refused
from mtd.model.principal import Role
from mtd.pb.admin.v1 import token_service_pb2 as pb
from mtd.pb.admin.v1.token_service_pb2_grpc import TokenServiceServicer
from mtd.storage.stores.tokens import NewToken, TokenRecord

_MOST_OVERLAP_S = 30 * 86_400


class TokenServicer(TokenServiceServicer):
    """Checks what the caller may give, and asks the backend. ``scopes`` are all that there are."""

    def __init__(
        self, backend: TokenBackend, scopes: Collection[str], *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._backend = backend
        self._scopes = frozenset(scopes)
        self._clock = clock

    async def CreateToken(self, request: pb.CreateTokenRequest, context: Context) -> pb.CreateTokenResponse:
        """Make a token."""
        caller, role = principal(), given_role(request.role)
        refuse_higher_role(caller, role)
        scopes = checked_scopes(caller, request.scopes, self._scopes)
        expires_at = self._expiry(request.expire_time) if request.HasField("expire_time") else None
        record, token = await self._backend.create(
            owner(super_admin=role is Role.SUPER_ADMIN),
            NewToken(request.name, role, scopes, str(caller), expires_at),
        )
        return pb.CreateTokenResponse(token=token_message(record), secret=token.text)

    async def ListTokens(self, request: pb.ListTokensRequest, context: Context) -> pb.ListTokensResponse:
        """Read a page of tokens."""
        size = page_size_of(request.page_size)
        found = await self._backend.list(
            owner(super_admin=request.super_admin),
            revoked=request.revoked,
            after_id=request.page_token,
            limit=size + 1,
        )
        return pb.ListTokensResponse(
            tokens=map(token_message, found[:size]),
            next_page_token=found[size - 1].token_id if len(found) > size else "",
        )

    async def RotateToken(self, request: pb.RotateTokenRequest, context: Context) -> pb.RotateTokenResponse:
        """Give a token a new secret."""
        if request.overlap_s > _MOST_OVERLAP_S:
            raise Refused(f"overlap_s: at most {_MOST_OVERLAP_S}, 30 days")
        caller = principal()
        tenant, found = await self._touched(request.token, super_admin=request.super_admin)
        # Who gets the secret gets what it is good for.
        refuse_more_scopes(caller, found.scopes)
        expires_at = self._expiry(request.expire_time) if request.HasField("expire_time") else None
        record, token = await self._backend.rotate(tenant, found.token_id, request.overlap_s, expires_at)
        return pb.RotateTokenResponse(token=token_message(record), secret=token.text)

    async def RevokeToken(self, request: pb.RevokeTokenRequest, context: Context) -> pb.RevokeTokenResponse:
        """End a token."""
        tenant, found = await self._touched(request.token, super_admin=request.super_admin)
        return pb.RevokeTokenResponse(token=token_message(await self._backend.revoke(tenant, found.token_id)))

    async def _touched(self, token: str, *, super_admin: bool) -> tuple[str, TokenRecord]:
        if not token:
            raise Refused("token: give a name or an id")
        tenant = owner(super_admin=super_admin)
        record = await self._backend.get(tenant, token)
        refuse_higher_role(principal(), record.role)
        return tenant, record

    def _expiry(self, stamp: Timestamp) -> dt.datetime:
        now = dt.datetime.fromtimestamp(self._clock.now_us() / 1e6, dt.UTC)
        return future_moment("expire_time", stamp, now)


def token_message(record: TokenRecord) -> pb.Token:
    """Return a token as the protocol shows it."""
    return pb.Token(
        id=record.token_id,
        name=record.name,
        role=role_message(record.role),
        scopes=sorted(record.scopes),
        created_by=record.created_by,
        create_time=timestamp(record.created_at),
        expire_time=timestamp(record.expires_at),
        rotate_time=timestamp(record.rotated_at),
        previous_expire_time=timestamp(record.previous_until),
        use_time=timestamp(record.last_used_at),
        revoke_time=timestamp(record.revoked_at),
    )
