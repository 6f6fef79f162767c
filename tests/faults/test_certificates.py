"""A door's certificate that comes to its end while the daemon runs: told in time, and replaced without a restart.

Runbook: `certificate-expiry`.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mtd.testing.faults.clock import FakeClock, may_fake
from mtd.testing.faults.fleet import Fleet, place

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not may_fake(), reason="there is no C compiler, which a clock of its own is made with"
    ),
]

LEFT = "mtd_api_tls_certificate_left_seconds"
DAY_S = 86_400


def test_a_certificate_that_ends_is_told_and_replaced_without_a_restart() -> None:
    with place() as folder:
        clock = FakeClock(folder)
        write_certificate(folder, days=3)
        tls = {
            "mode": "files",
            "certificate_file": str(folder / "door.pem"),
            "key_file": str(folder / "door.key"),
            "reload_interval_s": 0.2,
            "client_auth": "none",
        }
        with Fleet(folder, settings={"grpc.tls": tls}, environment=clock.environment) as fleet:
            fleet.start_daemon()
            assert 2.9 * DAY_S < fleet.metric(LEFT) <= 3 * DAY_S
            first = served_by(fleet.grpc_port)
            pid = fleet.pid
            # The time comes, and nobody has done anything: the metric, and so its alert, say so.
            clock.step(4 * DAY_S)
            fleet.wait_for(lambda: fleet.metric(LEFT) < 0, "the certificate has ended", 60)
            assert served_by(fleet.grpc_port) == first
            # What the runbook says: new files in place of the old ones.
            write_certificate(folder, days=90)
            fleet.wait_for(lambda: served_by(fleet.grpc_port) != first, "the new one is taken", 60)
            fleet.wait_for(lambda: fleet.metric(LEFT) > 80 * DAY_S, "the metric knows", 60)
            assert fleet.pid == pid
            assert fleet.is_ready()


def write_certificate(folder: Path, days: int) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "door")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for path, content in (
        (folder / "door.key", pem),
        (folder / "door.pem", certificate.public_bytes(serialization.Encoding.PEM)),
    ):
        path.touch(mode=0o600)
        path.write_bytes(content)


def served_by(port: int) -> bytes:
    """Return the certificate of a door, whatever it is worth."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
        context.wrap_socket(connection, server_hostname="127.0.0.1") as tls,
    ):
        found = tls.getpeercert(binary_form=True)
    assert found is not None
    return found
