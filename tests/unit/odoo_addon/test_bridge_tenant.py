"""What is brought: what is of the tenant whose devices the company has, and nothing before that is sure."""

from __future__ import annotations

from typing import Any

import pytest

from mtd.pb.common.v1 import access_pb2
from tests.unit.odoo_addon import bridge_kit as kit
from tests.unit.odoo_addon import fake_mtd
from tests.unit.odoo_addon.bridge_kit import FakeStore, until

SEEN = {7: ("a", ["plain", "full"])}
OF_THE_MODELS = {"push_due", "reconcile"}
"""What is done meanwhile: there the models look whose tenant it is."""


async def refused(running: Any, mtd: fake_mtd.FakeMtd, why: str) -> None:
    """A device is looked at, events happen and a tool is to be run: nothing is asked of mtd, in words."""
    running.watch(SEEN)
    await mtd.happen(3)
    tenant = await until(
        lambda: running.bridge.session and running.bridge.session.tenants.get(1), "the connection is followed"
    )
    await until(lambda: why in tenant.health()["error"], "it is said why")
    running.store.jobs = [kit.port.Job(4, 1, "a", "ping", "192.0.2.1", "", 1, 1)]
    running.lock.notify("mikrotik_diagnostic")
    (end,) = await until(lambda: running.store.finished, "the run ended")
    await until(lambda: set(running.store.of[1]) >= OF_THE_MODELS, "the models compare")
    assert (end.state, why in end.error) == ("failed", True)
    assert not tenant.is_proven
    assert set(running.store.of[1]) <= OF_THE_MODELS
    assert (mtd.latest, mtd.tokens, running.store.rows) == ({}, [], [])


@kit.on_loop
async def test_nothing_is_brought_of_another_tenant() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        store.tenant_id = "another"
        async with kit.bridge(store) as running:
            await refused(running, mtd, "the token is of tenant north, not of the one")
            assert running.figure("failures_total", what="tenant") > 0


@kit.on_loop
async def test_nothing_is_brought_for_a_super_admin() -> None:
    async with fake_mtd.mtd() as mtd:
        mtd.role = access_pb2.ROLE_SUPER_ADMIN
        async with kit.bridge(FakeStore({"target": mtd.address})) as running:
            await refused(running, mtd, "a super-admin's")


@kit.on_loop
async def test_it_begins_by_itself_once_the_tenant_is_noted() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        store.tenant_id = ""
        async with kit.bridge(store) as running:
            await refused(running, mtd, "press Test")
            store.tenant_id = kit.TENANT_ID
            await until(lambda: len(store.rows) == 3, "events are copied")
            await until(lambda: mtd.latest, "values flow")
            assert running.bridge.session.tenants[1].is_proven


@kit.on_loop
async def test_it_ends_once_the_tenant_is_not_noted_any_more() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            running.watch(SEEN)
            await until(lambda: mtd.latest, "values flow")
            store.tenant_id = ""
            await until(lambda: not mtd.latest, "they don't")
            assert not running.bridge.session.tenants[1].is_proven


@kit.on_loop
async def test_it_begins_when_mtd_is_back() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        await mtd.stop()
        async with kit.bridge(store) as running:
            await until(lambda: running.bridge.session and running.bridge.session.tenants, "it began")
            await until(lambda: running.figure("failures_total", what="tenant") > 0, "mtd is away")
            await mtd.start(mtd.address)
            await until(lambda: running.bridge.session.tenants[1].is_proven, "it is sure")


@kit.on_loop
async def test_why_nothing_can_be_compared_is_counted_said_and_measured(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        store.tenant_id, store.problem = "", "mtd: can't reach mtd at hub:50051 [UNAVAILABLE]"
        async with kit.bridge(store) as running:
            await until(lambda: running.figure("failures_total", what="reconcile") > 2, "each is counted")
            (told,) = running.bridge.health()["connections"]
            assert store.problem in told["error"]
            assert [one.getMessage() for one in caplog.records if store.problem in one.getMessage()] == [
                f"Company 1, reconcile: {store.problem}"
            ]
            assert 'mtd_bridge_connected{connection="1"} 0.0' in running.bridge.figures.exposition().decode()
            store.tenant_id, store.problem = kit.TENANT_ID, ""
            await until(lambda: running.figure("connected", connection="1"), "it is connected")
            assert running.bridge.health()["connections"][0]["error"] == ""


@kit.on_loop
async def test_whether_each_connection_works_is_measured_also_where_nobody_looks() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            connected = lambda: running.figure("connected", connection="1")  # noqa: E731
            await until(connected, "mtd answers")
            await mtd.stop()
            await until(lambda: not connected(), "it is away")
            await mtd.start(mtd.address)
            await until(connected, "it answers again")
            store.companies = []
            await until(
                lambda: b"mtd_bridge_connected{" not in running.bridge.figures.exposition(), "it is gone"
            )


@pytest.mark.parametrize(("tenant_id", "role", "ok", "words"), [
    ("", access_pb2.ROLE_ADMIN, False, "tenant north, not noted yet: press Test"),
    ("", access_pb2.ROLE_SUPER_ADMIN, False, "a super-admin's"),
    (kit.TENANT_ID, access_pb2.ROLE_ADMIN, True, "mtd answers"),
    ("another", access_pb2.ROLE_ADMIN, False, "of tenant north, not of the one"),
    (kit.TENANT_ID, access_pb2.ROLE_SUPER_ADMIN, False, "a super-admin's"),
])  # fmt: skip
@kit.on_loop
async def test_the_check_says_whose_tenant_it_is(tenant_id: str, role: int, ok: bool, words: str) -> None:
    async with fake_mtd.mtd() as mtd:
        mtd.role = role
        connection = kit.port.Connection(1, "Acme", {"target": mtd.address}, tenant_id=tenant_id)
        ((good, text),) = await kit.part("check").check_connections(
            [connection], lambda given: kit.AsyncMtdClient(**given)
        )
        assert good is ok
        assert words in text
