"""Documents and their versions, from PostgreSQL."""

from __future__ import annotations

import hashlib

import pytest

from mtd.core.errors import NotFound
from mtd.model.documents import canonical_json
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.queries.snapshots import SnapshotQueries
from tests.integration.projections.kit import World, in_world, now_us, snapshot
from tests.integration.queries.test_overview import fleet

EVER_US = 253_402_300_799_000_000


def test_kinds_and_versions(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        core, edge = await fleet(world)
        begin = now_us() - 10_000_000
        for number in range(3):
            await world.project(
                document(core, "config.firewall.filter", begin + number, [{"n": str(number)}])
            )
        await world.project(document(core, "system.identity", begin, {"name": "ü"}))
        await world.project(document(edge, "system.identity", begin, {"name": "edge"}))
        queries = SnapshotQueries(world.doors)

        rules, identity = await queries.kinds("core-1")
        assert (rules.kind, rules.versions, rules.collected_us) == ("config.firewall.filter", 3, begin + 2)
        content = canonical_json({"name": "ü"})
        assert (identity.kind, identity.versions, identity.size) == ("system.identity", 1, len(content))
        assert identity.sha256 == hashlib.sha256(content).digest()

        async def contents(limit: int, max_bytes: int = 10**6, before_us: int = EVER_US) -> list[str]:
            found = await queries.versions(
                core, "config.firewall.filter", limit=limit, max_bytes=max_bytes, before_us=before_us
            )
            return [one.content for one in found]

        newest, middle, oldest = ('[{"n":"2"}]', '[{"n":"1"}]', '[{"n":"0"}]')
        assert await contents(10) == [newest, middle, oldest]
        assert await contents(2) == [newest, middle]
        assert await contents(10, before_us=begin + 1) == [oldest]
        # One that is larger than an answer may be comes all the same, alone.
        assert await contents(10, max_bytes=1) == [newest]
        assert await contents(10, max_bytes=len(newest) + 1) == [newest, middle]
        assert await queries.versions("core-1", "none", limit=1, max_bytes=1, before_us=EVER_US) == []
        with pytest.raises(NotFound):
            await queries.kinds("nobody")

    in_world(postgres_dsn, body)


def document(device_id: str, kind: str, at_us: int, content: object) -> Envelope:
    text = canonical_json(content)
    envelope = snapshot(at_us, text, hashlib.sha256(text).digest())
    envelope.device_id = device_id
    envelope.snapshot.kind = kind
    return envelope
