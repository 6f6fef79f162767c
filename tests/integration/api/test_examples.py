"""The examples of the documentation, run as they stand: in the clear on this machine, and with TLS and a token."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mtd.api.access.gate import Gate
from mtd.api.access.interfaces import Credentials
from mtd.api.grpc.server import build_server
from mtd.api.tls.material import InternalSource, LiveMaterial
from mtd.client import AsyncMtdClient, MtdClient, MtdClientError
from mtd.model.principal import CallerKind, Principal, Role
from mtd.security.ca_store import AuthorityStore
from mtd.security.certificates import key_pem, new_key
from mtd.security.config import CertificatesConfig
from mtd.testing import run_async
from tests.unit.api.fakes import TENANT, FakeInventory, FakeTelemetry, context
from tests.unit.api.fakes import event as stored_event

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "docs/examples"
TOKEN = "mtd_example_token"
SCOPES = frozenset({"inventory.read", "inventory.write", "telemetry.read"})


class OneToken:
    """Knows one token."""

    async def verify(self, credentials: Credentials) -> Principal | None:
        if credentials.bearer != TOKEN:
            return None
        return Principal(CallerKind.TOKEN, "example", TENANT, Role.ADMIN, credentials.peer, "1", SCOPES)


@asynccontextmanager
async def door(folder: Path, *, tls: bool, client_auth: str = "none") -> AsyncIterator[dict[str, str]]:
    """Open a door that trusts nobody without a token; yield the environment of a caller."""
    live = None
    environment = {"MTD_TOKEN_FILE": str(folder / "token")}
    (folder / "token").write_text(TOKEN + "\n")
    settings: dict[str, object] = {}
    if tls:
        authorities = AuthorityStore(folder / "ca", CertificatesConfig(), tuple)
        live = LiveMaterial("grpc", InternalSource(authorities, "grpc", ["localhost", "127.0.0.1"]), 60.0)
        await live.start()
        (folder / "ca.pem").write_bytes(authorities.bundle())
        environment["MTD_CA_FILE"] = str(folder / "ca.pem")
        settings["tls"] = {"mode": "internal", "client_auth": client_auth}
    telemetry = FakeTelemetry()
    telemetry.events = [stored_event(position) for position in (1, 2)]
    api = replace(
        context(telemetry, FakeInventory(), **settings),
        gate=Gate([OneToken()], trust_loopback=False),
        tls=live,
    )
    server = build_server(api)
    await server.start()
    try:
        yield {**environment, "MTD_SERVER": f"127.0.0.1:{server.port}"}
    finally:
        await server.stop()
        if live is not None:
            await live.stop()


async def run(*command: str, **environment: str) -> str:
    """Run a program to its end, which has to be a good one; return what it printed."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MTD_")}
    path = f"{ROOT / '.venv/bin'}:{inherited.get('PATH', '')}"
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**inherited, **environment, "PATH": path, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        printed, _ = await process.communicate()
    text = printed.decode()
    assert process.returncode == 0, text
    assert TOKEN not in text
    return text


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
def test_the_example_of_the_client(tmp_path: Path, tls: bool) -> None:
    async def main() -> None:
        async with door(tmp_path, tls=tls) as environment:
            printed = await run(sys.executable, str(EXAMPLES / "python_client.py"), **environment)
            assert "added example-router at example-site, revision 1" in printed
            assert "refused: ABORTED CONFLICT" in printed
            assert "removed example-router" in printed

    run_async(main(), 90)


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
def test_the_example_of_plain_stubs(tmp_path: Path, tls: bool) -> None:
    async def main() -> None:
        async with door(tmp_path, tls=tls) as environment:
            printed = await run(sys.executable, str(EXAMPLES / "python_grpcio.py"), **environment)
            assert "events up to position 2" in printed
            assert "refused: NOT_FOUND NOT_FOUND" in printed

    run_async(main(), 90)


@pytest.mark.skipif(not (ROOT / ".venv/bin/buf").exists(), reason="buf is in the extra `dev`")
@pytest.mark.parametrize("tls", [False, True], ids=["h2c", "tls"])
def test_the_example_of_a_shell(tmp_path: Path, tls: bool) -> None:
    async def main() -> None:
        async with door(tmp_path, tls=tls) as environment:
            printed = await run("bash", str(EXAMPLES / "buf_curl.sh"), **environment)
            assert '"name": "shell-site"' in printed.replace('":"', '": "')
            assert '"not_found"' in printed
            assert "google.rpc.ErrorInfo" in printed

    run_async(main(), 90)


def test_nobody_gets_in_without_a_token_and_nobody_is_let_on_by_another_ca(tmp_path: Path) -> None:
    async def main() -> None:
        async with door(tmp_path, tls=True) as environment:
            server, ca = environment["MTD_SERVER"], environment["MTD_CA_FILE"]
            async with AsyncMtdClient(server, ca_file=ca) as nobody:
                with pytest.raises(MtdClientError) as failed:
                    await nobody.list_devices()
                assert failed.value.code == "UNAUTHENTICATED"
                assert "--token-file" in str(failed.value)
            async with AsyncMtdClient(server, ca_file=ca, token=TOKEN, tenant="other") as stranger:
                with pytest.raises(MtdClientError, match="may not work for the tenant 'other'"):
                    await stranger.list_devices()
            other = AuthorityStore(tmp_path / "other", CertificatesConfig(), tuple)
            other.init("another CA")
            (tmp_path / "other.pem").write_bytes(other.bundle())
            async with AsyncMtdClient(server, ca_file=tmp_path / "other.pem", token=TOKEN) as misled:
                with pytest.raises(MtdClientError, match="don't trust each other"):
                    await misled.list_devices()
            clear = MtdClient(server, token=TOKEN)
            with clear, pytest.raises(MtdClientError, match="does it ask for TLS"):
                await asyncio.to_thread(clear.list_devices)
            async with AsyncMtdClient(server, ca_file=ca, token=TOKEN) as known:
                assert await known.list_devices() == []
                async for event in known.events(until_now=True):
                    assert event.position in (1, 2)

    run_async(main(), 60)


def test_a_client_shows_its_certificate_where_it_has_to(tmp_path: Path) -> None:
    async def main() -> None:
        async with door(tmp_path, tls=True, client_auth="required") as environment:
            server, ca = environment["MTD_SERVER"], environment["MTD_CA_FILE"]
            key = new_key()
            signed, _ = AuthorityStore(tmp_path / "ca", CertificatesConfig(), tuple).sign_collector(
                key.public_key(), str(uuid.uuid4()), "edge-1", [TENANT]
            )
            (tmp_path / "client.pem").write_bytes(signed.chain)
            (tmp_path / "client.key").write_bytes(key_pem(key))
            shown = {"certificate_file": tmp_path / "client.pem", "key_file": tmp_path / "client.key"}
            async with AsyncMtdClient(server, ca_file=ca, token=TOKEN, **shown) as known:
                assert await known.list_devices() == []
            async with AsyncMtdClient(server, ca_file=ca, token=TOKEN) as bare:
                with pytest.raises(MtdClientError) as failed:
                    await bare.list_devices()
                assert failed.value.code == "UNAVAILABLE"
            command = ("-m", "mtd", "site", "list", "--json", "--ca-file", ca)
            files = ("--certificate", str(shown["certificate_file"]), "--key", str(shown["key_file"]))
            printed = await run(sys.executable, *command, *files, MTD_SERVER=server, MTD_TOKEN=TOKEN)
            assert printed.strip() == "[]"

    run_async(main(), 60)
