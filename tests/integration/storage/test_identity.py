"""Tenants, users, tokens and quotas in PostgreSQL, seen through the walls."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import psycopg2
import pytest

from mtd.core.errors import AlreadyExists, Conflict, NotFound, QuotaExceeded, Refused
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.principal import Role
from mtd.model.tenant import NO_TENANT_ID, Quota, Quotas, Tenant
from mtd.security.keyfile import MasterKey
from mtd.security.tokens import parse_token
from mtd.security.vault import Vault
from mtd.storage.errors import StatementRejected
from mtd.storage.pool import Database
from mtd.storage.stores import tokens as token_module
from mtd.storage.stores import users as user_module
from mtd.storage.stores.device_settings import DeviceSettings
from mtd.storage.stores.devices import DeviceStore
from mtd.storage.stores.quotas import QuotaStore, refuse_over_quota
from mtd.storage.stores.tenants import CHANNEL, TenantStore
from mtd.storage.stores.tokens import NewToken, TokenStore
from mtd.storage.stores.users import NewUser, UserStore
from mtd.storage.txn import Transaction
from mtd.testing import run_async

HASH = "$argon2id$v=19$m=8192,t=1,p=1$c2FsdA$aGFzaA"


class Stores:
    def __init__(self, doors: Database, writer: Database) -> None:
        self.doors, self.writer = doors, writer
        self.tenants = TenantStore(writer)
        self.users = UserStore(doors, writer)
        self.tokens = TokenStore(doors, writer)
        self.quotas = QuotaStore(writer)


def with_stores(dsn: str, body: Callable[[Stores], Awaitable[None]]) -> None:
    async def main() -> None:
        doors, writer = Database.for_queries(dsn), Database.for_writing(dsn)
        await doors.start()
        await writer.start()
        try:
            await body(Stores(doors, writer))
        finally:
            await doors.stop()
            await writer.stop()

    run_async(main(), timeout_s=60)


def rows(dsn: str, sql: str) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def test_tenants_are_made_found_and_changed(postgres_dsn: str) -> None:
    async def body(stores: Stores) -> None:
        made = await stores.tenants.create("north", Quotas(devices=5))
        assert (made.name, made.enabled, made.revision, made.quotas) == ("north", True, 1, Quotas(devices=5))
        assert await stores.tenants.get("north") == await stores.tenants.get(made.tenant_id) == made
        assert [one.name for one in await stores.tenants.list()] == ["default", "north"]
        assert [one.name for one in await stores.tenants.list(after_name="default")] == ["north"]
        assert [one.name for one in await stores.tenants.list(limit=1)] == ["default"]
        assert Tenant(made.tenant_id, "north", enabled=True) in await stores.tenants.directory()

        changed = await stores.tenants.update(
            "north",
            ["name", "quotas.collectors"],
            name="south",
            enabled=False,
            quotas=Quotas(collectors=2),
            revision=1,
        )
        assert (changed.name, changed.enabled, changed.revision) == ("south", True, 2)
        assert changed.quotas == Quotas(devices=5, collectors=2)
        shut = await stores.tenants.update(made.tenant_id, ["enabled", "quotas.devices"], enabled=False)
        assert (shut.enabled, shut.quotas) == (False, Quotas(collectors=2))
        with pytest.raises(Conflict, match="revision 3"):
            await stores.tenants.update("south", ["enabled"], revision=2)
        with pytest.raises(NotFound, match="'north'"):
            await stores.tenants.get("north")

    with_stores(postgres_dsn, body)


@pytest.mark.parametrize("name", ["", " x", "a\nb", "x" * 101, DEFAULT_TENANT_ID])
def test_names_that_cant_be(postgres_dsn: str, name: str) -> None:
    async def body(stores: Stores) -> None:
        with pytest.raises(Refused, match="name"):
            await stores.tenants.create(name)
        with pytest.raises(Refused, match="name"):
            await stores.users.create(DEFAULT_TENANT_ID, NewUser(name, Role.VIEWER))
        with pytest.raises(Refused, match="name"):
            await stores.tokens.create(DEFAULT_TENANT_ID, NewToken(name, Role.VIEWER, ["*"], "me"))

    with_stores(postgres_dsn, body)


def test_what_is_taken_and_what_makes_no_sense(postgres_dsn: str) -> None:
    async def body(stores: Stores) -> None:
        with pytest.raises(AlreadyExists, match="'default'"):
            await stores.tenants.create("default")
        with pytest.raises(Refused, match="devices -1"):
            await stores.tenants.create("x", Quotas(devices=-1))
        with pytest.raises(Refused, match="retention_days 0"):
            await stores.tenants.update("default", ["quotas.retention_days"], quotas=Quotas(retention_days=0))
        with pytest.raises(Refused, match="revision"):
            await stores.tenants.update("default", ["revision"])
        assert [one.name for one in await stores.tenants.list()] == ["default"]

    with_stores(postgres_dsn, body)


def test_users_of_tenants_dont_meet(postgres_dsn: str) -> None:
    async def body(stores: Stores) -> None:
        other = (await stores.tenants.create("other")).tenant_id
        ann = await stores.users.create(DEFAULT_TENANT_ID, NewUser("ann", Role.ADMIN), HASH)
        ann2 = await stores.users.create(other, NewUser("ann", Role.VIEWER))
        root = await stores.users.create(NO_TENANT_ID, NewUser("ann", Role.SUPER_ADMIN), HASH)
        assert ann.password_changed_at
        assert not ann2.password_changed_at
        for tenant, own in ((DEFAULT_TENANT_ID, ann), (other, ann2), (NO_TENANT_ID, root)):
            assert await stores.users.list(tenant) == [own]
            assert await stores.users.get(tenant, "ann") == own
            found = await stores.users.login(tenant, "ann")
            assert found
            assert found.user == own
        for tenant, foreign in ((other, ann), (DEFAULT_TENANT_ID, ann2), (DEFAULT_TENANT_ID, root)):
            for deed in (
                stores.users.get(tenant, foreign.user_id),
                stores.users.delete(tenant, foreign.user_id),
                stores.users.set_password(tenant, foreign.user_id, HASH),
                stores.users.update(tenant, foreign.user_id, {"enabled": False}),
            ):
                with pytest.raises(NotFound):
                    await deed
        with pytest.raises(AlreadyExists, match="'ann'"):
            await stores.users.create(other, NewUser("ann", Role.VIEWER))

    with_stores(postgres_dsn, body)


def test_users_change(postgres_dsn: str) -> None:
    async def body(stores: Stores) -> None:
        users = stores.users
        ann = await users.create(DEFAULT_TENANT_ID, NewUser("ann", Role.ADMIN), HASH)
        changed = await users.update(DEFAULT_TENANT_ID, ann.user_id, {"name": "bea", "role": Role.VIEWER})
        assert (changed.name, changed.role, changed.revision) == ("bea", Role.VIEWER, 2)
        with pytest.raises(Conflict):
            await users.update(DEFAULT_TENANT_ID, ann.user_id, {"name": "cleo"}, revision=1)
        with pytest.raises(Refused, match="belong together"):
            await users.update(DEFAULT_TENANT_ID, ann.user_id, {"oidc_subject": "bea"})
        login = await users.by_id(ann.user_id)
        assert login
        assert login.password_hash == HASH
        assert HASH not in repr(login)
        await users.rehash(login, HASH + "2")
        await users.rehash(login, HASH + "3")  # somebody else was quicker
        login = await users.login(DEFAULT_TENANT_ID, "bea")
        assert login
        assert login.password_hash == HASH + "2"
        await users.logged_in(login.user)
        assert (await users.get(DEFAULT_TENANT_ID, "bea")).last_login_at

        known = {"oidc_issuer": "https://id.example", "oidc_subject": "7"}
        await users.update(DEFAULT_TENANT_ID, ann.user_id, known)
        login = await users.login(DEFAULT_TENANT_ID, "bea")
        assert login
        assert login.password_hash == ""
        assert await users.by_subject("https://id.example", "7") == login.user
        assert await users.by_subject("https://other.example", "7") is None
        assert await users.by_subject("", "") is None
        with pytest.raises(AlreadyExists, match="subject"):
            await users.create(NO_TENANT_ID, NewUser("x", Role.SUPER_ADMIN, **known))
        await users.delete(DEFAULT_TENANT_ID, "bea")
        assert await users.by_id(ann.user_id) is None

    with_stores(postgres_dsn, body)


def test_the_last_super_admin_stays(postgres_dsn: str) -> None:
    async def body(stores: Stores) -> None:
        users = stores.users
        await users.create(NO_TENANT_ID, NewUser("one", Role.SUPER_ADMIN), HASH)
        with pytest.raises(Refused, match="last super-admin"):
            await users.delete(NO_TENANT_ID, "one")
        with pytest.raises(Refused, match="last super-admin"):
            await users.update(NO_TENANT_ID, "one", {"enabled": False})
        await users.create(NO_TENANT_ID, NewUser("two", Role.SUPER_ADMIN), HASH)
        # Each removes the other at the same moment: one of them is too late.
        results = await asyncio.gather(
            users.delete(NO_TENANT_ID, "one"),
            users.update(NO_TENANT_ID, "two", {"enabled": False}),
            return_exceptions=True,
        )
        assert sorted(type(result).__name__ for result in results if isinstance(result, Exception)) == [
            "Refused"
        ]
        assert len([one for one in await users.list(NO_TENANT_ID) if one.enabled]) == 1

    with_stores(postgres_dsn, body)


def test_roles_and_tenants_belong_together(postgres_dsn: str) -> None:
    async def body(stores: Stores) -> None:
        for tenant, role in ((DEFAULT_TENANT_ID, Role.SUPER_ADMIN), (NO_TENANT_ID, Role.ADMIN)):
            with pytest.raises(StatementRejected):
                await stores.users.create(tenant, NewUser("x", role))
            with pytest.raises(StatementRejected):
                await stores.tokens.create(tenant, NewToken("x", role, ["*"], "me"))

    with_stores(postgres_dsn, body)


def test_doors_write_passwords_and_never_read_them(postgres_dsn: str) -> None:
    async def body(stores: Stores) -> None:
        await stores.users.create(DEFAULT_TENANT_ID, NewUser("ann", Role.ADMIN), HASH)

        async def peek(tx: Transaction) -> None:
            await tx.execute("SELECT hash FROM user_password")

        with pytest.raises(StatementRejected, match="permission denied"):
            await stores.doors.run("test.peek", peek, tenant=DEFAULT_TENANT_ID)

    with_stores(postgres_dsn, body)


def test_tokens_are_made_found_and_ended(postgres_dsn: str) -> None:
    async def body(stores: Stores) -> None:
        tokens = stores.tokens
        record, token = await tokens.create(
            DEFAULT_TENANT_ID,
            NewToken("grafana", Role.VIEWER, ["telemetry.read", "telemetry.read"], "user ann"),
        )
        assert parse_token(token.text) == token
        assert record.scopes == {"telemetry.read"}
        assert token.text not in repr(record)
        with pytest.raises(AlreadyExists, match="'grafana'"):
            await tokens.create(DEFAULT_TENANT_ID, NewToken("grafana", Role.VIEWER, ["*"], "user ann"))
        proof = await tokens.find(record.token_id)
        assert proof
        assert proof.proves(token.digest, now())
        assert not proof.proves(b"\0" * 32, now())
        await tokens.used(record)
        used = (await tokens.get(DEFAULT_TENANT_ID, "grafana")).last_used_at
        assert used
        await tokens.used(record)
        assert (await tokens.get(DEFAULT_TENANT_ID, "grafana")).last_used_at == used

        revoked = await tokens.revoke(DEFAULT_TENANT_ID, "grafana")
        assert revoked.revoked_at
        assert (await tokens.revoke(DEFAULT_TENANT_ID, record.token_id)).revoked_at == revoked.revoked_at
        assert await tokens.list(DEFAULT_TENANT_ID) == []
        assert [one.token_id for one in await tokens.list(DEFAULT_TENANT_ID, revoked=True)] == [
            record.token_id
        ]
        with pytest.raises(NotFound):
            await tokens.get(DEFAULT_TENANT_ID, "grafana")
        with pytest.raises(Refused, match="revoked"):
            await tokens.rotate(DEFAULT_TENANT_ID, record.token_id, 0)
        await tokens.create(DEFAULT_TENANT_ID, NewToken("grafana", Role.VIEWER, ["*"], "user ann"))

    with_stores(postgres_dsn, body)


def test_a_rotated_token_overlaps(postgres_dsn: str) -> None:
    async def body(stores: Stores) -> None:
        tokens = stores.tokens
        record, first = await tokens.create(DEFAULT_TENANT_ID, NewToken("t", Role.VIEWER, ["*"], "me"))
        rotated, second = await tokens.rotate(DEFAULT_TENANT_ID, "t", 600)
        assert (rotated.token_id, second.token_id) == (record.token_id, record.token_id)
        assert rotated.previous_until
        proof = await tokens.find(record.token_id)
        assert proof
        assert proof.proves(second.digest, now())
        assert proof.proves(first.digest, now())
        assert not proof.proves(first.digest, rotated.previous_until)
        assert proof.proves(second.digest, rotated.previous_until)

        _, third = await tokens.rotate(DEFAULT_TENANT_ID, "t", 600)
        proof = await tokens.find(record.token_id)
        assert proof
        good = [proof.proves(one.digest, now()) for one in (first, second, third)]
        assert good == [False, True, True]
        _, fourth = await tokens.rotate(DEFAULT_TENANT_ID, "t", 0)
        proof = await tokens.find(record.token_id)
        assert proof
        assert [proof.proves(one.digest, now()) for one in (third, fourth)] == [False, True]

        await tokens.rotate(DEFAULT_TENANT_ID, "t", 0, now() + dt.timedelta(microseconds=1))
        with pytest.raises(Refused, match="expired"):
            await tokens.rotate(DEFAULT_TENANT_ID, "t", 0)

    with_stores(postgres_dsn, body)


def test_tokens_of_tenants_dont_meet(postgres_dsn: str) -> None:
    async def body(stores: Stores) -> None:
        other = (await stores.tenants.create("other")).tenant_id
        own, _ = await stores.tokens.create(other, NewToken("t", Role.VIEWER, ["*"], "me"))
        above, _ = await stores.tokens.create(NO_TENANT_ID, NewToken("t", Role.SUPER_ADMIN, ["*"], "me"))
        for foreign in (own, above):
            for deed in (
                stores.tokens.get(DEFAULT_TENANT_ID, foreign.token_id),
                stores.tokens.rotate(DEFAULT_TENANT_ID, foreign.token_id, 0),
                stores.tokens.revoke(DEFAULT_TENANT_ID, foreign.token_id),
            ):
                with pytest.raises(NotFound):
                    await deed
        assert await stores.tokens.list(DEFAULT_TENANT_ID, revoked=True) == []
        assert await stores.tokens.list(NO_TENANT_ID) == [above]

    with_stores(postgres_dsn, body)


def test_changes_are_told_and_uses_are_not(postgres_dsn: str) -> None:
    async def body(stores: Stores) -> None:
        heard: list[str | None] = []
        news = asyncio.Event()

        def notified(payload: str | None) -> None:
            heard.append(payload)
            news.set()

        async def told(*expected: str) -> None:
            while not set(expected) <= set(heard):
                news.clear()
                await news.wait()

        listening = await stores.writer.listen(CHANNEL, notified)
        try:
            tenant = (await stores.tenants.create("north")).tenant_id
            await told(f"tenant {tenant} {tenant}", f"quota {tenant} {tenant}")
            user = await stores.users.create(tenant, NewUser("ann", Role.ADMIN), HASH)
            await told(f"user_account {tenant} {user.user_id}", f"user_password {tenant} {user.user_id}")
            record, _ = await stores.tokens.create(tenant, NewToken("t", Role.VIEWER, ["*"], "me"))
            await told(f"api_token {tenant} {record.token_id}")
            heard.clear()
            await stores.tokens.used(record)
            await stores.users.logged_in(user)
            await stores.tokens.revoke(tenant, "t")
            await told(f"api_token {tenant} {record.token_id}")
            assert len(heard) == 1
        finally:
            await listening.stop()

    with_stores(postgres_dsn, body)


def test_two_cant_take_the_last_place(postgres_dsn: str) -> None:
    async def body(stores: Stores) -> None:
        tenant = (await stores.tenants.create("north", Quotas(devices=3))).tenant_id

        async def add(name: str) -> None:
            async def insert(tx: Transaction) -> None:
                await refuse_over_quota(tx, tenant, Quota.DEVICES)
                await tx.execute(
                    "INSERT INTO device (tenant_id, name, host, port, username, tls_mode)"
                    " VALUES (%s, %s, 'h', 1, 'u', 'off')",
                    [tenant, name],
                )

            await stores.doors.run("test.add", insert, tenant=tenant)

        results = await asyncio.gather(*(add(f"d{n}") for n in range(10)), return_exceptions=True)
        refused = [result for result in results if result is not None]
        assert len(refused) == 7
        assert all(isinstance(one, QuotaExceeded) for one in refused)
        assert "may have 3 devices and has 3" in str(refused[0])
        assert await stores.quotas.used(tenant, Quota.DEVICES) == 3
        assert await stores.quotas.used(DEFAULT_TENANT_ID, Quota.DEVICES) == 0
        assert await stores.quotas.used(tenant, Quota.COLLECTORS) == 0
        # Nothing is limited where nobody said so.
        await stores.tenants.update("north", ["quotas.devices"])
        await add("more")
        assert await stores.quotas.limits(tenant) == Quotas()
        assert await stores.quotas.limits(DEFAULT_TENANT_ID) == Quotas()

    with_stores(postgres_dsn, body)


def test_there_is_an_end_to_users_and_tokens(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_module, "_MOST_USERS", 1)
    monkeypatch.setattr(token_module, "_MOST_TOKENS", 1)

    async def body(stores: Stores) -> None:
        for number, refused in ((1, False), (2, True)):
            for deed in (
                stores.users.create(DEFAULT_TENANT_ID, NewUser(f"u{number}", Role.VIEWER)),
                stores.tokens.create(DEFAULT_TENANT_ID, NewToken(f"t{number}", Role.VIEWER, ["*"], "me")),
            ):
                if refused:
                    with pytest.raises(QuotaExceeded, match="already"):
                        await deed
                else:
                    await deed
        await stores.tokens.revoke(DEFAULT_TENANT_ID, "t1")
        await stores.tokens.create(DEFAULT_TENANT_ID, NewToken("t2", Role.VIEWER, ["*"], "me"))

    with_stores(postgres_dsn, body)


@pytest.mark.parametrize("subject", ["x" * 301, "a\nb"])
def test_subjects_that_cant_be(postgres_dsn: str, subject: str) -> None:
    async def body(stores: Stores) -> None:
        new = NewUser("eve", Role.VIEWER, "https://id.example", subject)
        with pytest.raises(Refused, match="oidc_subject"):
            await stores.users.create(DEFAULT_TENANT_ID, new)

    with_stores(postgres_dsn, body)


def test_a_record_says_who(postgres_dsn: str) -> None:
    """Of a user that was changed under way, nothing is lost."""

    async def body(stores: Stores) -> None:
        ann = await stores.users.create(DEFAULT_TENANT_ID, NewUser("ann", Role.OPERATOR))
        changed = await stores.users.update(DEFAULT_TENANT_ID, ann.user_id, {"enabled": False})
        assert replace(changed, enabled=True, revision=1, updated_at=ann.updated_at) == ann

    with_stores(postgres_dsn, body)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def test_devices_are_added_up_to_the_quota(postgres_dsn: str) -> None:
    """By the store that the API, proposals and CSV all use."""

    async def body(stores: Stores) -> None:
        tenant = (await stores.tenants.create("north", Quotas(devices=2))).tenant_id
        devices = DeviceStore(stores.doors, Vault([MasterKey.of(bytes(32))]).sealer)
        made = await asyncio.gather(
            *(
                devices.create(DeviceSettings(name=f"d{n}", host="192.0.2.1", username="u"), "secret", tenant)
                for n in range(5)
            ),
            return_exceptions=True,
        )
        assert sorted(type(one).__name__ for one in made) == ["DeviceRecord"] * 2 + ["QuotaExceeded"] * 3
        first = (await devices.list(tenant))[0]
        await devices.delete(first.device_id, tenant)
        await devices.create(DeviceSettings(name="again", host="192.0.2.1", username="u"), "", tenant)
        (used,) = await stores.quotas.uses([Quota.DEVICES, Quota.COLLECTORS])
        assert (used.tenant, used.quota, used.limit, used.used) == ("north", Quota.DEVICES, 2, 2)

    with_stores(postgres_dsn, body)
