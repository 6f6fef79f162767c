"""Secrets in HashiCorp Vault, against a stub of its documented API."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from zope.interface.verify import verifyObject

from mtd.core.errors import Refused
from mtd.security.errors import SecretUnavailable
from mtd.security.interfaces import ISecretProvider
from mtd.security.providers.config import VaultConfig
from mtd.security.providers.vault_kv import VaultProvider
from mtd.testing import run_async
from tests.integration.security.vault_stub import VaultStub

TENANT = "00000000-0000-4000-8000-000000000001"
PATH = "routers/noc"
CLEAR = "correct horse battery"


@pytest.fixture
def stub() -> Iterator[VaultStub]:
    with VaultStub(stored={PATH: {"password": CLEAR, "port": 22}}) as running:
        yield running


def config_of(stub: VaultStub, folder: Path, **changes: Any) -> VaultConfig:
    """Return a configuration that logs in with a token."""
    path = folder / "token"
    if not path.exists():
        path.write_text(stub.new_token() + "\n")
    return VaultConfig(**{"url": stub.url, "token_file": path, "paths": ["routers/"], **changes})


def approle_of(stub: VaultStub, folder: Path) -> VaultConfig:
    path = folder / "secret_id"
    path.write_text(stub.secret_id)
    return VaultConfig(url=stub.url, role_id=stub.role_id, secret_id_file=path, paths=["routers/"])


def with_vault(config: VaultConfig, body: Callable[[VaultProvider], Awaitable[None]]) -> None:
    async def main() -> None:
        provider = VaultProvider(config)
        assert verifyObject(ISecretProvider, provider)
        try:
            await body(provider)
        finally:
            await provider.stop()

    run_async(main())


async def read(provider: VaultProvider, path: str = f"{PATH}#password") -> str:
    provider.check(TENANT, path)
    return (await provider.fetch(TENANT, path)).secret


def test_a_field_by_a_token(stub: VaultStub, tmp_path: Path) -> None:
    async def body(provider: VaultProvider) -> None:
        assert await read(provider) == CLEAR
        stub.stored[PATH] = {"password": "renewed"}
        assert await read(provider) == "renewed"
        assert stub.asked == ["GET /v1/auth/token/lookup-self", *["GET /v1/secret/data/routers/noc"] * 2]
        assert CLEAR not in repr(provider) + repr(await provider.fetch(TENANT, f"{PATH}#password"))

    with_vault(config_of(stub, tmp_path), body)


def test_a_field_by_approle_in_a_namespace(stub: VaultStub, tmp_path: Path) -> None:
    stub.namespace, stub.mount = "isp/north", "kv"
    config = approle_of(stub, tmp_path).model_copy(update={"namespace": "isp/north", "mount": "kv"})

    async def body(provider: VaultProvider) -> None:
        found = await asyncio.gather(*(read(provider) for _ in range(5)))
        assert found == [CLEAR] * 5
        assert stub.asked.count("POST /v1/auth/approle/login") == 1

    with_vault(config, body)


def test_a_login_is_renewed_before_it_ends(stub: VaultStub, tmp_path: Path) -> None:
    stub.lease_s = 3600

    async def body(provider: VaultProvider) -> None:
        await read(provider)
        login = provider._login
        assert login is not None
        assert login.renew_at is not None
        login.renew_at = 0.0
        await read(provider)
        assert stub.asked[-2:] == ["POST /v1/auth/token/renew-self", "GET /v1/secret/data/routers/noc"]
        assert provider._login is not None
        assert provider._login.token == login.token
        assert provider._login.renew_at != 0.0

    with_vault(approle_of(stub, tmp_path), body)


def test_a_login_that_ended_or_was_taken_back_is_made_anew(stub: VaultStub, tmp_path: Path) -> None:
    async def body(provider: VaultProvider) -> None:
        await read(provider)
        stub.tokens.clear()  # taken back: we hear of it by a 403
        assert await read(provider) == CLEAR
        login = provider._login
        assert login is not None
        login.renew_at, login.ends_at = None, 0.0  # its time is over
        assert await read(provider) == CLEAR
        assert stub.asked.count("POST /v1/auth/approle/login") == 3

    with_vault(approle_of(stub, tmp_path), body)


def test_a_new_token_in_the_file_is_taken(stub: VaultStub, tmp_path: Path) -> None:
    config = config_of(stub, tmp_path)

    async def body(provider: VaultProvider) -> None:
        await read(provider)
        stub.tokens.clear()
        (tmp_path / "token").write_text(stub.new_token(60, renewable=True))
        assert await read(provider) == CLEAR

    with_vault(config, body)


def _sealed(stub: VaultStub) -> None:
    stub.sealed = True


def _forbidden(stub: VaultStub) -> None:
    stub.forbidden.add(PATH)


def _gone(stub: VaultStub) -> None:
    del stub.stored[PATH]


def _deleted(stub: VaultStub) -> None:
    stub.stored[PATH] = None


def _no_field(stub: VaultStub) -> None:
    stub.stored[PATH] = {"other": CLEAR}


def _number(stub: VaultStub) -> None:
    stub.stored[PATH] = {"password": 22}


def _web_page(stub: VaultStub) -> None:
    stub.answer = 200, b"<html>welcome</html>"


def _version_1(stub: VaultStub) -> None:
    stub.answer = 200, b'{"data": {"password": "x"}}'


def _endless(stub: VaultStub) -> None:
    stub.answer = 200, b"x" * 2_000_000


def _strange(stub: VaultStub) -> None:
    stub.answer = 302, b""


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_sealed, "sealed.*unseal it"),
        (_forbidden, "capability `read`"),
        (_gone, "404.*put it there"),
        (_deleted, "newest version was deleted"),
        (_no_field, "no text in the field 'password'; it has other"),
        (_number, "no text in the field"),
        (_web_page, "isn't Vault's"),
        (_version_1, "of version 2"),
        (_endless, "longer than"),
        (_strange, "status 302"),
    ],
)
def test_what_goes_wrong_says_what_to_do(
    stub: VaultStub, tmp_path: Path, spoil: Callable[[VaultStub], None], reason: str
) -> None:
    async def body(provider: VaultProvider) -> None:
        await read(provider)
        spoil(stub)
        with pytest.raises(SecretUnavailable, match=reason) as refused:
            await read(provider)
        assert CLEAR not in str(refused.value)
        assert not any(token in str(refused.value) for token in stub.tokens)

    with_vault(config_of(stub, tmp_path), body)


def test_a_wrong_role_and_missing_files_are_told(stub: VaultStub, tmp_path: Path) -> None:
    config = approle_of(stub, tmp_path)
    stub.secret_id = "another"

    async def body(provider: VaultProvider) -> None:
        with pytest.raises(SecretUnavailable, match="AppRole: .*invalid role or secret ID") as refused:
            await read(provider)
        assert "secret-id-1" not in str(refused.value)
        (tmp_path / "secret_id").unlink()
        with pytest.raises(SecretUnavailable, match="secret_id can't be read"):
            await read(provider)

    with_vault(config, body)


def test_nobody_there(stub: VaultStub, tmp_path: Path) -> None:
    config = config_of(stub, tmp_path, url="http://127.0.0.1:9")

    async def body(provider: VaultProvider) -> None:
        with pytest.raises(SecretUnavailable, match="127.0.0.1:9 can't be reached"):
            await read(provider)

    with_vault(config, body)


def test_a_silent_server_is_left(stub: VaultStub, tmp_path: Path) -> None:
    config = config_of(stub, tmp_path)

    async def body(provider: VaultProvider) -> None:
        stub.hang = threading.Event()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await read(provider)
        stub.hang.set()
        stub.hang = None
        assert await read(provider) == CLEAR

    with_vault(config, body)


@pytest.mark.parametrize(
    "path",
    [
        PATH,
        "#password",
        f"{PATH}#",
        "others/a#b",
        "routers/../others/a#b",
        "routers//a#b",
        "routers#b",
        "routers/./a#b",
    ],
)
def test_paths_that_are_not_allowed_are_refused(path: str) -> None:
    config = VaultConfig(url="https://vault.example.net", token_file=Path("t"), paths=["routers/"])
    with pytest.raises(Refused):
        VaultProvider(config).check(TENANT, path)


def test_a_tenant_has_paths_of_its_own() -> None:
    config = VaultConfig(url="https://vault.example.net", token_file=Path("t"), paths=["isp/{tenant}/"])
    provider = VaultProvider(config)
    provider.check(TENANT, f"isp/{TENANT}/noc#password")
    for other in ("isp/00000000-0000-4000-8000-0000000000ff/noc#password", "isp/{tenant}/noc#password"):
        with pytest.raises(Refused):
            provider.check(TENANT, other)


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "http://vault.example.net", "token_file": "t"},
        {"url": "http://127.0.0.1.example.net", "token_file": "t"},
        {"url": "ftp://127.0.0.1", "token_file": "t"},
        {"url": "https://vault.example.net"},
        {"url": "https://vault.example.net", "token_file": "t", "role_id": "r", "secret_id_file": "s"},
        {"url": "https://vault.example.net", "role_id": "r"},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="https|token_file|secret_id_file"):
        VaultConfig(**settings)  # type: ignore[arg-type]


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Return the files of a certificate for loopback that signs itself, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vault")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "vault.pem").write_bytes(made.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "vault.key").write_bytes(private)
    return folder / "vault.pem", folder / "vault.key"


def test_only_a_server_that_the_authorities_know(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with VaultStub(stored={PATH: {"password": CLEAR}}, certificate=certificate) as stub:
        trusting = config_of(stub, tmp_path, ca_file=certificate[0])

        async def reads(provider: VaultProvider) -> None:
            assert await read(provider) == CLEAR

        with_vault(trusting, reads)
        before = len(stub.asked)

        async def refuses(provider: VaultProvider) -> None:
            with pytest.raises(SecretUnavailable, match="certificate"):
                await read(provider)

        with_vault(config_of(stub, tmp_path), refuses)
        assert len(stub.asked) == before, "a token went to a server that nobody knows"
