"""Requests that are sent again."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mtd.api.access.current import serving
from mtd.api.errors import TooManyRequests
from mtd.api.grpc import repeats as repeats_module
from mtd.api.grpc.repeats import (
    FIELD,
    DoneBefore,
    Repeats,
    RequestIdRefused,
    StillUnderWay,
    digest_of,
    has_id,
    holds_secrets,
    is_secret,
)
from mtd.api.grpc.server import DESCRIPTORS
from mtd.core.errors import Refused
from mtd.model.principal import CallerKind, Principal, Role
from mtd.pb.inventory.v1 import inventory_service_pb2 as pb
from mtd.testing import run_async
from tests.unit.api.fakes import OTHER_TENANT, TENANT, FakeRequests

KEY = str(uuid.UUID(int=7))
ANSWER = pb.CreateDeviceResponse(device=pb.Device(id="d1"))


def asked(name: str = "r1", key: str = KEY, **others: Any) -> pb.CreateDeviceRequest:
    return pb.CreateDeviceRequest(settings=pb.DeviceSettings(name=name), request_id=key, **others)


class World:
    """What is done for requests with an id."""

    def __init__(self) -> None:
        self.store = FakeRequests()
        self.repeats = Repeats(self.store)
        self.done = 0

    async def work(self) -> Any:
        self.done += 1
        return ANSWER

    async def once(
        self,
        request: Any,
        work: Callable[[], Awaitable[Any]] | None = None,
        method: str = "Create",
        tenant: str = TENANT,
        who: str = "",
    ) -> Any:
        with serving(Principal(CallerKind.LOCAL, who, tenant, Role.ADMIN)):
            return await self.repeats.once(method, request, work or self.work)


def test_it_is_done_once_and_answered_alike() -> None:
    async def main() -> None:
        world = World()
        assert await world.once(asked()) is ANSWER
        again = await world.once(asked(key=KEY.upper()))
        assert pb.CreateDeviceResponse.FromString(again) == ANSWER
        assert world.done == 1
        # An id belongs to one tenant.
        assert await world.once(asked(), tenant=OTHER_TENANT) is ANSWER
        assert world.done == 2

    run_async(main())


def test_another_request_with_the_id_is_refused() -> None:
    async def main() -> None:
        world = World()
        await world.once(asked())
        for request, method in ((asked("r2"), "Create"), (asked(), "Adopt")):
            with pytest.raises(RequestIdRefused, match="used by another request"):
                await world.once(request, method=method)
        with pytest.raises(RequestIdRefused, match="used by another request"):
            await world.once(asked(), who="somebody else")
        with pytest.raises(RequestIdRefused, match="no UUID"):
            await world.once(asked(key="1"))
        assert world.done == 1

    run_async(main())


def test_what_failed_may_be_tried_again() -> None:
    async def main() -> None:
        world = World()

        async def fails() -> Any:
            raise Refused("no")

        with pytest.raises(Refused, match="no"):
            await world.once(asked(), fails)
        assert await world.once(asked()) is ANSWER

    run_async(main())


def test_who_goes_away_is_answered_when_it_comes_back() -> None:
    async def main() -> None:
        world = World()
        going, go_on = asyncio.Event(), asyncio.Event()

        async def slow() -> Any:
            going.set()
            await go_on.wait()
            return await world.work()

        first = asyncio.create_task(world.once(asked(), slow))
        await going.wait()
        with pytest.raises(StillUnderWay):
            await world.once(asked())
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        go_on.set()
        while not world.store.known[TENANT, KEY].done:
            await asyncio.sleep(0)
        assert isinstance(await world.once(asked()), bytes)
        assert world.done == 1

    run_async(main())


def test_nobody_begins_more_by_hanging_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(repeats_module, "MOST_UNDER_WAY", 2)
        world = World()
        go_on = asyncio.Event()

        async def slow() -> Any:
            await go_on.wait()
            return ANSWER

        keys = [str(uuid.UUID(int=number)) for number in range(3)]
        waiting = [asyncio.create_task(world.once(asked(key=key), slow)) for key in keys[:2]]
        while len(world.store.known) < 2:
            await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        with pytest.raises(TooManyRequests):
            await world.once(asked(key=keys[2]))
        go_on.set()
        while world.repeats._under_way:
            await asyncio.sleep(0)
        assert await world.once(asked(key=keys[2])) is ANSWER

    run_async(main())


def test_answers_with_secrets_are_not_kept() -> None:
    async def main() -> None:
        world = World()

        async def secret() -> Any:
            return pb.CreateDeviceRequest(password="geheim")  # a message with a field that is marked

        await world.once(asked(), secret)
        assert world.store.known[TENANT, KEY].answer is None
        with pytest.raises(DoneBefore, match="given once only"):
            await world.once(asked(), secret)

    run_async(main())


def digest(request: Any, method: str = "m", who: str = "ann") -> bytes:
    return digest_of(method, request, Principal(CallerKind.USER, who, TENANT, Role.ADMIN))


def test_a_digest_tells_requests_apart_and_tells_no_secret() -> None:
    plain = digest(asked())
    assert plain == digest(asked(key=""))
    assert plain == digest(asked(password="geheim"))
    one, other = (asked(secrets=pb.DeviceSecrets(snmp_community=text)) for text in ("geheim", "other"))
    assert digest(one) == digest(other)
    assert len({plain, digest(asked(), "n"), digest(asked("r2")), digest(asked(), who="bob")}) == 4


def test_what_has_an_id() -> None:
    assert has_id(asked())
    assert not has_id(asked(key=""))
    assert not has_id(pb.GetDeviceRequest())
    assert not has_id(object())


WORDS = ("password", "secret", "token", "private_key", "community", "api_key", "signing_key")

NAMES = ("page_token", "resume_token", "RotateTokenRequest.token")
"""Of pages and of tokens: who knows them can do nothing with them."""


def secret_fields(descriptor: Any, seen: frozenset[str] = frozenset()) -> list[str]:
    """Return the texts of a message that are secrets by their names, and aren't marked."""
    if descriptor.full_name in seen:
        return []
    found = []
    for field in descriptor.fields:
        if field.message_type is not None:
            found += secret_fields(field.message_type, seen | {descriptor.full_name})
        elif field.type not in (field.TYPE_STRING, field.TYPE_BYTES):
            continue
        elif field.name.endswith(WORDS) and not field.full_name.endswith(NAMES) and not is_secret(field):
            found.append(field.full_name)
    return found


@pytest.mark.parametrize(
    "method",
    [
        method
        for service in DESCRIPTORS
        for method in service.methods
        if FIELD in method.input_type.fields_by_name
    ],
    ids=lambda method: method.name,
)
def test_secrets_of_requests_that_are_kept_are_marked(method: Any) -> None:
    """By ``debug_redact``: else they would be in the digest, or the answer in the database."""
    assert secret_fields(method.input_type) == []
    if not holds_secrets(method.output_type):
        assert secret_fields(method.output_type) == []
