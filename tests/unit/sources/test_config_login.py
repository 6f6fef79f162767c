"""What a router is set to is read as somebody else; what is wrong with that stops nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from mtd.model.command import Command, Reply
from mtd.model.device import Login, Outcome, Way
from mtd.sources.config_login import ConfigLoginSource, with_config_login
from mtd.sources.errors import SessionFailed
from mtd.sources.interfaces import IDeviceSource
from mtd.testing import run_async
from tests.unit.sources.scripted_ways import DEVICE, NAMES, FakeWay, World, refused, until

RULES = Command("/ip/firewall/filter/print", ("chain",), document=True)
USERS = Command("/user/print", ("name",), document=True)
AUDITED = replace(DEVICE, config_login=Login("auditor", "audit secret"))


class Both:
    """The ways of polling, and the one of the configuration."""

    def __init__(self, *, problem: str = "", idle_s: float = 60.0, retry_s: float = 0.0) -> None:
        self.polling, self.config = World(), World()
        self.own = FakeWay(replace(DEVICE, username="auditor"), Way.API, self.config)
        self.source = ConfigLoginSource(
            self.polling.source(AUDITED), self.own, problem=problem, idle_s=idle_s, retry_s=retry_s
        )

    async def run(self, *commands: Command) -> list[Reply]:
        replies: Sequence[Reply] = await self.source.run(commands, 1.0)
        assert [reply.command for reply in replies] == list(commands)
        return list(replies)


def with_both(body: Callable[[Both], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        both = Both(**options)
        await both.source.connect()
        try:
            await body(both)
        finally:
            await both.source.close()
        assert not both.own.connected

    run_async(main())


def test_each_command_goes_where_it_belongs_in_order() -> None:
    async def body(both: Both) -> None:
        assert verifyObject(IDeviceSource, both.source)
        assert not [reply.trap for reply in await both.run(RULES, NAMES, USERS) if reply.trap]
        assert (both.polling.connects, both.config.connects) == ([Way.API], [Way.API])
        assert (both.own.traffic[0], both.source.traffic[0]) == (2, 3)

    with_both(body)


def test_without_documents_the_other_session_is_not_opened() -> None:
    async def body(both: Both) -> None:
        await both.run(NAMES)
        assert both.config.connects == []

    with_both(body)


def test_the_session_lasts_for_the_batches_of_a_read_and_ends_when_it_is_idle() -> None:
    async def body(both: Both) -> None:
        for _ in range(3):
            await both.run(RULES)
        assert both.config.connects == [Way.API]
        await until(lambda: not both.own.connected)
        assert both.source.traffic[0] == 3
        await both.run(RULES)
        assert both.config.connects == [Way.API] * 2
        assert both.source.traffic[0] == 4

    with_both(body, idle_s=0.05)


def test_a_login_that_fails_refuses_documents_and_nothing_else() -> None:
    async def body(both: Both) -> None:
        both.config.closed[Way.API] = refused(Way.API, Outcome.LOGIN_FAILED)
        names, rules = await both.run(NAMES, RULES)
        assert names.trap is None
        assert rules.trap is not None
        assert rules.trap.no_login
        assert "as 'auditor', who reads the configuration: api refuses" in rules.trap.message
        assert both.source.connected
        assert both.source.outcome is None
        del both.config.closed[Way.API]
        assert (await both.run(RULES))[0].trap is None

    with_both(body)


def test_a_login_that_was_refused_is_not_tried_again_at_once() -> None:
    async def body(both: Both) -> None:
        both.config.closed[Way.API] = refused(Way.API, Outcome.LOGIN_FAILED)
        for _ in range(5):
            (rules,) = await both.run(RULES)
            assert rules.trap is not None
            assert "api refuses" in rules.trap.message
        assert both.config.connects == [Way.API]

    with_both(body, retry_s=60.0)


def test_a_session_that_is_lost_is_opened_anew_at_the_next_read() -> None:
    async def body(both: Both) -> None:
        await both.run(RULES)
        both.config.breaks[Way.API] = refused(Way.API)
        assert (await both.run(RULES))[0].trap is not None
        assert (await both.run(RULES))[0].trap is None

    with_both(body)


def test_a_login_that_nobody_has_is_not_tried() -> None:
    async def body(both: Both) -> None:
        (rules,) = await both.run(RULES)
        assert rules.trap is not None
        assert "vault is sealed" in rules.trap.message
        assert both.config.connects == []

    with_both(body, problem="vault is sealed")


def test_when_polling_fails_it_fails() -> None:
    async def body(both: Both) -> None:
        for way in Way:
            both.polling.closed[way] = refused(way)
        with pytest.raises(SessionFailed):
            await both.run(NAMES, RULES)
        assert both.config.connects == []

    with_both(body)


def test_a_read_that_is_cancelled_leaves_it_usable() -> None:
    async def body(both: Both) -> None:
        both.config.held[Way.API] = asyncio.Event()
        reading = asyncio.create_task(both.run(RULES))
        await until(lambda: both.own.connected)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        both.config.held.clear()
        assert (await both.run(RULES))[0].trap is None

    with_both(body)


def test_only_devices_that_have_such_a_login_have_two_sessions() -> None:
    source: Any = World().source(DEVICE)
    assert with_config_login(source, {}) is source
    snmp: Any = World().source(replace(AUDITED, ways=(Way.SNMP,)))
    assert with_config_login(snmp, {}) is snmp
    made: list[Any] = []
    audited: Any = World().source(AUDITED)
    found = with_config_login(
        audited, {Way.API: lambda device: made.append(device) or FakeWay(device, Way.API, World())}
    )
    assert isinstance(found, ConfigLoginSource)
    assert [(one.username, one.password, one.config_login) for one in made] == [
        ("auditor", "audit secret", None)
    ]
