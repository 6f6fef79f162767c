"""Two tenants, and somebody who shows what isn't good (any more): at the doors of a whole daemon."""

from __future__ import annotations

import datetime as dt
import json
import secrets
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from pathlib import Path
from ssl import SSLContext, create_default_context
from typing import Any

import grpc

from mtd.client import MtdClient, MtdClientError, identity, ingest
from mtd.client import collectors as collector_calls
from mtd.client.errors import error_of
from mtd.ingest.push.keyring import sign
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.pb.ingest.v1 import ingest_service_pb2 as pb
from mtd.pb.ingest.v1.ingest_service_pb2_grpc import IngestServiceStub
from mtd.security.certificates import key_pem, new_key, request_pem
from tests.e2e.kit import wait_for
from tests.e2e.secure_kit import SecureRig

ALPHA, BRAVO = "alpha", "bravo"
BATCH = "/ingest/v1/batch"
PASSWORD = "correct horse battery"


@dataclass(frozen=True, slots=True)
class Refused:
    """How a door refused: a status of gRPC or HTTP, why, and what to do about it."""

    status: str
    why: str
    hint: str


@dataclass(frozen=True, slots=True)
class Certified:
    """A collector's certificate and key, as files."""

    chain: Path
    key: Path


@dataclass
class Attacked:
    """The daemon, and what an attacker got hold of."""

    stage: SecureRig
    tls: SSLContext
    bravo_id: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    collectors: dict[str, Certified] = field(default_factory=dict)
    invitations: dict[str, str] = field(default_factory=dict)
    ingest_key: tuple[str, str] = ("", "")
    session: str = ""

    # -- setting up ------------------------------------------------------------

    @contextmanager
    def as_operator(self, tenant: str = ALPHA) -> Iterator[MtdClient]:
        with MtdClient(self.stage.server, ca_file=self.stage.ca_file, tenant=tenant) as client:
            yield client

    def set_up(self) -> None:
        with self.as_operator("") as client:
            client.ask(identity.create_tenant(ALPHA))
            self.bravo_id = client.ask(identity.create_tenant(BRAVO)).id
        with self.as_operator() as client:
            for name in ("viewer", "revoked", "expired"):
                soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=5)
                expires = soon if name == "expired" else None
                made = client.ask(identity.create_token(name, "viewer", ["*"], expires_at=expires))
                self.tokens[name] = made.secret
            client.ask(identity.revoke_token("revoked"))
            self.tokens["made up"] = "mtd_nobody"
            key = client.ask(ingest.create_key("billing"))
            self.ingest_key = (key.key.key_id, key.secret)
            for name in ("stolen", "revoked"):
                self._enrol(client, name)
            client.ask(collector_calls.revoke("revoked", reason="lost"))
            late = client.ask(collector_calls.invite("late", life_s=1))
            self.invitations["late"] = late.token
            client.ask(identity.create_user("mallory", role="viewer", password=PASSWORD))
            self.session = self._log_in("mallory")
            client.ask(identity.update_user("mallory", enabled=False))
        over = max(soon, late.expires_at)
        wait_for(lambda: dt.datetime.now(dt.UTC) > over, "what is to expire has expired", 20)

    def _enrol(self, client: MtdClient, name: str) -> None:
        token = client.ask(collector_calls.invite(name)).token
        key = new_key()
        issued = client.ask(collector_calls.enroll(token, request_pem(key, name)))
        certified = Certified(self.stage.folder / f"{name}.pem", self.stage.folder / f"{name}.key")
        certified.chain.write_bytes(issued.certificate_chain)
        certified.key.write_bytes(key_pem(key))
        self.collectors[name], self.invitations[name] = certified, token

    def _log_in(self, user: str) -> str:
        _, offered, _ = self.ask("GET", "/console/api/v1/login")
        given = json.dumps({"name": user, "password": PASSWORD, "tenant": ALPHA}).encode()
        headers = {
            "Origin": f"https://localhost:{self.stage.http_port}",
            "X-Mtd-Csrf": offered["csrf"],
            "Content-Type": "application/json",
        }
        code, told, cookies = self.ask("POST", "/console/api/v1/login", given, **headers)
        assert code == 200, told
        session = cookies.partition(";")[0]
        assert self.ask("GET", "/console/api/v1/me", Cookie=session)[0] == 200
        return session

    # -- doors -----------------------------------------------------------------

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any, str]:
        """Ask the HTTP door; return status, what it said, and the cookie that it set."""
        connection = HTTPSConnection("localhost", self.stage.http_port, timeout=30, context=self.tls)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read()
            told = json.loads(text) if "json" in (response.getheader("content-type") or "") else text
            return response.status, told, response.getheader("set-cookie") or ""
        finally:
            connection.close()

    def http(self, method: str, path: str, body: bytes = b"", **headers: str) -> Refused:
        """Ask the HTTP door for what it refuses."""
        code, told, _ = self.ask(method, path, body, **headers)
        return Refused(str(code), told["error"], told["hint"])

    def grpc(self, call: Any, *, token: str = "", collector: str = "", tenant: str = "") -> Refused:
        """Make a call that the gRPC door refuses, with a token or a collector's certificate."""
        options: dict[str, Any] = {"ca_file": self.stage.ca_file, "tenant": tenant}
        server = self.stage.server
        if token:
            options["token"] = self.tokens[token]
        if collector:
            shown = self.collectors[collector]
            options |= {"certificate_file": shown.chain, "key_file": shown.key}
            server = f"127.0.0.1:{self.stage.client_port}"
        try:
            with MtdClient(server, **options) as client:
                said = client.ask(call)
        except MtdClientError as error:
            return Refused(error.code, error.message, error.hint)
        raise AssertionError(f"it was let in, and told {said}")

    def forwarded(self) -> Refused:
        """Call on loopback without any proof, as what a proxy passed on."""
        secure = grpc.ssl_channel_credentials(self.stage.ca_file.read_bytes())
        with grpc.secure_channel(self.stage.server, secure) as channel:
            list_devices = channel.unary_unary("/mtd.pb.inventory.v1.InventoryService/ListDevices")
            try:
                list_devices(b"", metadata=(("x-forwarded-for", "198.51.100.7"),), timeout=10)
            except grpc.RpcError as failed:
                error = error_of(failed, self.stage.server)
                return Refused(error.code, error.message, error.hint)
        raise AssertionError("it was let in")

    def append_of(self, tenant_id: str) -> Refused:
        """Append an event of a tenant with the certificate of a collector of Alpha's."""
        shown = self.collectors["stolen"]
        secure = grpc.ssl_channel_credentials(
            self.stage.ca_file.read_bytes(), shown.key.read_bytes(), shown.chain.read_bytes()
        )
        opened = pb.AppendRequest(open=pb.AppendOpen(log_id=str(uuid.uuid4()), lane=pb.LANE_LIVE, next_seq=1))
        events = [Envelope(tenant_id=tenant_id, collected_at_us=time.time_ns() // 1000)]
        batch = pb.AppendRequest(batch=pb.AppendBatch(first_seq=1, last_seq=1, events=events))
        with grpc.secure_channel(f"127.0.0.1:{self.stage.client_port}", secure) as channel:
            stub: Any = IngestServiceStub(channel)
            try:
                list(stub.Append(iter([opened, batch]), timeout=20))
            except grpc.RpcError as failed:
                error = error_of(failed, "the hub")
                return Refused(error.code, error.message, error.hint)
        raise AssertionError("it was taken")

    def signed(self, *, secret: str = "", ago_s: int = 0, nonce: str = "", twice: bool = False) -> Refused:
        """Send a batch that is signed by Alpha's key, or as if it were."""
        key_id, own = self.ingest_key
        body = b'{"schema_version": 1, "samples": []}'
        at, once = str(int(time.time()) - ago_s), nonce or secrets.token_urlsafe(16)
        headers = {
            "Content-Type": "application/json",
            "X-Mtd-Key": key_id,
            "X-Mtd-Timestamp": at,
            "X-Mtd-Nonce": once,
            "X-Mtd-Signature": sign((secret or own).encode(), "POST", BATCH, at, once, body),
        }
        if twice:
            assert self.ask("POST", BATCH, body, **headers)[0] != 401
        return self.http("POST", BATCH, body, **headers)

    # -- what is left of it ----------------------------------------------------

    def entries(self, after: int) -> list[dict[str, Any]]:
        """Return the entries of the audit log behind a position, of all tenants."""
        told = self.stage.ask("audit", "export", "--all-tenants", "--after", str(after))
        return [json.loads(line) for line in told.splitlines()]

    def last_entry(self) -> int:
        return int(self.stage.value("SELECT coalesce(max(position), 0) FROM audit_entry"))


@contextmanager
def attacked(where: Path) -> Iterator[Attacked]:
    """Run a daemon with TLS at both doors, and give somebody what they shouldn't have."""
    with SecureRig(where, {"console": {"enabled": True}}) as stage:
        stage.start_daemon()
        stage.ca_file.write_text(stage.ask("ca", "show", "--pem"))
        one = Attacked(stage, create_default_context(cafile=str(stage.ca_file)))
        one.set_up()
        try:
            yield one
        finally:
            sys.stdout.write(stage.daemon.tail(40) if stage.daemon else "no daemon")


def csr() -> bytes:
    """Return a signing request of a new key."""
    return request_pem(new_key(), "attacker")
