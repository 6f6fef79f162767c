"""The commands for tenants, users and tokens, against a door that trusts nobody."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mtd.cli import main
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.tenant import NO_TENANT_ID
from mtd.testing import run_async
from tests.integration.app.identity_kit import Door, open_door

PASSWORD = "correct horse battery"


class Shell:
    """Calls commands as the super-admin, or with another token."""

    def __init__(self, door: Door, folder: Path) -> None:
        self.door = door
        self.folder = folder
        self.token = door.root_token
        (folder / "password").write_text(PASSWORD + "\n")

    async def __call__(self, *words: str, typed: str = "", code: int = 0) -> str:
        environment = {"MTD_SERVER": self.door.target, "MTD_TOKEN": self.token, "COLUMNS": "200"}

        def called() -> Any:
            return CliRunner(env=environment).invoke(main, list(words), input=typed)

        result = await asyncio.to_thread(called)
        assert result.exit_code == code, result.output
        return str(result.stdout if code == 0 else result.output)

    async def json(self, *words: str) -> Any:
        return json.loads(await self(*words, "--json"))


def with_shell(dsn: str, folder: Path, body: Callable[[Shell], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_door(dsn) as door:
            await body(Shell(door, folder))

    run_async(run(), timeout_s=60)


def test_tenants(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(mtd: Shell) -> None:
        made = await mtd.json("tenant", "add", "north", "--devices", "5", "--collectors", "0")
        assert (made["name"], made["quotas"]) == ("north", {"devices": 5, "collectors": 0})
        assert "mtd user add" in await mtd("tenant", "add", "south")
        assert [one["name"] for one in await mtd.json("tenant", "list")] == ["default", "north", "south"]
        assert "devices 5" in await mtd("tenant", "list")
        shown = await mtd.json("tenant", "show", "north")
        assert shown["usage"][0] == {"quota": "devices", "limit": 5, "used": 0.0, "note": ""}
        text = await mtd("tenant", "show", "north")
        assert "no limit" in text
        assert "not known" in text
        changed = await mtd.json(
            "tenant", "set", "north", "--devices", "none", "--retention-days", "7", "--name", "up"
        )
        assert (changed["name"], changed["quotas"]) == ("up", {"collectors": 0, "retention_days": 7})
        await mtd("tenant", "set", "up", "--disable")
        assert "disabled" in await mtd("tenant", "show", "up")
        assert "say what to change" in await mtd("tenant", "set", "up", code=2)
        assert "neither a whole number" in await mtd("tenant", "set", "up", "--devices", "many", code=2)
        assert "there is no tenant 'north'" in await mtd("tenant", "show", "north", code=1)

    with_shell(postgres_dsn, tmp_path, body)


def test_users(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(mtd: Shell) -> None:
        file = str(tmp_path / "password")
        await mtd("user", "add", "root", "--super-admin", "--password-file", file)
        assert "mtd user list --super-admin" in await mtd("user", "list")  # root is in no tenant
        login = await mtd.door.identity.users.login(NO_TENANT_ID, "root")
        assert login
        assert await mtd.door.identity.passwords.verify(login.password_hash, PASSWORD)
        typed = f"{PASSWORD}2\n{PASSWORD}2\n"
        output = await mtd("user", "add", "ann", "--role", "operator", typed=typed)
        assert PASSWORD not in output
        made = await mtd.json("user", "add", "bob", "--role", "viewer", "--no-password")
        assert (made["role"], made["has_password"]) == ("viewer", False)
        await mtd(
            "user",
            "add",
            "eve",
            "--role",
            "admin",
            "--oidc-issuer",
            "https://id.example",
            "--oidc-subject",
            "7",
        )
        listed = await mtd("user", "list")
        assert "nothing yet" in listed
        assert "https://id.example" in listed
        assert [one["name"] for one in await mtd.json("user", "list")] == ["ann", "bob", "eve"]
        assert [one["name"] for one in await mtd.json("user", "list", "--super-admin")] == ["root"]
        await mtd("user", "password", "ann", "--password-file", file)
        login = await mtd.door.identity.users.login(DEFAULT_TENANT_ID, "ann")
        assert login
        assert await mtd.door.identity.passwords.verify(login.password_hash, PASSWORD)
        changed = await mtd.json("user", "set", "ann", "--role", "admin", "--disable", "--name", "anna")
        assert (changed["name"], changed["role"], changed["enabled"]) == ("anna", "admin", False)
        await mtd("user", "remove", "anna")
        assert "there is no user 'anna'" in await mtd("user", "remove", "anna", code=1)
        assert "last super-admin" in await mtd("user", "remove", "root", "--super-admin", code=1)
        for words in (("x",), ("x", "--role", "viewer", "--super-admin")):
            assert "say what it may do" in await mtd("user", "add", *words, code=2)
        assert "say what to change" in await mtd("user", "set", "bob", code=2)
        both = ("--no-password", "--password-file", file)
        assert "doesn't go with" in await mtd("user", "add", "x", "--role", "viewer", *both, code=2)

    with_shell(postgres_dsn, tmp_path, body)


def test_tokens(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(mtd: Shell) -> None:
        made = await mtd.json("token", "add", "grafana", "--scope", "telemetry.read", "--expires", "90d")
        assert made["token"]["scopes"] == ["telemetry.read"]
        out = tmp_path / "token"
        await mtd("token", "add", "odoo", "--role", "operator", "--scope", "*", "--out", str(out))
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
        mtd.token = out.read_text().strip()
        me = await mtd.json("whoami")
        assert (me["kind"], me["name"], me["role"], me["tenant"]) == ("token", "odoo", "operator", "default")
        assert await mtd("whoami") == f"token odoo, operator, for the tenant default ({DEFAULT_TENANT_ID})\n"
        mtd.token = made["secret"]
        assert "Scopes: telemetry.read" in await mtd("whoami")
        assert "lacks the scope" in await mtd("token", "list", code=1)
        mtd.token = mtd.door.root_token
        listed = await mtd("token", "list")
        assert "good until" in listed
        assert made["secret"] not in listed
        new = (await mtd("token", "rotate", "odoo", "--overlap", "0s")).splitlines()[-1]
        mtd.token = new
        assert (await mtd.json("whoami"))["name"] == "odoo"
        mtd.token = mtd.door.root_token
        assert "is there already" in await mtd("token", "rotate", "odoo", "--out", str(out), code=2)
        assert "which file" in await mtd("token", "rotate", "odoo", "--replace", code=2)
        await mtd("token", "rotate", "odoo", "--out", str(out), "--replace")
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
        assert [file.name for file in tmp_path.iterdir() if "token" in file.name] == ["token"]
        mtd.token = out.read_text().strip()
        assert mtd.token != new
        assert (await mtd.json("whoami"))["name"] == "odoo"
        mtd.token = mtd.door.root_token
        await mtd("token", "revoke", "odoo")
        assert [one["name"] for one in await mtd.json("token", "list")] == ["grafana"]
        assert "revoked" in await mtd("token", "list", "--all")
        assert "telemetry.read" in await mtd("token", "add", "x", "--scope", "everything", code=1)

    with_shell(postgres_dsn, tmp_path, body)


@pytest.mark.parametrize("words", [("user", "add"), ("user", "password"), ("token", "add")])
def test_no_secret_is_an_option(words: tuple[str, ...]) -> None:
    command: Any = main
    for word in words:
        command = command.get_command(None, word)
    options = {option for param in command.params for option in param.opts}
    assert options.isdisjoint({"--password", "--old-password", "--secret", "--token"})
