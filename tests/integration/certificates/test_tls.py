"""TLS of the doors: taken and renewed while they are open, and nothing older than 1.2."""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import tempfile
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from mtd.api.grpc.server import ServicePart
from mtd.api.http.server import HttpServer
from mtd.api.tls.material import FilesSource, LiveMaterial
from mtd.app.certificates import Certificates
from mtd.core.errors import Misconfigured
from mtd.pb.admin.v1 import collector_service_pb2 as pb
from mtd.pb.admin.v1.collector_service_pb2_grpc import CollectorServiceStub
from mtd.pb.ingest.v1 import ingest_service_pb2, ingest_service_pb2_grpc
from mtd.pb.ingest.v1.enrollment_service_pb2_grpc import EnrollmentServiceStub
from mtd.security.ca_store import AuthorityStore
from mtd.security.certificates import facts_of, key_pem, load_certificates
from mtd.security.config import CertificatesConfig
from mtd.security.errors import CertificateUnusable
from mtd.testing import run_async
from mtd.testing.harness import free_port
from mtd.testing.metrics import metric
from tests.integration.certificates.kit import (
    CODE,
    DAY_US,
    Hand,
    Hub,
    Shown,
    fails,
    hub_in,
    rows,
    settings_of,
    until,
    with_hub,
)


def handshake(
    port: int, ca: bytes, most: ssl.TLSVersion | None = None, shown: Shown | None = None
) -> tuple[str, str]:
    """Shake hands; return the version and the serial number of the door's certificate. Blocking."""
    context = ssl.create_default_context(cadata=ca.decode())
    if shown is not None and shown.key and shown.chain:
        with tempfile.NamedTemporaryFile() as file:
            file.write(shown.key + shown.chain)
            file.flush()
            context.load_cert_chain(file.name)
    context.set_alpn_protocols(["h2", "http/1.1"])
    if most is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that is what is tested
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = most
        context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(("127.0.0.1", port), 60) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as tls,
    ):
        der = tls.getpeercert(binary_form=True)
        assert der is not None
        return str(tls.version()), facts_of(x509.load_der_x509_certificate(der)).serial


def chain_of(port: int) -> list[str]:
    """Return the subjects of what a door sends."""
    raw = socket.create_connection(("127.0.0.1", port), 60)
    connection = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), raw)
    connection.set_alpn_protos([b"h2"])
    connection.set_tlsext_host_name(b"localhost")
    connection.set_connect_state()
    while True:
        try:
            connection.do_handshake()
            break
        except SSL.WantReadError:  # a socket with a timeout doesn't wait by itself
            select.select([raw], [], [], 60)
    chain = connection.get_peer_cert_chain(as_cryptography=True)
    connection.close()
    return [one.subject.rfc4514_string() for one in chain]


async def shaken(port: int, ca: bytes, **others: Any) -> tuple[str, str]:
    return await asyncio.to_thread(handshake, port, ca, **others)


async def refused(port: int, ca: bytes, **others: Any) -> None:
    with pytest.raises(OSError):  # noqa: PT011 - of TLS or of the socket, as it likes
        await shaken(port, ca, **others)


@asynccontextmanager
async def http_of(certificates: Certificates) -> AsyncIterator[HttpServer]:
    class Ready:
        def checks(self) -> list[Any]:
            return []

    await certificates.start()
    server = HttpServer(Ready(), certificates._settings.http, tls=certificates.http)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
        await certificates.stop()


def http_settings(folder: Path, **tls: Any) -> Any:
    return settings_of(
        folder, http={"port": 0, "tls": {"mode": "internal", "reload_interval_s": 3600, **tls}}
    )


def test_the_grpc_door_takes_a_new_certificate_and_keeps_its_connections(
    tmp_path: Path, postgres_dsn: str
) -> None:
    async def body(hub: Hub) -> None:
        shown, _ = await hub.collector("edge-1")
        channel = hub.channel(shown)
        await hub.renew(shown, channel=channel)
        ports = (hub.server.port, hub.server.client_port)
        version, first = await shaken(ports[0], hub.ca)
        assert version == "TLSv1.3"
        hub.clock.now += 61 * DAY_US
        assert hub.certificates.grpc is not None
        await hub.certificates.grpc.refresh()
        _, second = await shaken(ports[0], hub.ca)
        assert second != first
        assert [
            (await shaken(port, hub.ca, shown=show))[1]
            for port, show in zip(ports, (None, shown), strict=True)
        ] == [
            second,
            second,
        ]
        begun = metric("mtd_api_tls_handshakes_total", port="grpc-clients")
        await hub.renew(shown, channel=channel)  # by the connection that it had
        assert metric("mtd_api_tls_handshakes_total", port="grpc-clients") == begun
        await hub.renew(shown)

    life = {"collector_days": 90, "overlap_days": 90}
    with_hub(tmp_path, postgres_dsn, body, days_ago=61, certificates=life)


def test_rotating_the_ca_shuts_nobody_out(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        before, _ = await hub.collector("edge-1")
        old_ca = hub.ca
        hub.certificates.authorities.rotate("after")
        assert hub.certificates.grpc is not None
        await hub.certificates.grpc.refresh()
        # Who knows only the CA before still knows the hub, and is known.
        channel = hub.channel(before, ca=old_ca)
        renewed = await hub.renew(before, channel=channel)
        assert len(load_certificates(renewed.authorities, "bundle")) == 2
        await shaken(hub.server.port, old_ca)
        new_ca = renewed.authorities.split(b"-----END CERTIFICATE-----\n")[0] + b"-----END CERTIFICATE-----\n"
        await shaken(hub.server.port, new_ca)
        after, issued = await hub.collector("edge-2")
        await hub.renew(after, channel=hub.channel(after, ca=new_ca))
        # After the overlap the CA before is worth nothing, and neither is what it signed.
        hub.clock.now += 61 * DAY_US
        await hub.certificates.grpc.refresh()
        assert len(load_certificates(hub.certificates.authorities.bundle(), "bundle")) == 1
        hub.clock.now -= 61 * DAY_US
        assert (
            await fails(hub.renew(before, channel=hub.channel(before, ca=new_ca)))
        ).code() is CODE.UNAVAILABLE
        await hub.renew(after, channel=hub.channel(after, ca=new_ca))

    with_hub(tmp_path, postgres_dsn, body, certificates={"server_days": 1000})


def test_the_grpc_door_sends_its_ca_and_speaks_nothing_old(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        sent = await asyncio.to_thread(chain_of, hub.server.port)
        assert sent[-1] == "CN=mtd internal CA"
        assert len(sent) == 2
        assert (await shaken(hub.server.port, hub.ca, most=ssl.TLSVersion.TLSv1_2))[0] == "TLSv1.2"
        for port in (hub.server.port, hub.server.client_port):
            await refused(port, hub.ca, most=ssl.TLSVersion.TLSv1_1)
        with pytest.raises(OSError, match="Connection reset|closed|timed out|EOF"):
            await asyncio.to_thread(in_the_clear, hub.server.port)

    with_hub(tmp_path, postgres_dsn, body)


def in_the_clear(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 60) as raw:
        raw.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        if raw.recv(100).startswith((b"", b"\x15")):
            raise OSError("closed")


def test_the_http_door_takes_a_new_certificate_while_it_is_open(tmp_path: Path) -> None:
    async def main() -> None:
        clock = Hand(days_ago=61)
        certificates = Certificates(http_settings(tmp_path), clock)
        async with http_of(certificates) as server:
            ca = certificates.authorities.bundle()
            version, first = await shaken(server.port, ca)
            assert version == "TLSv1.3"
            context = ssl.create_default_context(cadata=ca.decode())
            reader, writer = await asyncio.open_connection("localhost", server.port, ssl=context)
            clock.now += 61 * DAY_US
            assert certificates.http is not None
            await certificates.http.refresh()
            assert (await shaken(server.port, ca))[1] != first
            writer.write(f"GET /healthz HTTP/1.1\r\nHost: localhost:{server.port}\r\n\r\n".encode())
            assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
            writer.close()
            await writer.wait_closed()
            certificates.authorities.rotate("after")
            await certificates.http.refresh()
            for known in (ca, certificates.authorities.bundle()):
                await shaken(server.port, known)
            assert (await shaken(server.port, ca, most=ssl.TLSVersion.TLSv1_2))[0] == "TLSv1.2"
            await refused(server.port, ca, most=ssl.TLSVersion.TLSv1_1)

    run_async(main(), timeout_s=60)


def test_names_of_the_certificate_may_be_called(tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        settings = http_settings(tmp_path, names=["hub.example", "2001:db8::1"])
        settings.http.port = port
        certificates = Certificates(settings, Hand())
        async with http_of(certificates) as server:
            context = ssl.create_default_context(cadata=certificates.authorities.bundle().decode())
            for host, status in (
                (f"hub.example:{port}", b"200"),
                (f"[2001:db8::1]:{port}", b"200"),
                ("hub.example", b"403"),
                (f"localhost:{server.port}", b"200"),
                ("localhost", b"403"),
                ("evil.example", b"403"),
            ):
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", server.port, ssl=context, server_hostname="hub.example"
                )
                writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                assert (await reader.readline()).split()[1] == status, host
                writer.close()
                await writer.wait_closed()

    run_async(main(), timeout_s=60)


def test_a_ca_that_vanishes_isn_t_replaced_by_another(tmp_path: Path) -> None:
    async def main() -> None:
        certificates = Certificates(http_settings(tmp_path / "data"), Hand())
        async with http_of(certificates) as server:
            ca = certificates.authorities.bundle()
            (tmp_path / "data" / "ca").rename(tmp_path / "away")
            failed = metric("mtd_api_tls_reloads_total", door="http", result="failed")
            assert certificates.http is not None
            await certificates.http.refresh()
            assert metric("mtd_api_tls_reloads_total", door="http", result="failed") == failed + 1
            await shaken(server.port, ca)
            assert not certificates.authorities.exists()

    run_async(main(), timeout_s=60)


def test_collectors_of_a_ca_that_was_lost_are_named(
    tmp_path: Path, postgres_dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def before(hub: Hub) -> None:
        await hub.collector("edge-1")
        await hub.collector("edge-2")
        await hub.admin.RevokeCollector(pb.RevokeCollectorRequest(collector="edge-2"))

    async def after(hub: Hub) -> None:
        assert metric("mtd_app_collectors_of_lost_authorities") == 1
        assert "restore that folder" in caplog.text
        assert "(edge-1)" in caplog.text

    with_hub(tmp_path / "one", postgres_dsn, before)
    assert metric("mtd_app_collectors_of_lost_authorities") == 0
    with_hub(tmp_path / "two", postgres_dsn, after)


# -- certificates of the operator's own ----------------------------------------------


def write_own(store: AuthorityStore, folder: Path, name: str = "hub.example") -> tuple[Path, Path]:
    signed = store.sign_server([name, "localhost"])
    certificate, key = folder / "door.pem", folder / "door.key"
    certificate.write_bytes(signed.chain)
    key.write_bytes(signed.key)
    key.chmod(0o600)
    return certificate, key


def own_ca(folder: Path) -> AuthorityStore:
    store = AuthorityStore(folder / "corporate", CertificatesConfig(), list)
    store.init("corporate")
    return store


def test_files_are_read_again_when_they_change(tmp_path: Path) -> None:
    async def main() -> None:
        store = own_ca(tmp_path)
        certificate, key = write_own(store, tmp_path)
        tls = {"mode": "files", "certificate_file": certificate, "key_file": key, "reload_interval_s": 0.02}
        certificates = Certificates(settings_of(tmp_path, http={"port": 0, "tls": tls}), Hand())
        async with http_of(certificates) as server:
            _, first = await shaken(server.port, store.bundle())
            failed = metric("mtd_api_tls_reloads_total", door="http", result="failed")
            certificate.write_bytes(store.sign_server(["hub.example"]).chain)  # its key doesn't come at once
            await until(lambda: metric("mtd_api_tls_reloads_total", door="http", result="failed") > failed)
            assert (await shaken(server.port, store.bundle()))[1] == first
            taken = metric("mtd_api_tls_reloads_total", door="http", result="ok")
            write_own(store, tmp_path)
            await until(lambda: metric("mtd_api_tls_reloads_total", door="http", result="ok") > taken)
            assert (await shaken(server.port, store.bundle()))[1] != first

    run_async(main(), timeout_s=60)


def test_callers_of_the_internal_ca_come_to_a_door_with_files(tmp_path: Path, postgres_dsn: str) -> None:
    store = own_ca(tmp_path)
    certificate, key = write_own(store, tmp_path)

    async def body(hub: Hub) -> None:
        hub.ca = store.bundle()
        own = hub.channel(name="localhost")
        hub.admin, hub.enrollment = CollectorServiceStub(own), EnrollmentServiceStub(own)
        shown, issued = await hub.collector("edge-1")
        assert issued.authorities == hub.certificates.authorities.bundle() != hub.ca
        await hub.renew(shown, channel=hub.channel(shown, name="localhost"))

    tls = {"mode": "files", "certificate_file": certificate, "key_file": key}

    Certificates(settings_of(tmp_path, tls=tls), Hand()).authorities.init("mtd")
    with_hub(tmp_path, postgres_dsn, body, tls=tls)


@pytest.mark.parametrize("fault", ["key of another", "open key", "no certificate", "no key", "weak key"])
def test_files_that_can_t_be_used_are_told_in_words(tmp_path: Path, fault: str) -> None:
    store = own_ca(tmp_path)
    certificate, key = write_own(store, tmp_path)
    if fault == "key of another":
        key.write_bytes(store.sign_server(["hub.example"]).key)
    elif fault == "open key":
        key.chmod(0o644)
    elif fault == "no certificate":
        certificate.write_text("not PEM")
    elif fault == "weak key":
        key.write_bytes(key_pem(ec.generate_private_key(ec.SECP224R1())))
    else:
        key.unlink()
    live = LiveMaterial("http", FilesSource(certificate, key), 10)
    with pytest.raises(CertificateUnusable, match=r"door\.(pem|key)") as told:
        run_async(live.start())
    assert isinstance(told.value, Misconfigured)
    assert "PRIVATE" not in str(told.value)


# -- streams ---------------------------------------------------------------------------


class Waiting(ingest_service_pb2_grpc.IngestServiceServicer):
    """Opens streams, and says nothing more."""

    def __init__(self) -> None:
        self.open = 0

    async def Append(self, request_iterator: Any, context: Any) -> Any:
        self.open += 1
        try:
            yield ingest_service_pb2.AppendResponse()
            await asyncio.Event().wait()
        finally:
            self.open -= 1


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_streams_end_with_the_certificate(tmp_path: Path, postgres_dsn: str, how: str) -> None:
    servicer = Waiting()
    part = ServicePart(ingest_service_pb2_grpc.add_IngestServiceServicer_to_server, servicer)

    async def main() -> None:
        async with hub_in(tmp_path, postgres_dsn, [part]) as hub:
            streams = []
            for name in ("edge-1", "edge-2"):
                shown, _ = await hub.collector(name)
                stub: Any = ingest_service_pb2_grpc.IngestServiceStub(hub.channel(shown))
                call = stub.Append()
                await call.write(ingest_service_pb2.AppendRequest())
                await call.read()
                streams.append(call)
            assert servicer.open == 2
            if how == "revoked":
                rows(
                    postgres_dsn,
                    "UPDATE mtd.certificate SET revoked_at = now(), revoked_reason = 'x' FROM mtd.collector c"
                    " WHERE c.collector_id = certificate.collector_id AND c.name = 'edge-1'",
                )
            else:
                hub.clock.now += 31 * DAY_US
                hub.certificates.collectors.changed()  # type: ignore[union-attr]
            assert (await fails(streams[0].read())).code() is CODE.UNAUTHENTICATED
            if how == "revoked":
                assert servicer.open == 1
                assert not streams[1].done()
            await until(lambda: servicer.open == (1 if how == "revoked" else 0))
            streams[1].cancel()

    run_async(main(), timeout_s=60)
