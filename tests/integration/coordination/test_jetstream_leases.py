"""Leases in a bucket of NATS JetStream."""

from __future__ import annotations

import itertools
import re
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from mtd.coordination.interfaces import ILeaseStore
from mtd.coordination.jetstream_leases import JetStreamLeaseStore, _key
from mtd.core.clock import LEASE_CLOCK
from mtd.core.errors import LeaseLost
from mtd.eventlog.config import JetStreamConfig
from mtd.storage.errors import StorageUnavailable
from mtd.testing import run_async
from mtd.testing.nats import NatsServers, nats_server, running_servers
from tests.contract.lease_suite import LeaseMachine, LeaseStores, LeaseSuite

__all__ = ["nats_server"]

_numbers = itertools.count()


class ShiftedStore(JetStreamLeaseStore):
    """A store whose servers' clock goes on when a test says so."""

    shift_us = 0

    def _now_us(self, answer: dict[str, Any]) -> int:
        return super()._now_us(answer) + self.shift_us


class InJetStream(LeaseStores):
    servers: ClassVar[NatsServers]
    store_made: ShiftedStore

    async def new_store(self) -> ILeaseStore:
        config = JetStreamConfig.model_validate(
            self.servers.settings(stream_prefix=f"leases-{next(_numbers)}", request_timeout_s=10)
        )
        self.store_made = ShiftedStore(config, deadline_s=10)
        await self.store_made.start()
        return self.store_made

    async def pass_time(self, seconds: float) -> None:
        self.store_made.shift_us += round(seconds * 1e6)


class TestJetStreamLeases(InJetStream, LeaseSuite):
    """The suite."""

    @pytest.fixture(autouse=True)
    def _servers(self, nats_server: NatsServers) -> None:
        type(self).servers = nats_server

    def test_a_lease_is_reckoned_from_when_it_was_asked_for(self) -> None:
        async def body(store: ILeaseStore) -> None:
            before = LEASE_CLOCK.monotonic()
            lease = await store.acquire("one", "a", self.ttl_s)
            after = LEASE_CLOCK.monotonic()
            assert before + self.ttl_s <= lease.good_until <= after + self.ttl_s

        self.run(body)

    def test_a_bucket_that_was_removed_is_made_again(self) -> None:
        async def body(store: ILeaseStore) -> None:
            lease = await self.taken(store, "one", "a")
            made = self.store_made
            await made._connection.api(f"STREAM.DELETE.{made._stream}")
            with pytest.raises(LeaseLost):
                await store.renew(lease, self.ttl_s)
            assert (await self.taken(store, "one", "b")).epoch >= lease.epoch
            assert [state.holder for state in await store.list("")] == ["b"]

        self.run(body)

    def test_another_store_sees_the_same(self) -> None:
        async def body(store: ILeaseStore) -> None:
            await self.taken(store, "one", "a")
            other = JetStreamLeaseStore(self.store_made._settings)
            await other.start()
            assert await other.acquire("one", "b", self.ttl_s) is None
            assert [state.holder for state in await other.list("o")] == ["a"]
            await other.stop()

        self.run(body)


def test_random_histories(nats_server: NatsServers) -> None:
    class JetStreamLeaseMachine(InJetStream, LeaseMachine):
        servers = nats_server

    run_state_machine_as_test(
        JetStreamLeaseMachine, settings=settings(max_examples=8, stateful_step_count=20, deadline=None)
    )


def test_servers_that_are_away_are_said_so_and_leases_outlive_them() -> None:
    with running_servers() as servers:

        async def main() -> None:
            store = JetStreamLeaseStore(JetStreamConfig.model_validate(servers.settings()))
            await store.start()
            lease = await store.acquire("one", "a", 60)
            assert lease is not None
            servers.kill(0)
            for asking in (
                store.acquire("one", "b", 60),
                store.renew(lease, 60),
                store.read("one"),
                store.list(""),
            ):
                with pytest.raises(StorageUnavailable):
                    await asking
            servers.restart(0)
            assert await store.acquire("one", "b", 60) is None
            assert (await store.renew(lease, 60)).epoch == lease.epoch
            await store.stop()

        run_async(main())


TEXT = st.text(st.characters(codec="utf-8"))


@given(TEXT, TEXT)
def test_names_become_keys_that_keep_apart_what_is_apart(name: str, rest: str) -> None:
    assert re.fullmatch("[a-zA-Z0-9/_=-]*", _key(name))
    assert _key(name + rest) == _key(name) + _key(rest)
    assert (_key(name) == _key(rest)) == (name == rest)
