"""UserService: who may log in, and who the caller is."""

from __future__ import annotations

from typing import Any

from mtd.api.access.current import principal
from mtd.api.access.grants import refuse_higher_role, refuse_users
from mtd.api.access.interfaces import Tenants
from mtd.api.admin_interfaces import UserBackend
from mtd.api.grpc.admin.common import given_role, owner, page_size_of, role_message, timestamp
from mtd.api.grpc.types import Context
from mtd.core.errors import Refused
from mtd.model.principal import CallerKind, Principal, Role
from mtd.pb.admin.v1 import user_service_pb2 as pb
from mtd.pb.admin.v1.user_service_pb2_grpc import UserServiceServicer
from mtd.storage.stores.users import FIELDS, NewUser, UserRecord


class UserServicer(UserServiceServicer):
    """Checks what the caller may give and touch, and asks the backend."""

    def __init__(self, backend: UserBackend, tenants: Tenants) -> None:
        self._backend = backend
        self._tenants = tenants

    async def CreateUser(self, request: pb.CreateUserRequest, context: Context) -> pb.CreateUserResponse:
        """Add a user."""
        role = given_role(request.role)
        caller = principal()
        refuse_users(caller)
        refuse_higher_role(caller, role)
        if request.password and request.oidc_issuer:
            raise Refused("password: an identity provider says who the user is, so it has no password here")
        record = await self._backend.create(
            owner(super_admin=role is Role.SUPER_ADMIN),
            NewUser(request.name, role, request.oidc_issuer, request.oidc_subject),
            request.password,
        )
        return pb.CreateUserResponse(user=user_message(record))

    async def GetUser(self, request: pb.GetUserRequest, context: Context) -> pb.GetUserResponse:
        """Read a user."""
        record = await self._backend.get(owner(super_admin=request.super_admin), _named(request.user))
        return pb.GetUserResponse(user=user_message(record))

    async def ListUsers(self, request: pb.ListUsersRequest, context: Context) -> pb.ListUsersResponse:
        """Read a page of users."""
        size = page_size_of(request.page_size)
        found = list(
            await self._backend.list(owner(super_admin=request.super_admin), request.page_token, size + 1)
        )
        return pb.ListUsersResponse(
            users=map(user_message, found[:size]),
            next_page_token=found[size - 1].name if len(found) > size else "",
        )

    async def UpdateUser(self, request: pb.UpdateUserRequest, context: Context) -> pb.UpdateUserResponse:
        """Change a user."""
        tenant, before = await self._touched(request.user, super_admin=request.super_admin)
        changes = _changes_of(request)
        role = changes.get("role", before.role)
        refuse_higher_role(principal(), role)
        if (role is Role.SUPER_ADMIN) != (before.role is Role.SUPER_ADMIN):
            raise Refused(
                "role: a super-admin belongs to no tenant, and others to one: remove the user and add another"
            )
        # What was looked at is what is changed.
        record = await self._backend.update(
            tenant, before.user_id, changes, request.revision or before.revision
        )
        return pb.UpdateUserResponse(user=user_message(record))

    async def DeleteUser(self, request: pb.DeleteUserRequest, context: Context) -> pb.DeleteUserResponse:
        """Remove a user."""
        tenant, found = await self._touched(request.user, super_admin=request.super_admin)
        await self._backend.delete(tenant, found.user_id)
        return pb.DeleteUserResponse()

    async def SetPassword(self, request: pb.SetPasswordRequest, context: Context) -> pb.SetPasswordResponse:
        """Set the caller's own password, or that of another user."""
        caller = principal()
        if await self._is_self(caller, request):
            await self._backend.change_password(caller.caller_id, request.old_password, request.password)
            return pb.SetPasswordResponse()
        refuse_higher_role(caller, Role.ADMIN)
        tenant, found = await self._touched(request.user, super_admin=request.super_admin)
        if found.oidc_issuer:
            raise Refused(f"{found.name!r} has no password here: {found.oidc_issuer} says who it is")
        await self._backend.set_password(tenant, found.user_id, request.password)
        return pb.SetPasswordResponse()

    async def WhoAmI(self, request: pb.WhoAmIRequest, context: Context) -> pb.WhoAmIResponse:
        """Tell the caller who it is."""
        caller = principal()
        tenant = await self._tenants.tenant(caller.tenant_id)
        return pb.WhoAmIResponse(
            kind=caller.kind.value,
            name=caller.name,
            role=None if caller.role is None else role_message(caller.role),
            tenant_id=caller.tenant_id,
            tenant_name=tenant.name if tenant else "",
            scopes=sorted(caller.scopes),
        )

    async def _touched(self, user: str, *, super_admin: bool) -> tuple[str, UserRecord]:
        """Return a user that the caller may change, and its tenant."""
        caller = principal()
        refuse_users(caller)
        tenant = owner(super_admin=super_admin)
        record = await self._backend.get(tenant, _named(user))
        refuse_higher_role(caller, record.role)
        return tenant, record

    async def _is_self(self, caller: Principal, request: pb.SetPasswordRequest) -> bool:
        if caller.kind is not CallerKind.USER:
            if not request.user:
                raise Refused("user: name whose password to set; you have none of your own")
            return False
        if not request.user or request.user == caller.caller_id:
            return True
        at_home = request.super_admin == (caller.role is Role.SUPER_ADMIN)
        return at_home and request.user == caller.name


def user_message(record: UserRecord) -> pb.User:
    """Return a user as the protocol shows it."""
    return pb.User(
        id=record.user_id,
        name=record.name,
        role=role_message(record.role),
        enabled=record.enabled,
        oidc_issuer=record.oidc_issuer,
        oidc_subject=record.oidc_subject,
        has_password=record.password_changed_at is not None,
        revision=record.revision,
        create_time=timestamp(record.created_at),
        update_time=timestamp(record.updated_at),
        password_time=timestamp(record.password_changed_at),
        login_time=timestamp(record.last_login_at),
    )


def _changes_of(request: pb.UpdateUserRequest) -> dict[str, Any]:
    mask = set(request.update_mask.paths)
    unknown = sorted(mask - FIELDS)
    if unknown:
        raise Refused(f"update_mask: {unknown[0][:100]!r} is none of {', '.join(sorted(FIELDS))}")
    if not mask:
        raise Refused("nothing to change: name fields in the update mask")
    changes: dict[str, Any] = {name: getattr(request, name) for name in mask}
    if "role" in mask:
        changes["role"] = given_role(request.role)
    return changes


def _named(user: str) -> str:
    if not user:
        raise Refused("user: give a name or an id")
    return user
