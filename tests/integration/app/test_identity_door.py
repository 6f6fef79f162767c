"""Tenants, users and tokens over a door that trusts nobody."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from mtd.app import tenancy, token_verifier
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.principal import Role
from mtd.model.tenant import NO_TENANT_ID
from mtd.pb.admin.v1 import tenant_service_pb2 as tenant_pb
from mtd.pb.admin.v1 import token_service_pb2 as token_pb
from mtd.pb.admin.v1 import user_service_pb2 as user_pb
from mtd.pb.common.v1 import access_pb2
from mtd.pb.inventory.v1 import inventory_service_pb2 as inventory_pb
from mtd.security.tokens import new_token
from mtd.storage.stores.users import NewUser
from mtd.testing import run_async
from tests.integration.app.identity_kit import Door, open_door, refused

CODE = grpc.StatusCode
PASSWORD = "correct horse battery"
VIEWER, OPERATOR = access_pb2.ROLE_VIEWER, access_pb2.ROLE_OPERATOR
ADMIN, SUPER = access_pb2.ROLE_ADMIN, access_pb2.ROLE_SUPER_ADMIN


@pytest.fixture(autouse=True)
def remembering_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all that is remembered be dropped because PostgreSQL tells so, and not as time goes on."""
    monkeypatch.setattr(tenancy, "_KEPT_S", 3600.0)
    monkeypatch.setattr(token_verifier, "_KEPT_S", 3600.0)


def with_door(dsn: str, body: Callable[[Door], Awaitable[None]], **security: Any) -> None:
    async def main() -> None:
        async with open_door(dsn, **security) as door:
            await body(door)

    run_async(main(), timeout_s=60)


async def tenant(door: Door, name: str, **quotas: int) -> str:
    request = tenant_pb.CreateTenantRequest(name=name, quotas=tenant_pb.Quotas(**quotas))
    return str((await door.root.CreateTenant(request)).tenant.id)


def test_who_shows_nothing_gets_nothing(postgres_dsn: str) -> None:
    async def body(door: Door) -> None:
        await refused(door.showing("").WhoAmI(user_pb.WhoAmIRequest()), CODE.UNAUTHENTICATED)
        for bad in ("mtd_", "x", new_token("0" * 12).text, door.root_token[:-1], door.root_token + "0"):
            await refused(
                door.showing(bad).WhoAmI(user_pb.WhoAmIRequest()), CODE.UNAUTHENTICATED, "no longer good"
            )

    with_door(postgres_dsn, body)


def test_everybody_may_ask_who_they_are(postgres_dsn: str) -> None:
    async def body(door: Door) -> None:
        secret = await door.token(DEFAULT_TENANT_ID, Role.VIEWER, ["telemetry.read"], "grafana")
        me = await door.showing(secret).WhoAmI(user_pb.WhoAmIRequest())
        assert (me.kind, me.name, me.role, me.tenant_id, me.tenant_name) == (
            "token", "grafana", VIEWER, DEFAULT_TENANT_ID, "default",
        )  # fmt: skip
        assert me.scopes == ["telemetry.read"]
        north = await tenant(door, "north")
        me = await door.showing(door.root_token, "north").WhoAmI(user_pb.WhoAmIRequest())
        assert (me.tenant_id, me.tenant_name, me.role) == (north, "north", SUPER)

    with_door(postgres_dsn, body)


def test_a_token_made_at_the_door_opens_it(postgres_dsn: str) -> None:
    async def body(door: Door) -> None:
        request = token_pb.CreateTokenRequest(name="grafana", role=VIEWER, scopes=["inventory.read"])
        made = await door.root.CreateToken(request)
        assert made.token.created_by == "token root"
        assert made.secret.startswith(f"mtd_{made.token.id}_")
        caller = door.showing(made.secret)
        assert (await caller.ListDevices(inventory_pb.ListDevicesRequest())).devices == []
        settings = inventory_pb.DeviceSettings(name="x", host="h")
        await refused(
            caller.CreateDevice(inventory_pb.CreateDeviceRequest(settings=settings)),
            CODE.PERMISSION_DENIED, "inventory.write",
        )  # fmt: skip
        listed = (await door.root.ListTokens(token_pb.ListTokensRequest())).tokens
        assert [one.name for one in listed] == ["grafana"]
        assert made.secret not in str(listed)

    with_door(postgres_dsn, body)


def test_a_revoked_token_is_refused_at_once(postgres_dsn: str) -> None:
    async def body(door: Door) -> None:
        secret = await door.token(DEFAULT_TENANT_ID, Role.VIEWER, name="t")
        await door.showing(secret).WhoAmI(user_pb.WhoAmIRequest())  # and is remembered
        # By another daemon: only PostgreSQL tells this one.
        await door.identity.tenancy.tokens.revoke(DEFAULT_TENANT_ID, "t")
        await until_refused(door, secret)

    with_door(postgres_dsn, body)


@pytest.mark.parametrize("how", ["token", "tenant"])
def test_streams_end_with_their_tokens(postgres_dsn: str, how: str) -> None:
    async def body(door: Door) -> None:
        north = await tenant(door, "north")
        stream = door.showing(await door.token(north, Role.VIEWER, name="t")).latest(door.channel)
        await stream.initial_metadata()
        if how == "token":
            await door.identity.tenancy.tokens.revoke(north, "t")
        else:
            await door.identity.tenancy.tenants.update(north, ["enabled"], enabled=False)
        async with asyncio.timeout(20):
            await refused(stream.read(), CODE.UNAUTHENTICATED, "isn't good any more")

    with_door(postgres_dsn, body)


async def until_refused(door: Door, secret: str) -> None:
    """Wait for the notification, which is under way."""
    async with asyncio.timeout(20):
        while True:
            try:
                await door.showing(secret).WhoAmI(user_pb.WhoAmIRequest())
            except grpc.aio.AioRpcError as error:
                if error.code() is CODE.UNAUTHENTICATED:
                    return
                raise
            await asyncio.sleep(0.005)


def test_an_expired_token_is_refused_though_it_is_remembered(postgres_dsn: str) -> None:
    async def body(door: Door) -> None:
        soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
        stamp = Timestamp()
        stamp.FromDatetime(soon)
        made = await door.root.CreateToken(
            token_pb.CreateTokenRequest(name="t", role=VIEWER, scopes=["*"], expire_time=stamp)
        )
        await door.showing(made.secret).WhoAmI(user_pb.WhoAmIRequest())
        await until_refused(door, made.secret)
        assert dt.datetime.now(dt.UTC) >= soon
        past = token_pb.CreateTokenRequest(
            name="u", role=VIEWER, scopes=["*"], expire_time=Timestamp(seconds=1)
        )
        await refused(door.root.CreateToken(past), CODE.INVALID_ARGUMENT, "future")

    with_door(postgres_dsn, body)


def test_a_rotated_token_overlaps_and_then_ends(postgres_dsn: str) -> None:
    async def body(door: Door) -> None:
        old = await door.token(DEFAULT_TENANT_ID, Role.VIEWER, name="t")
        await door.showing(old).WhoAmI(user_pb.WhoAmIRequest())
        new = (await door.root.RotateToken(token_pb.RotateTokenRequest(token="t", overlap_s=600))).secret
        for secret in (old, new):
            me = await door.showing(secret).WhoAmI(user_pb.WhoAmIRequest())
            assert me.name == "t"
        newest = (await door.root.RotateToken(token_pb.RotateTokenRequest(token="t"))).secret
        for secret in (old, new):
            await until_refused(door, secret)
        await door.showing(newest).WhoAmI(user_pb.WhoAmIRequest())
        month = token_pb.RotateTokenRequest(token="t", overlap_s=31 * 86_400)
        await refused(door.root.RotateToken(month), CODE.INVALID_ARGUMENT, "30 days")

    with_door(postgres_dsn, body)


def test_wrong_tokens_have_to_wait_and_good_ones_dont(postgres_dsn: str) -> None:
    async def body(door: Door) -> None:
        await door.root.WhoAmI(user_pb.WhoAmIRequest())
        fresh = await door.token(DEFAULT_TENANT_ID, Role.VIEWER, name="fresh")
        wrong = door.showing(new_token("0" * 12).text)
        for _ in range(3):
            await refused(wrong.WhoAmI(user_pb.WhoAmIRequest()), CODE.UNAUTHENTICATED)
        await refused(wrong.WhoAmI(user_pb.WhoAmIRequest()), CODE.RESOURCE_EXHAUSTED, "wait")
        # Nobody looked at this one yet, so nobody knows that it is better.
        await refused(door.showing(fresh).WhoAmI(user_pb.WhoAmIRequest()), CODE.RESOURCE_EXHAUSTED)
        await door.root.WhoAmI(user_pb.WhoAmIRequest())
        door.identity.tenancy.verifiers[0].forget()  # type: ignore[attr-defined]
        await door.root.WhoAmI(user_pb.WhoAmIRequest())

    with_door(postgres_dsn, body, failures_per_minute=3)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.OPERATOR, Role.VIEWER])
def test_nobody_gives_more_than_they_have(postgres_dsn: str, role: Role) -> None:
    async def body(door: Door) -> None:
        caller = door.showing(await door.token(DEFAULT_TENANT_ID, role))
        for higher in [one for one in (OPERATOR, ADMIN, SUPER) if one > role]:
            await refused(
                caller.CreateUser(user_pb.CreateUserRequest(name="x", role=higher, password=PASSWORD)),
                CODE.PERMISSION_DENIED,
            )
            await refused(
                caller.CreateToken(token_pb.CreateTokenRequest(name="x", role=higher, scopes=["*"])),
                CODE.PERMISSION_DENIED,
            )
        await refused(caller.CreateTenant(tenant_pb.CreateTenantRequest(name="x")), CODE.PERMISSION_DENIED)
        await refused(
            caller.UpdateTenant(
                tenant_pb.UpdateTenantRequest(
                    tenant="default", quotas=tenant_pb.Quotas(devices=9), update_mask={"paths": ["quotas"]}
                )
            ),
            CODE.PERMISSION_DENIED,
        )
        for listing in (
            caller.ListUsers(user_pb.ListUsersRequest(super_admin=True)),
            caller.GetUser(user_pb.GetUserRequest(user="root", super_admin=True)),
            caller.ListTokens(token_pb.ListTokensRequest(super_admin=True)),
            caller.RevokeToken(token_pb.RevokeTokenRequest(token="root", super_admin=True)),
            caller.RotateToken(token_pb.RotateTokenRequest(token="root", super_admin=True)),
        ):
            await refused(listing, CODE.PERMISSION_DENIED)
        assert await door.identity.users.list(DEFAULT_TENANT_ID) == []

    with_door(postgres_dsn, body)


def test_scopes_bound_what_a_token_gives(postgres_dsn: str) -> None:
    async def body(door: Door) -> None:
        scopes = ["tokens.read", "tokens.write", "users.read", "users.write"]
        caller = door.showing(await door.token(DEFAULT_TENANT_ID, Role.ADMIN, scopes, "bound"))
        make = token_pb.CreateTokenRequest
        for wanted in (["*"], ["telemetry.read"], ["tokens.read", "inventory.write"]):
            await refused(
                caller.CreateToken(make(name="x", role=VIEWER, scopes=wanted)),
                CODE.PERMISSION_DENIED,
                "lacks the scope",
            )
        made = await caller.CreateToken(make(name="x", role=VIEWER, scopes=["tokens.read"]))
        assert made.token.scopes == ["tokens.read"]
        # A user may be used for everything: a token that is bound would get round its bounds by one.
        await door.root.CreateUser(user_pb.CreateUserRequest(name="ann", role=VIEWER, password=PASSWORD))
        for deed in (
            caller.CreateUser(user_pb.CreateUserRequest(name="x", role=VIEWER, password=PASSWORD)),
            caller.SetPassword(user_pb.SetPasswordRequest(user="ann", password=PASSWORD)),
            caller.UpdateUser(
                user_pb.UpdateUserRequest(user="ann", role=ADMIN, update_mask={"paths": ["role"]})
            ),
            caller.DeleteUser(user_pb.DeleteUserRequest(user="ann")),
        ):
            await refused(deed, CODE.PERMISSION_DENIED, "bound to scopes")
        # Nor by the secret of a token that may do more.
        await door.token(DEFAULT_TENANT_ID, Role.VIEWER, ["telemetry.read"], "wide")
        await refused(
            caller.RotateToken(token_pb.RotateTokenRequest(token="wide")),
            CODE.PERMISSION_DENIED,
            "telemetry.read",
        )
        await caller.RevokeToken(token_pb.RevokeTokenRequest(token="wide"))
        text = await refused(
            door.root.CreateToken(make(name="y", role=VIEWER, scopes=["all"])), CODE.INVALID_ARGUMENT, "'all'"
        )
        for scope in ("ingest.write", "metrics.read", "telemetry.read", "tokens.write"):
            assert scope in text
        await refused(door.root.CreateToken(make(name="y", role=VIEWER)), CODE.INVALID_ARGUMENT, "scopes")
        await refused(
            door.root.CreateToken(make(name="y", scopes=["*"])), CODE.INVALID_ARGUMENT, "ROLE_VIEWER"
        )

    with_door(postgres_dsn, body)


def test_users_of_other_tenants_arent_there(postgres_dsn: str) -> None:
    async def body(door: Door) -> None:
        north = await tenant(door, "north")
        theirs = (
            await door.showing(door.root_token, "north").CreateUser(
                user_pb.CreateUserRequest(name="ann", role=ADMIN, password=PASSWORD)
            )
        ).user
        token = await door.token(north, Role.ADMIN, name="theirs")
        caller = door.showing(await door.token(DEFAULT_TENANT_ID, Role.ADMIN))
        for one in (theirs.id, "nobody"):
            for deed in (
                caller.GetUser(user_pb.GetUserRequest(user=one)),
                caller.DeleteUser(user_pb.DeleteUserRequest(user=one)),
                caller.SetPassword(user_pb.SetPasswordRequest(user=one, password=PASSWORD)),
                caller.UpdateUser(user_pb.UpdateUserRequest(user=one, update_mask={"paths": ["enabled"]})),
            ):
                assert await refused(deed, CODE.NOT_FOUND) == f"there is no user {one!r}"
        for one in (token.split("_")[1], "theirs", "nobody"):
            for deed in (
                caller.RotateToken(token_pb.RotateTokenRequest(token=one)),
                caller.RevokeToken(token_pb.RevokeTokenRequest(token=one)),
            ):
                assert await refused(deed, CODE.NOT_FOUND) == f"there is no token {one!r}"
        for one in (north, "north", "nobody"):
            for deed in (
                caller.GetTenant(tenant_pb.GetTenantRequest(tenant=one)),
                caller.GetQuotaUsage(tenant_pb.GetQuotaUsageRequest(tenant=one)),
            ):
                assert await refused(deed, CODE.NOT_FOUND) == f"there is no tenant {one!r}"
        seen = await caller.ListTenants(tenant_pb.ListTenantsRequest())
        assert [one.name for one in seen.tenants] == ["default"]
        assert list((await caller.ListUsers(user_pb.ListUsersRequest())).users) == []
        await refused(
            door.showing(token, "default").WhoAmI(user_pb.WhoAmIRequest()),
            CODE.PERMISSION_DENIED,
            "may not work",
        )

    with_door(postgres_dsn, body)


def test_who_belongs_to_a_tenant_that_is_switched_off_is_refused(postgres_dsn: str) -> None:
    async def body(door: Door) -> None:
        north = await tenant(door, "north")
        caller = door.showing(await door.token(north, Role.ADMIN))
        await caller.WhoAmI(user_pb.WhoAmIRequest())
        off = tenant_pb.UpdateTenantRequest(tenant="north", update_mask={"paths": ["enabled"]})
        assert not (await door.root.UpdateTenant(off)).tenant.enabled
        directory = door.identity.tenancy.directory
        async with asyncio.timeout(20):
            while (found := await directory.tenant(north)) is not None and found.enabled:
                await asyncio.sleep(0.005)
        await refused(caller.WhoAmI(user_pb.WhoAmIRequest()), CODE.PERMISSION_DENIED, "switched off")
        above = await door.showing(door.root_token, "north").WhoAmI(user_pb.WhoAmIRequest())
        assert above.tenant_id == north

    with_door(postgres_dsn, body)


def test_users_are_managed(postgres_dsn: str) -> None:
    async def body(door: Door) -> None:
        caller = door.showing(await door.token(DEFAULT_TENANT_ID, Role.ADMIN))
        request = user_pb.CreateUserRequest(name="ann", role=OPERATOR, password=PASSWORD)
        ann = (await caller.CreateUser(request)).user
        assert (ann.role, ann.enabled, ann.has_password, ann.revision) == (OPERATOR, True, True, 1)
        await refused(caller.CreateUser(request), CODE.ALREADY_EXISTS, "'ann'")
        weak = user_pb.CreateUserRequest(name="bob", role=VIEWER, password="short")
        await refused(caller.CreateUser(weak), CODE.INVALID_ARGUMENT, "too short")
        change = user_pb.UpdateUserRequest(
            user="ann", role=ADMIN, name="bea", update_mask={"paths": ["role", "name"]}, revision=1
        )
        bea = (await caller.UpdateUser(change)).user
        assert (bea.id, bea.name, bea.role, bea.revision) == (ann.id, "bea", ADMIN, 2)
        change.user = "bea"
        await refused(caller.UpdateUser(change), CODE.ABORTED)
        change.revision, change.role = 0, SUPER
        await refused(caller.UpdateUser(change), CODE.PERMISSION_DENIED)
        await refused(door.root.UpdateUser(change), CODE.INVALID_ARGUMENT, "super-admin belongs to no tenant")
        await refused(
            caller.UpdateUser(user_pb.UpdateUserRequest(user="bea", update_mask={"paths": ["id"]})),
            CODE.INVALID_ARGUMENT, "'id'",
        )  # fmt: skip
        await refused(
            caller.SetPassword(user_pb.SetPasswordRequest(password=PASSWORD)), CODE.INVALID_ARGUMENT, "user"
        )
        login = await door.identity.users.login(DEFAULT_TENANT_ID, "bea")
        assert login
        assert await door.identity.passwords.verify(login.password_hash, PASSWORD)
        await caller.SetPassword(user_pb.SetPasswordRequest(user="bea", password=PASSWORD + "2"))
        login = await door.identity.users.login(DEFAULT_TENANT_ID, "bea")
        assert login
        assert await door.identity.passwords.verify(login.password_hash, PASSWORD + "2")
        await caller.DeleteUser(user_pb.DeleteUserRequest(user="bea"))
        assert list((await caller.ListUsers(user_pb.ListUsersRequest())).users) == []

    with_door(postgres_dsn, body)


def test_people_change_their_own_password_with_the_old_one(postgres_dsn: str) -> None:
    async def body(door: Door) -> None:
        users, passwords = door.identity.users, door.identity.passwords
        stored = await passwords.hash(PASSWORD)
        ann = await users.create(DEFAULT_TENANT_ID, NewUser("ann", Role.VIEWER), stored)
        boss = await users.create(DEFAULT_TENANT_ID, NewUser("boss", Role.ADMIN), stored)
        root = await users.create(NO_TENANT_ID, NewUser("ann", Role.SUPER_ADMIN), stored)
        change = user_pb.SetPasswordRequest
        for user, named in (
            (ann, [{}, {"user": "ann"}, {"user": ann.user_id}]),
            (boss, [{}, {"user": "boss"}, {"user": boss.user_id}]),
            (root, [{}, {"user": "ann", "super_admin": True}, {"user": root.user_id, "super_admin": True}]),
        ):
            caller = door.user(user)
            for names in named:
                request = change(old_password="wrong", password=PASSWORD + "2", **names)
                await refused(caller.SetPassword(request), CODE.PERMISSION_DENIED, "isn't your password")
            weak = change(old_password=PASSWORD, password="short")
            await refused(caller.SetPassword(weak), CODE.INVALID_ARGUMENT, "too short")
            await caller.SetPassword(change(old_password=PASSWORD, password=PASSWORD + "2"))
            login = await users.by_id(user.user_id)
            assert login
            assert await passwords.verify(login.password_hash, PASSWORD + "2")
        others = change(user="boss", password=PASSWORD)
        await refused(door.user(ann).SetPassword(others), CODE.PERMISSION_DENIED, "role viewer")
        await door.user(boss).SetPassword(change(user="ann", password=PASSWORD))
        login = await users.by_id(ann.user_id)
        assert login
        assert await passwords.verify(login.password_hash, PASSWORD)
        login = await users.by_id(root.user_id)  # of the same name, and not touched
        assert login
        assert await passwords.verify(login.password_hash, PASSWORD + "2")

    with_door(postgres_dsn, body)


def test_who_guesses_the_old_password_has_to_wait(postgres_dsn: str) -> None:
    async def body(door: Door) -> None:
        stored = await door.identity.passwords.hash(PASSWORD)
        ann = await door.identity.users.create(DEFAULT_TENANT_ID, NewUser("ann", Role.VIEWER), stored)
        caller = door.user(ann)
        for _ in range(2):
            guess = user_pb.SetPasswordRequest(old_password="a guess", password=PASSWORD + "2")
            await refused(caller.SetPassword(guess), CODE.PERMISSION_DENIED)
        right = user_pb.SetPasswordRequest(old_password=PASSWORD, password=PASSWORD + "2")
        await refused(caller.SetPassword(right), CODE.RESOURCE_EXHAUSTED, "wait")

    with_door(postgres_dsn, body, failures_per_minute=2)


def test_lists_come_page_by_page(postgres_dsn: str) -> None:
    async def body(door: Door) -> None:
        for name in "cab":
            await door.root.CreateUser(user_pb.CreateUserRequest(name=name, role=VIEWER))
            await tenant(door, name)
            await door.token(DEFAULT_TENANT_ID, Role.VIEWER, name=name)
        root = door.root
        users = await all_names(lambda page: root.ListUsers(user_pb.ListUsersRequest(**page)), "users")
        tenants = await all_names(
            lambda page: root.ListTenants(tenant_pb.ListTenantsRequest(**page)), "tenants"
        )
        tokens = await all_names(lambda page: root.ListTokens(token_pb.ListTokensRequest(**page)), "tokens")
        assert users == ["a", "b", "c"]
        assert tenants == ["a", "b", "c", "default"]
        assert sorted(tokens) == ["a", "b", "c"]

    with_door(postgres_dsn, body)


async def all_names(ask: Callable[[dict[str, Any]], Awaitable[Any]], field: str) -> list[str]:
    found: list[str] = []
    token = ""
    while True:
        page = await ask({"page_size": 2, "page_token": token})
        entries = getattr(page, field)
        assert len(entries) <= 2
        found += [one.name for one in entries]
        token = page.next_page_token
        if not token:
            return found


def test_the_last_super_admin_stays(postgres_dsn: str) -> None:
    async def body(door: Door) -> None:
        one = user_pb.CreateUserRequest(name="one", role=SUPER, password=PASSWORD)
        await door.root.CreateUser(one)
        last = user_pb.DeleteUserRequest(user="one", super_admin=True)
        await refused(door.root.DeleteUser(last), CODE.INVALID_ARGUMENT, "last super-admin")
        await refused(door.root.DeleteUser(user_pb.DeleteUserRequest(user="one")), CODE.NOT_FOUND)
        two = user_pb.CreateUserRequest(
            name="two", role=SUPER, oidc_issuer="https://id.example", oidc_subject="2"
        )
        await door.root.CreateUser(two)
        await refused(
            door.root.SetPassword(user_pb.SetPasswordRequest(user="two", super_admin=True, password=PASSWORD)),
            CODE.INVALID_ARGUMENT, "id.example",
        )  # fmt: skip
        await door.root.DeleteUser(last)
        assert [user.name for user in await door.identity.users.list(NO_TENANT_ID)] == ["two"]

    with_door(postgres_dsn, body)
