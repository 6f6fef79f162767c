"""``mtd ca``, ``mtd collector`` and ``mtd enroll`` against a hub with TLS."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from mtd.cli import main
from mtd.security.certificates import load_certificates
from tests.integration.certificates.kit import Hub, rows, with_hub


class Shell:
    """Calls commands on the hub, or, with another configuration, elsewhere."""

    def __init__(self, hub: Hub, folder: Path, dsn: str) -> None:
        self.hub = hub
        self.folder = folder
        self.ca_file = folder / "hub-ca.pem"
        self.ca_file.write_bytes(hub.ca)
        self.config = self._config("hub", hub.settings.daemon.data_dir, dsn)

    def _config(self, name: str, data_dir: Path, dsn: str = "") -> Path:
        path = self.folder / f"{name}.toml"
        database = f"[database]\ndsn = {json.dumps(dsn)}\n" if dsn else ""
        path.write_text(f'[daemon]\ndata_dir = "{data_dir}"\n{database}')
        return path

    async def __call__(self, *words: str, code: int = 0, edge: str = "", typed: str = "") -> str:
        config = self._config(edge, self.folder / edge) if edge else self.config
        environment = {
            "MTD_SERVER": f"127.0.0.1:{self.hub.server.port}",
            "MTD_CONFIG": str(config),
            "COLUMNS": "200",
            **({} if edge else {"MTD_CA_FILE": str(self.ca_file)}),
        }

        def called() -> Any:
            return CliRunner(env=environment).invoke(main, list(words), input=typed)

        result = await asyncio.to_thread(called)
        assert result.exit_code == code, result.output
        return str(result.output)

    async def json(self, *words: str, **others: Any) -> Any:
        return json.loads(await self(*words, "--json", **others))


def with_shell(folder: Path, dsn: str, body: Callable[[Shell], Awaitable[None]]) -> None:
    async def run(hub: Hub) -> None:
        await body(Shell(hub, folder, dsn))

    with_hub(folder / "data", dsn, run)


def test_a_collector_from_its_invitation_to_its_end(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(mtd: Shell) -> None:
        token_file = tmp_path / "edge-1.token"
        made = await mtd.json("collector", "invite", "edge-1", "--life", "2h", "--out", str(token_file))
        assert (made["collector"], made["file"]) == ("edge-1", str(token_file))
        assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
        assert "is there already" in await mtd("collector", "invite", "e", "--out", str(token_file), code=1)

        enrolled = await mtd.json("enroll", "--token-file", str(token_file), edge="edge-1")
        assert enrolled["collector"] == "edge-1"
        used_up = await mtd("enroll", "--token-file", str(token_file), "--replace", edge="edge-1", code=1)
        assert "isn't good" in used_up
        assert "mtd collector invite" in used_up
        mtd.hub.clock.now += 1_000_000
        again = (await mtd("collector", "invite", "edge-1")).splitlines()[0]
        assert again.startswith("mtde_")
        assert "--replace" in await mtd("enroll", edge="edge-1", typed=again, code=1)
        spoken = await mtd("enroll", "--replace", edge="edge-1", typed=again)
        assert "edge-1" in spoken
        assert again not in spoken

        shown = await mtd.json("collector", "show", "edge-1")
        assert [one["revoked_at"] is None for one in shown["certificates"]] == [True, False]
        [listed] = await mtd.json("collector", "list")
        assert (listed["name"], listed["state"]) == ("edge-1", "active")
        [certificate] = await mtd.json("ca", "list")
        assert certificate["collector"] == "edge-1"
        assert len(await mtd.json("ca", "list", "--revoked")) == 2
        for words in (("collector", "list"), ("collector", "show", "edge-1"), ("ca", "list", "--revoked")):
            assert "edge-1" in await mtd(*words)

        assert (await mtd.json("collector", "disable", "edge-1"))["state"] == "disabled"
        assert "shut out" in await mtd("collector", "disable", "edge-1")
        assert (await mtd.json("collector", "enable", "edge-1"))["state"] == "active"
        assert "serves 0 tenants" in await mtd("collector", "serve", "edge-1")
        serial = certificate["serial"]
        assert "no good certificate" in await mtd("ca", "revoke", "ffffffffff", code=1)
        assert (await mtd.json("ca", "revoke", serial[:12], "--reason", "lost"))["serial"] == serial
        assert (await mtd.json("collector", "revoke", "edge-1"))["revoked"] == 0
        assert "there is no collector" in await mtd("collector", "revoke", "edge-2", code=1)
        assert rows(postgres_dsn, "SELECT DISTINCT revoked_reason FROM mtd.certificate ORDER BY 1") == [
            ("lost",),
            ("superseded: the collector enrolled again",),
        ]

    with_shell(tmp_path, postgres_dsn, body)


def test_the_ca(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(mtd: Shell) -> None:
        assert "already" in await mtd("ca", "init", code=1)
        [before] = await mtd.json("ca", "show")
        assert (await mtd("ca", "show", "--pem")).encode() == mtd.hub.ca
        rotated = await mtd.json("ca", "rotate", "--name", "ISP CA 2")
        assert rotated["made"]["subject"] == "CN=ISP CA 2"
        assert [(one["fingerprint_sha256"], one["signs"]) for one in rotated["trusted"][1:]] == [
            (before["fingerprint_sha256"], False)
        ]
        assert "trusted until" in await mtd("ca", "show")

        certificate, key = tmp_path / "odoo.pem", tmp_path / "odoo.key"
        files = ("--certificate", str(certificate), "--key", str(key))
        issued = await mtd.json("ca", "issue", "--server", "odoo.example", "--server", "192.0.2.7", *files)
        assert issued["names"] == ["odoo.example", "192.0.2.7"]
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert len(load_certificates(certificate.read_bytes(), "c")) == 3
        assert "is there already" in await mtd("ca", "issue", "--server", "odoo.example", *files, code=1)
        told = rows(
            postgres_dsn,
            "SELECT action, outcome FROM mtd.audit_entry WHERE action LIKE 'ca.%' ORDER BY position",
        )
        assert told == [
            ("ca.rotate", "STARTED"),
            ("ca.rotate", "OK"),
            ("ca.issue", "STARTED"),
            ("ca.issue", "OK"),
        ]
        # The running hub takes what was done beside it, and its clients go on with the CA that they know.
        await mtd.hub.certificates.grpc.refresh()  # type: ignore[union-attr]
        await mtd("collector", "list")

    with_shell(tmp_path, postgres_dsn, body)


def test_a_ca_that_isn_t_there_yet(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(mtd: Shell) -> None:
        for words in (("ca", "show"), ("ca", "rotate"), ("ca", "issue", "--server", "x")):
            assert "mtd ca init" in await mtd(*words, edge="new", code=1)
        made = await mtd.json("ca", "init", "--name", "ISP CA", edge="new")
        assert (made["subject"], made["signs"], made["sealed"]) == ("CN=ISP CA", True, False)

    with_shell(tmp_path, postgres_dsn, body)


def test_who_doesn_t_know_the_hub_isn_t_served(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(mtd: Shell) -> None:
        refused = await mtd("collector", "list", "--server-tls", edge="stranger", code=1)
        assert "don't trust each other" in refused
        assert "no token" in await mtd("enroll", edge="edge", typed="", code=1)
        assert "can't be read" in await mtd(
            "enroll", "--token-file", str(tmp_path / "none"), edge="edge", code=1
        )

    with_shell(tmp_path, postgres_dsn, body)
