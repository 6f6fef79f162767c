"""Tenants, users and API tokens: give what a function here returns to a client's ``ask``.

me = client.ask(identity.who_am_i())
made = client.ask(identity.create_token("grafana", role="viewer", scopes=["telemetry.read"]))
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.client.errors import MtdClientError
from mtd.client.requests import Call
from mtd.client.values import moment, number_of, word
from mtd.pb.admin.v1 import tenant_service_pb2 as tenant_pb
from mtd.pb.admin.v1 import token_service_pb2 as token_pb
from mtd.pb.admin.v1 import user_service_pb2 as user_pb
from mtd.pb.common.v1 import access_pb2

TENANTS = "tenants"
USERS = "users"
TOKENS = "tokens"

QUOTAS = ("devices", "collectors", "ingest_points_per_s", "retention_days", "diagnostics_per_hour")
ROLES = ("viewer", "operator", "admin", "super-admin")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list; an empty token ends it."""

    entries: Sequence[T]
    next_page_token: str


class Asks(Protocol):
    """A client that isn't asynchronous."""

    def ask(self, call: Call[Any]) -> Any:
        """Make a call."""


def every(client: Asks, page_of: Callable[[str], Call[Page[T]]]) -> Iterator[T]:
    """Yield all entries of a list, page by page; ``page_of`` returns the call for a page token."""
    token = ""
    while True:
        page = client.ask(page_of(token))
        yield from page.entries
        token = page.next_page_token
        if not token:
            return


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant. ``quotas`` holds what is limited, by the words of QUOTAS."""

    id: str
    name: str
    enabled: bool
    quotas: Mapping[str, int]
    revision: int
    created_at: dt.datetime
    updated_at: dt.datetime


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """How much of a quota is used. None: no limit, or the daemon doesn't know."""

    quota: str
    limit: int | None
    used: float | None
    note: str


@dataclass(frozen=True, slots=True)
class User:
    """A user. Times are None for what never was."""

    id: str
    name: str
    role: str
    enabled: bool
    oidc_issuer: str
    oidc_subject: str
    has_password: bool
    revision: int
    created_at: dt.datetime
    updated_at: dt.datetime
    password_set_at: dt.datetime | None
    logged_in_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token without its secret. Times are None for what never was, or never will be."""

    id: str
    name: str
    role: str
    scopes: Sequence[str]
    created_by: str
    created_at: dt.datetime
    expires_at: dt.datetime | None
    rotated_at: dt.datetime | None
    previous_expires_at: dt.datetime | None
    used_at: dt.datetime | None
    revoked_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A token and its secret, which can't be read again."""

    token: ApiToken
    secret: str

    def __repr__(self) -> str:
        return f"NewSecret({self.token!r})"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a client is to the daemon. ``role`` is empty for collectors."""

    kind: str
    name: str
    role: str
    tenant_id: str
    tenant: str
    scopes: Sequence[str]


def create_tenant(
    name: str, quotas: Mapping[str, int | None] | None = None, *, request_id: str = ""
) -> Call[Tenant]:
    """Build CreateTenant; what has no quota isn't limited."""
    request = tenant_pb.CreateTenantRequest(name=name, quotas=_quotas(quotas or {}), request_id=request_id)
    return Call(TENANTS, "CreateTenant", request, lambda answer: _tenant(answer.tenant))


def get_tenant(tenant: str = "") -> Call[Tenant]:
    """Build GetTenant: the caller's own if none is named."""
    return Call(
        TENANTS, "GetTenant", tenant_pb.GetTenantRequest(tenant=tenant), lambda answer: _tenant(answer.tenant)
    )


def tenants(page_token: str = "", page_size: int = 0) -> Call[Page[Tenant]]:
    """Build ListTenants."""
    request = tenant_pb.ListTenantsRequest(page_size=page_size, page_token=page_token)
    return Call(
        TENANTS,
        "ListTenants",
        request,
        lambda answer: Page(tuple(map(_tenant, answer.tenants)), answer.next_page_token),
    )


def update_tenant(
    tenant: str,
    *,
    name: str | None = None,
    enabled: bool | None = None,
    quotas: Mapping[str, int | None] | None = None,
    revision: int = 0,
) -> Call[Tenant]:
    """Build UpdateTenant for what is given; a quota of None isn't limited any more."""
    request = tenant_pb.UpdateTenantRequest(tenant=tenant, quotas=_quotas(quotas or {}), revision=revision)
    if name is not None:
        request.name = name
        request.update_mask.paths.append("name")
    if enabled is not None:
        request.enabled = enabled
        request.update_mask.paths.append("enabled")
    request.update_mask.paths.extend(f"quotas.{quota}" for quota in sorted(quotas or {}))
    return Call(TENANTS, "UpdateTenant", request, lambda answer: _tenant(answer.tenant))


def quota_usage(tenant: str = "") -> Call[list[QuotaUse]]:
    """Build GetQuotaUsage: of the caller's own tenant if none is named."""
    request = tenant_pb.GetQuotaUsageRequest(tenant=tenant)
    return Call(TENANTS, "GetQuotaUsage", request, lambda answer: list(map(_use, answer.usage)))


def create_user(
    name: str,
    role: str,
    *,
    password: str = "",
    oidc_issuer: str = "",
    oidc_subject: str = "",
    request_id: str = "",
) -> Call[User]:
    """Build CreateUser: with a password, or known to an identity provider. A super-admin belongs to no tenant."""
    request = user_pb.CreateUserRequest(
        name=name,
        role=_role(role),
        password=password,
        oidc_issuer=oidc_issuer,
        oidc_subject=oidc_subject,
        request_id=request_id,
    )
    return Call(USERS, "CreateUser", request, lambda answer: _user(answer.user))


def get_user(user: str, *, super_admin: bool = False) -> Call[User]:
    """Build GetUser."""
    request = user_pb.GetUserRequest(user=user, super_admin=super_admin)
    return Call(USERS, "GetUser", request, lambda answer: _user(answer.user))


def users(page_token: str = "", *, super_admin: bool = False, page_size: int = 0) -> Call[Page[User]]:
    """Build ListUsers."""
    request = user_pb.ListUsersRequest(page_size=page_size, page_token=page_token, super_admin=super_admin)
    return Call(
        USERS,
        "ListUsers",
        request,
        lambda answer: Page(tuple(map(_user, answer.users)), answer.next_page_token),
    )


def update_user(user: str, *, super_admin: bool = False, revision: int = 0, **changes: Any) -> Call[User]:
    """Build UpdateUser for the fields that are given: ``name``, ``role``, ``enabled``, ``oidc_issuer``, ``oidc_subject``."""
    fields = dict(changes)
    if "role" in fields:
        fields["role"] = _role(fields["role"])
    request = user_pb.UpdateUserRequest(user=user, super_admin=super_admin, revision=revision, **fields)
    request.update_mask.paths.extend(sorted(fields))
    return Call(USERS, "UpdateUser", request, lambda answer: _user(answer.user))


def delete_user(user: str, *, super_admin: bool = False) -> Call[None]:
    """Build DeleteUser."""
    request = user_pb.DeleteUserRequest(user=user, super_admin=super_admin)
    return Call(USERS, "DeleteUser", request, lambda _: None)


def set_password(
    password: str, *, user: str = "", old_password: str = "", super_admin: bool = False
) -> Call[None]:
    """Build SetPassword: the caller's own, with the old one, or a user's."""
    request = user_pb.SetPasswordRequest(
        user=user, super_admin=super_admin, old_password=old_password, password=password
    )
    return Call(USERS, "SetPassword", request, lambda _: None)


def who_am_i() -> Call[Caller]:
    """Build WhoAmI."""
    return Call(USERS, "WhoAmI", user_pb.WhoAmIRequest(), _caller)


def create_token(
    name: str,
    role: str,
    scopes: Sequence[str],
    *,
    expires_at: dt.datetime | None = None,
    request_id: str = "",
) -> Call[NewSecret]:
    """Build CreateToken. Without ``expires_at`` it never expires."""
    request = token_pb.CreateTokenRequest(
        name=name, role=_role(role), scopes=scopes, expire_time=_stamp(expires_at), request_id=request_id
    )
    return Call(TOKENS, "CreateToken", request, _secret)


def tokens(
    page_token: str = "", *, super_admin: bool = False, revoked: bool = False, page_size: int = 0
) -> Call[Page[ApiToken]]:
    """Build ListTokens."""
    request = token_pb.ListTokensRequest(
        page_size=page_size, page_token=page_token, super_admin=super_admin, revoked=revoked
    )
    return Call(
        TOKENS,
        "ListTokens",
        request,
        lambda answer: Page(tuple(map(_token, answer.tokens)), answer.next_page_token),
    )


def rotate_token(
    token: str,
    overlap_s: int = 0,
    *,
    expires_at: dt.datetime | None = None,
    super_admin: bool = False,
    request_id: str = "",
) -> Call[NewSecret]:
    """Build RotateToken: the present secret stays good for so many seconds."""
    request = token_pb.RotateTokenRequest(
        token=token,
        overlap_s=overlap_s,
        expire_time=_stamp(expires_at),
        super_admin=super_admin,
        request_id=request_id,
    )
    return Call(TOKENS, "RotateToken", request, _secret)


def revoke_token(token: str, *, super_admin: bool = False) -> Call[ApiToken]:
    """Build RevokeToken."""
    request = token_pb.RevokeTokenRequest(token=token, super_admin=super_admin)
    return Call(TOKENS, "RevokeToken", request, lambda answer: _token(answer.token))


def _quotas(quotas: Mapping[str, int | None]) -> tenant_pb.Quotas:
    try:
        return tenant_pb.Quotas(**{name: value for name, value in quotas.items() if value is not None})
    except (ValueError, TypeError) as error:
        raise MtdClientError(f"quotas: {error}", code="INVALID_ARGUMENT", reason="UNSENDABLE") from None


def _role(role: str) -> Any:
    return number_of(access_pb2.Role, role.replace("-", "_"), "ROLE_")


def _role_word(number: int) -> str:
    return word(access_pb2.Role, number, "ROLE_").replace("_", "-") if number else ""


def _stamp(at: dt.datetime | None) -> Timestamp | None:
    if at is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def _time(message: Any, field: str) -> dt.datetime | None:
    return _moment(getattr(message, field)) if message.HasField(field) else None


def _moment(stamp: Timestamp) -> dt.datetime:
    return moment(stamp.seconds * 1_000_000 + stamp.nanos // 1000)


def _tenant(message: tenant_pb.Tenant) -> Tenant:
    return Tenant(
        id=message.id,
        name=message.name,
        enabled=message.enabled,
        quotas={name: getattr(message.quotas, name) for name in QUOTAS if _is_set(message.quotas, name)},
        revision=message.revision,
        created_at=_moment(message.create_time),
        updated_at=_moment(message.update_time),
    )


def _is_set(message: Any, field: str) -> bool:
    return bool(message.HasField(field))


def _use(message: tenant_pb.QuotaUsage) -> QuotaUse:
    return QuotaUse(
        message.quota,
        message.limit if message.HasField("limit") else None,
        message.used if message.HasField("used") else None,
        message.note,
    )


def _user(message: user_pb.User) -> User:
    return User(
        id=message.id,
        name=message.name,
        role=_role_word(message.role),
        enabled=message.enabled,
        oidc_issuer=message.oidc_issuer,
        oidc_subject=message.oidc_subject,
        has_password=message.has_password,
        revision=message.revision,
        created_at=_moment(message.create_time),
        updated_at=_moment(message.update_time),
        password_set_at=_time(message, "password_time"),
        logged_in_at=_time(message, "login_time"),
    )


def _token(message: token_pb.Token) -> ApiToken:
    return ApiToken(
        id=message.id,
        name=message.name,
        role=_role_word(message.role),
        scopes=tuple(message.scopes),
        created_by=message.created_by,
        created_at=_moment(message.create_time),
        expires_at=_time(message, "expire_time"),
        rotated_at=_time(message, "rotate_time"),
        previous_expires_at=_time(message, "previous_expire_time"),
        used_at=_time(message, "use_time"),
        revoked_at=_time(message, "revoke_time"),
    )


def _secret(answer: Any) -> NewSecret:
    return NewSecret(_token(answer.token), answer.secret)


def _caller(answer: user_pb.WhoAmIResponse) -> Caller:
    return Caller(
        answer.kind,
        answer.name,
        _role_word(answer.role),
        answer.tenant_id,
        answer.tenant_name,
        tuple(answer.scopes),
    )
