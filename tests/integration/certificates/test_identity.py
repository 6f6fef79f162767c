"""The collector's side: it enrols with a hub that it knows by the token, and renews by itself."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import stat
from pathlib import Path

import grpc
import pytest

from mtd.app.enrolling import enrol
from mtd.app.identity_files import Identity, IdentityFiles, Trust
from mtd.app.metrics import IDENTITY_LEFT_SECONDS
from mtd.app.renewal import EXPIRING, RENEWED, HubClient, IdentityKeeper
from mtd.client import MtdClientError
from mtd.client.collectors import renew
from mtd.core.errors import AlreadyExists, Misconfigured, Refused, Retryable
from mtd.model.device import Severity
from mtd.model.observation import StateChange
from mtd.pb.admin.v1 import collector_service_pb2 as pb
from mtd.security.certificates import load_certificates, new_key, request_pem
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.integration.certificates.kit import DAY_US, Hub, rows, until, with_hub


class NoJitter(random.Random):
    def random(self) -> float:
        return 0.0


def at(hub: Hub) -> str:
    return f"127.0.0.1:{hub.server.port}"


async def enrolled(hub: Hub, files: IdentityFiles, name: str = "edge-1") -> Identity:
    return await asyncio.to_thread(enrol, files, at(hub), await hub.invite(name))


def keeper_of(hub: Hub, files: IdentityFiles, identity: Identity, told: list[StateChange]) -> IdentityKeeper:
    return IdentityKeeper(files, identity, told.append, hub.clock, NoJitter())


def test_a_collector_knows_its_hub_by_the_token(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        files = IdentityFiles(tmp_path / "edge" / "identity")
        identity = await enrolled(hub, files)
        assert (identity.name, identity.target) == ("edge-1", f"127.0.0.1:{hub.server.client_port}")
        assert files.load() == identity
        assert identity.ca_file is not None
        assert identity.ca_file.read_bytes() == hub.ca
        kept = [path for path in files.folder.rglob("*") if path.is_file()]
        assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}
        told: list[StateChange] = []
        client = HubClient(keeper_of(hub, files, identity, told))
        await client.start()
        await client.current.ask(renew(request_pem(new_key(), "e")))
        client.failed(client.current)  # there is no other hub to go to
        assert not client.current.closed
        await client.stop()
        with pytest.raises(AlreadyExists, match="--replace"):
            await enrolled(hub, files)
        again = await asyncio.to_thread(enrol, files, at(hub), await hub.invite("edge-1"), replace=True)
        assert again.collector_id == identity.collector_id

    with_hub(tmp_path / "hub", postgres_dsn, body)


def test_it_goes_on_to_another_hub_when_one_is_gone(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        files = IdentityFiles(tmp_path / "identity")
        there = await enrolled(hub, files)
        gone = dataclasses.replace(there, target="127.0.0.1:1")
        told: list[StateChange] = []
        keeper = IdentityKeeper(files, gone, told.append, hub.clock, NoJitter(), targets=[there.target])
        client = HubClient(keeper, [there.target], grace_s=0)
        await client.start()
        first = client.current
        assert first.target == gone.target
        client.failed(first)
        client.failed(first)  # whoever noticed it later says the same
        async with asyncio.timeout(20):
            while client.current is first:
                await asyncio.sleep(0.01)
        assert client.current.target == there.target
        await client.current.ask(renew(request_pem(new_key(), "e")))
        hub.clock.now += 21 * DAY_US
        assert (await keeper.look()).renewed
        await client.stop()

    with_hub(tmp_path / "hub", postgres_dsn, body)


def test_the_token_isn_t_sent_to_another_hub(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        files = IdentityFiles(tmp_path / "identity")
        token = await hub.invite("edge-1")
        head, _, pin = token.rpartition("_")
        attempts = metric("mtd_app_enrolments_refused_total", reason="unknown")
        with pytest.raises(Refused, match="shows another CA"):
            await asyncio.to_thread(enrol, files, at(hub), f"{head}_{pin[::-1]}")
        assert metric("mtd_app_enrolments_refused_total", reason="unknown") == attempts
        assert files.load() is None
        assert rows(postgres_dsn, "SELECT count(*) FROM mtd.enrolment_token WHERE used_at IS NOT NULL") == [
            (0,)
        ]
        with pytest.raises(Refused, match="no enrolment token"):
            await asyncio.to_thread(enrol, files, at(hub), "hunter2")
        # A CA that the operator named, and which signed this door, doesn't make it the hub of the token.
        with pytest.raises(MtdClientError, match="enrolment token"):
            await asyncio.to_thread(enrol, files, at(hub), f"{head[:-4]}0000_{pin}", trust=Trust(hub.ca))

    with_hub(tmp_path / "hub", postgres_dsn, body)


def test_what_isn_t_a_hub(tmp_path: Path) -> None:
    token = f"mtde_{'0' * 16}_{'1' * 64}_{'2' * 32}"

    async def main() -> None:
        async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.example\r\n")
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        files = IdentityFiles(tmp_path / "identity")
        with pytest.raises(Refused, match="doesn't speak TLS"):
            await asyncio.to_thread(enrol, files, f"127.0.0.1:{port}", token)
        server.close()
        await server.wait_closed()
        with pytest.raises(Retryable, match="can't be reached"):
            await asyncio.to_thread(enrol, files, f"127.0.0.1:{port}", token)

    run_async(main(), timeout_s=60)


def test_it_renews_when_a_third_is_left_and_its_clients_follow(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        files = IdentityFiles(tmp_path / "identity")
        identity = await enrolled(hub, files)
        told: list[StateChange] = []
        keeper = keeper_of(hub, files, identity, told)
        client = HubClient(keeper, grace_s=0)
        await client.start()
        assert not (await keeper.look()).renewed
        hub.clock.now += 19 * DAY_US
        assert not (await keeper.look()).renewed
        hub.clock.now += 2 * DAY_US
        before = client.current
        renewals = metric("mtd_app_identity_renewals_total", result="ok")
        looked = await keeper.look()
        assert (looked.renewed, looked.failure) == (True, "")
        assert metric("mtd_app_identity_renewals_total", result="ok") == renewals + 1
        assert round(IDENTITY_LEFT_SECONDS._value.get() / 86_400) == 30
        new = files.load()
        assert new == keeper.identity
        assert new is not None
        assert new.facts.serial != identity.facts.serial
        assert (new.collector_id, new.target) == (identity.collector_id, identity.target)
        await until(lambda: client.current is not before)
        assert told == []
        hub.clock.now -= 21 * DAY_US  # the machine's own clock is behind: both are good
        await hub.admin.RevokeCollector(
            pb.RevokeCollectorRequest(collector="edge-1", serial=identity.facts.serial)
        )
        await client.stop()
        assert len(list(files.folder.glob("[0-9]*"))) == 2

    with_hub(tmp_path / "hub", postgres_dsn, body)


def test_a_new_ca_comes_with_the_renewal(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        files, own = IdentityFiles(tmp_path / "identity"), IdentityFiles(tmp_path / "own")
        keeper = keeper_of(hub, files, await enrolled(hub, files), [])
        await asyncio.to_thread(enrol, own, at(hub), await hub.invite("edge-2"), trust=Trust(hub.ca))
        other = own.load()
        assert other is not None
        assert other.own_ca
        own_keeper = keeper_of(hub, own, other, [])
        hub.certificates.authorities.rotate("after")
        await hub.certificates.grpc.refresh()  # type: ignore[union-attr]
        hub.clock.now += 21 * DAY_US
        for one, cas in ((keeper, 2), (own_keeper, 1)):
            looked = await one.look()
            assert looked.renewed, looked.failure
            assert one.identity.ca_file is not None
            assert len(load_certificates(one.identity.ca_file.read_bytes(), "ca")) == cas

    with_hub(tmp_path / "hub", postgres_dsn, body)


def test_it_warns_well_before_the_end(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        files = IdentityFiles(tmp_path / "identity")
        told: list[StateChange] = []
        keeper = keeper_of(hub, files, await enrolled(hub, files), told)
        await hub.admin.DisableCollector(pb.DisableCollectorRequest(collector="edge-1"))
        start = hub.clock.now
        failed = metric("mtd_app_identity_renewals_total", result="failed")
        hub.clock.now = start + 21 * DAY_US
        looked = await keeper.look()
        assert "is disabled" in looked.failure
        assert told == []
        hub.clock.now = start + 26 * DAY_US
        await keeper.look()
        hub.clock.now += DAY_US // 2
        await keeper.look()
        [warned] = told
        assert (warned.event_type, warned.severity, warned.entity_id) == (
            EXPIRING,
            Severity.WARNING,
            "edge-1",
        )
        assert "in 4.0 days" in warned.message
        assert "is disabled" in warned.message
        hub.clock.now = start + 29 * DAY_US + DAY_US // 2
        await keeper.look()
        assert [one.severity for one in told] == [Severity.WARNING, Severity.CRITICAL]
        assert metric("mtd_app_identity_renewals_total", result="failed") == failed + 4
        await hub.admin.EnableCollector(pb.EnableCollectorRequest(collector="edge-1"))
        assert (await keeper.look()).renewed
        assert told[-1].event_type == RENEWED
        await keeper.look()
        assert len(told) == 3

    with_hub(tmp_path / "hub", postgres_dsn, body)


def test_too_late_is_said_so(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        files = IdentityFiles(tmp_path / "identity")
        told: list[StateChange] = []
        keeper = keeper_of(hub, files, await enrolled(hub, files), told)
        hub.clock.now += 31 * DAY_US
        assert not (await keeper.look()).renewed
        assert "until it enrols again" in told[0].message
        assert told[0].severity is Severity.CRITICAL

    with_hub(tmp_path / "hub", postgres_dsn, body)


def test_the_keeper_looks_by_itself(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        files = IdentityFiles(tmp_path / "identity")
        first = await enrolled(hub, files)
        keeper = keeper_of(hub, files, first, [])
        hub.clock.now += 21 * DAY_US
        await keeper.start()
        await until(lambda: keeper.identity.facts.serial != first.facts.serial)
        await keeper.stop()

    with_hub(tmp_path / "hub", postgres_dsn, body)


@pytest.mark.parametrize("damage", ["identity.json", "certificate.pem"])
def test_a_damaged_identity_is_told_in_words(tmp_path: Path, postgres_dsn: str, damage: str) -> None:
    async def body(hub: Hub) -> None:
        files = IdentityFiles(tmp_path / "identity")
        identity = await enrolled(hub, files)
        (identity.key_file.parent / damage).write_text("{")
        with pytest.raises(Misconfigured, match=r"damaged|doesn't hold a certificate"):
            files.load()
        (identity.key_file.parent / damage).unlink()
        with pytest.raises(Misconfigured, match="--replace"):
            files.load()

    with_hub(tmp_path / "hub", postgres_dsn, body)


def test_where_no_certificates_are_taken_nobody_is_invited(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        with pytest.raises(grpc.aio.AioRpcError, match="grpc.tls"):
            await hub.invite("edge-1")

    with_hub(tmp_path, postgres_dsn, body, tls={"client_auth": "none"})
