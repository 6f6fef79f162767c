"""Whom the servers let in, and whom mtd believes that it is them."""

from __future__ import annotations

import datetime as dt
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mtd.core.errors import Misconfigured
from mtd.eventlog.errors import LogUnavailable
from mtd.testing.nats import running_servers
from tests.contract.event_log_suite import make_events, numbers
from tests.contract.loop import run as run_async
from tests.integration.eventlog.jetstream_logs import new_log


def test_who_isnt_let_in_is_told_so_and_never_the_password(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("not-the-right-one\n")
    login = {"user": "mtd", "password_file": password}
    with running_servers(extra='authorization { user: mtd, password: "a-long-secret" }') as servers:

        async def body() -> None:
            with pytest.raises(Misconfigured, match="Authorization Violation") as refused:
                await new_log(servers, tmp_path, login).start()
            assert "not-the-right-one" not in str(refused.value)
            password.write_text("a-long-secret\n")
            log = new_log(servers, tmp_path, login)
            await log.start()
            assert (await log.append(make_events(1, 1))).first_seq == 1
            assert (await log.verify()).ok
            await log.stop()

        run_async(body(), timeout_s=60)


def test_over_tls_both_sides_are_checked(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    tls = f'tls {{ cert_file: "{made}/server.pem", key_file: "{made}/server.key", ca_file: "{made}/ca.pem", verify: true }}'
    with running_servers(extra=tls) as servers:
        shown = {"tls_certificate_file": made / "client.pem", "tls_key_file": made / "client.key"}
        trusting = {"tls_ca_file": made / "ca.pem"}

        async def body() -> None:
            log = new_log(servers, tmp_path, {**shown, **trusting})
            await log.start()
            await log.append(make_events(1, 50, padding=1000))
            assert len(numbers(await log.read(0, 100))) == 50
            await log.stop()
            for stream in (
                trusting,
                {**shown, "servers": [url.replace("nats:", "tls:") for url in servers.servers]},
            ):
                with pytest.raises((LogUnavailable, Misconfigured)):
                    await new_log(servers, tmp_path, stream).start()

        run_async(body(), timeout_s=60)


def make_certificates(folder: Path) -> Path:
    """Make a CA and what it signed, for a server and for a client."""
    now = dt.datetime.now(dt.UTC)
    authority = ec.generate_private_key(ec.SECP256R1())
    for name in ("ca", "server", "client"):
        key = authority if name == "ca" else ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=name == "ca", path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
            )
        )
        certificate = builder.sign(authority, hashes.SHA256())
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return folder
