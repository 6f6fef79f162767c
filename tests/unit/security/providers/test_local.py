"""Secrets in files and in the environment: only those that are allowed, and to whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from mtd.core.errors import MtdError, Refused
from mtd.security.errors import SecretUnavailable
from mtd.security.interfaces import ISecretProvider
from mtd.security.providers.builtin import builtin_providers
from mtd.security.providers.config import ProvidersConfig
from mtd.security.providers.local import EnvProvider, FileProvider
from mtd.testing import run_async

TENANT = "00000000-0000-4000-8000-000000000001"
OTHER = "00000000-0000-4000-8000-0000000000ff"


def read(provider: FileProvider | EnvProvider, path: str, tenant_id: str = TENANT) -> str:
    assert verifyObject(ISecretProvider, provider)

    async def main() -> str:
        provider.check(tenant_id, path)
        return (await provider.fetch(tenant_id, path)).secret

    return run_async(main())


def test_a_file_without_the_end_of_its_line(tmp_path: Path) -> None:
    provider = FileProvider([str(tmp_path)])
    for text in ("pass word", "pass word\n", "pass word\r\n"):
        (tmp_path / "noc").write_bytes(text.encode())
        assert read(provider, str(tmp_path / "noc")) == "pass word"
    (tmp_path / "noc").write_text(" two lines\n\n")
    assert read(provider, str(tmp_path / "noc")) == " two lines\n"


def test_files_elsewhere_are_refused(tmp_path: Path) -> None:
    allowed, other = tmp_path / "allowed", tmp_path / "allowed-not"
    for folder in (allowed, other):
        folder.mkdir()
        (folder / "noc").write_text("secret")
    provider = FileProvider([str(allowed)])
    for path in (other / "noc", allowed / ".." / "allowed-not" / "noc", Path("noc"), Path("/etc/passwd")):
        with pytest.raises(Refused, match="is not below a folder"):
            provider.check(TENANT, str(path))
    (allowed / "link").symlink_to(other / "noc")
    with pytest.raises(SecretUnavailable, match="a link out of the folders"):
        read(provider, str(allowed / "link"))


def test_a_tenant_has_files_of_its_own(tmp_path: Path) -> None:
    (tmp_path / TENANT).mkdir()
    (tmp_path / TENANT / "noc").write_text("theirs alone")
    provider = FileProvider([f"{tmp_path}/{{tenant}}"])
    assert read(provider, f"{tmp_path}/{TENANT}/noc") == "theirs alone"
    with pytest.raises(Refused):
        read(provider, f"{tmp_path}/{TENANT}/noc", OTHER)


def test_files_that_are_no_secrets_are_told(tmp_path: Path) -> None:
    provider = FileProvider([str(tmp_path)])
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "long").write_text("x" * 100_000)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "folder").mkdir()
    reasons = {
        "missing": "No such file",
        "empty": "is empty",
        "long": "longer than",
        "binary": "UTF-8",
        "folder": "isn't a file",
    }
    for name, reason in reasons.items():
        with pytest.raises(SecretUnavailable, match=reason):
            read(provider, str(tmp_path / name))


def test_variables_that_begin_as_it_is_allowed() -> None:
    mine = f"MTD_ROUTER_{TENANT.replace('-', '_')}_NOC"
    environment = {
        "MTD_ROUTER_NOC": "secret",
        mine: "own",
        "MTD_MASTER_KEY": "k",
        "PATH": "/bin",
        "MTD_ROUTER_NO": "",
    }
    provider = EnvProvider(["MTD_ROUTER_"], environment)
    assert read(provider, "MTD_ROUTER_NOC") == "secret"
    for name in ("PATH", "MTD_MASTER_KEY", "", "MTD_ROUTER_A=B"):
        with pytest.raises(Refused, match="doesn't begin with"):
            provider.check(TENANT, name)
    for name in ("MTD_ROUTER_NO", "MTD_ROUTER_OTHER"):
        with pytest.raises(SecretUnavailable, match="no such variable"):
            read(provider, name)
    of_tenants = EnvProvider(["MTD_ROUTER_{tenant}_"], environment)
    assert read(of_tenants, mine) == "own"
    for tenant_id, name in ((OTHER, mine), (TENANT, "MTD_ROUTER_NOC")):
        with pytest.raises(Refused):
            of_tenants.check(tenant_id, name)


@pytest.mark.parametrize("prefixes", [["MTD_"], [""]])
def test_the_master_key_is_no_secret_of_a_router(prefixes: list[str]) -> None:
    with pytest.raises(MtdError):
        EnvProvider(prefixes, {"MTD_MASTER_KEY": "k"}).check(TENANT, "MTD_MASTER_KEY")


def test_nothing_is_served_unless_it_is_allowed(tmp_path: Path) -> None:
    assert builtin_providers(ProvidersConfig()) == {}
    config = ProvidersConfig.model_validate(
        {
            "file_directories": [str(tmp_path)],
            "env_prefixes": ["X_"],
            "vault": {"url": "https://vault.example.net", "token_file": "t"},
        }
    )
    assert sorted(builtin_providers(config)) == ["env", "file", "vault"]
