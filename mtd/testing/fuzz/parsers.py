"""What reads the bytes of strangers, by itself: targets for fuzzing, each with good inputs to begin from.

A target takes bytes and may refuse them by the errors that it names; any other is a finding.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import struct
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import click
from google.protobuf.message import DecodeError
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey
from twisted.web.http import Request
from twisted.web.http_headers import InvalidHeaderName
from twisted.web.test.requesthelper import DummyChannel

from mtd.api.grpc.ingest import batch_of
from mtd.api.grpc.page_tokens import PageSeal, PageTokenRefused
from mtd.api.grpc.resume_tokens import ResumePoints
from mtd.api.http.cookies import SESSION, TENANT, Cookies
from mtd.api.http.guard import Guard
from mtd.api.http.ingest_pages import beat_of
from mtd.api.http.shown import credentials_of, origin_of
from mtd.api.login.config import ClaimRule, OidcConfig
from mtd.api.login.oidc.provider import BadToken, Provider, decoded_token
from mtd.api.login.oidc.rules import name_of, place_of
from mtd.app.collectors import facts_in
from mtd.cli.device_csv import rows_in
from mtd.codec import mndp
from mtd.codec.routeros.decoder import Decoder, Stamp
from mtd.codec.routeros.errors import ProtocolDamaged
from mtd.codec.routeros.words import encode_sentence
from mtd.codec.snmp import NotSnmp
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import QuotaExceeded, Refused, Retryable, Unauthenticated
from mtd.ingest.config import PushConfig
from mtd.ingest.copying.check import NotItsOwn, Speaker, stamp
from mtd.ingest.push.keyring import Keyring, Signed
from mtd.ingest.push.payload import read_payload
from mtd.ingest.push.reading import unpack
from mtd.ingest.push.rows import TooLarge, Unreadable
from mtd.model.command import Command
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.pb.ingest.v1.ingest_service_pb2 import IngestRequest
from mtd.pb.inventory.v1.inventory_service_pb2 import ListDevicesRequest
from mtd.security import enrolment, tokens
from mtd.security.ca import Authority
from mtd.security.certificates import certificate_pem, new_key, request_pem, requested_key
from mtd.storage.stores.ingest_keys import GoodKey
from mtd.testing.fuzz import flows, traps

_TENANT, _DEVICE = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
_MOST_UNPACKED = 1 << 20


@dataclass(frozen=True, slots=True)
class Target:
    """A parser: ``read`` is given bytes, ``allowed`` is how it refuses, ``seeds`` are good inputs."""

    read: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    allowed: tuple[type[Exception], ...] = ()

    def try_out(self, data: bytes) -> None:
        """Read bytes; raises what is a finding."""
        with contextlib.suppress(*self.allowed):
            self.read(data)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


# -- ingest -------------------------------------------------------------------

_SAMPLE = {"device_uid": "core-1", "ts": "2026-01-01T00:00:00Z", "metrics": {"system.cpu.load_pct": 7.5}}
_EVENT = {"id": str(uuid.UUID(int=3)), "device": "core-1", "ts": 1767225600.5, "event_type": "link.down"}


def _batches() -> Iterable[bytes]:
    whole = {"schema_version": 1, "batch_id": "b-1", "group": "g", "samples": [_SAMPLE], "events": [_EVENT]}
    yield json.dumps(whole).encode()
    yield json.dumps([_SAMPLE]).encode()


def _beats() -> Iterable[bytes]:
    agent = {"name": "billing", "version": "1", "capabilities": ["x"]}
    yield json.dumps({"agent": agent, "sent_at": "2026-01-01T00:00:00Z", "buffer_depth": 3}).encode()
    yield b'{"agent": "billing"}'


def _messages() -> Iterable[bytes]:
    request = IngestRequest(batch_id="b-1", group="g")
    sample = request.samples.add(device="core-1")
    sample.time.FromMicroseconds(1_767_225_600_000_000)
    request.events.add(event_id=str(uuid.UUID(int=3)), device="core-1", event_type="link.down")
    yield request.SerializeToString()


@cache
def _keyring() -> Keyring:
    ring = Keyring(cast("Any", None), cast("Any", None), PushConfig(), SYSTEM_CLOCK)
    ring.use({"ik_one": GoodKey("ik_one", _TENANT, "billing", [(b"secret", None)])})
    return ring


def _verify(data: bytes) -> None:
    key_id, at, nonce, signature, method, path, *_ = [*_text(data).split("\n"), "", "", "", "", "", ""]
    _keyring().verify(Signed(key_id, at, nonce, signature, method, path), "0" * 64)


def _stamp(data: bytes) -> None:
    envelope = Envelope.FromString(data)
    speaker = Speaker("edge", _TENANT, frozenset((_TENANT,)), "edge-1", "id")
    (stamped,) = stamp([envelope], bytes(16), 1, speaker, {_DEVICE: _TENANT}, 1).envelopes
    if (stamped.tenant_id, stamped.source_seq) != (_TENANT, 1):
        raise AssertionError("an event of somebody else's, or of another place")


def _envelopes() -> Iterable[bytes]:
    whose = {"tenant_id": _TENANT, "device_id": _DEVICE, "event_id": bytes(16), "collected_at_us": 7}
    yield Envelope(**whose).SerializeToString()  # type: ignore[arg-type]
    for part in ("frame", "series_layout", "state_changed"):
        envelope = Envelope(**whose)  # type: ignore[arg-type]
        getattr(envelope, part).SetInParent()
        yield envelope.SerializeToString()
    declared = Envelope(**whose)  # type: ignore[arg-type]
    declared.series_layout.poll_group = "t0"
    declared.series_layout.series.add().SetInParent()
    yield declared.SerializeToString()


# -- who somebody is ----------------------------------------------------------


def _show(data: bytes) -> None:
    request = Request(cast("Any", DummyChannel()), False)
    request.path = b"/"
    for line in data.split(b"\n")[:50]:
        header, _, value = line.partition(b":")
        with contextlib.suppress(InvalidHeaderName):  # of those Twisted itself makes a 400
            request.requestHeaders.addRawHeader(header.strip()[:100], value.strip())
    request.parseCookies()
    guard = Guard(("127.0.0.1",))
    if guard.unreadable(request) is not None:
        return
    guard.refusal(request)
    cookies = Cookies()
    credentials_of(request, cookies)
    origin_of(request)
    for name in (SESSION, TENANT):
        cookies.get(request, name)
    cookies.has_csrf(request)


def _headers() -> Iterable[bytes]:
    yield b"Authorization: Bearer mtd_x\nHost: 127.0.0.1\nMtd-Tenant: alpha"
    yield b"Cookie: mtd_session=abc; mtd_tenant=alpha\nX-Mtd-Csrf: 00\nOrigin: http://127.0.0.1"
    yield b"X-Forwarded-For: 192.0.2.1, 198.51.100.7\nHost: [::1]:9470\nSec-Fetch-Site: same-origin"


def _parse_tokens(data: bytes) -> None:
    for token in (tokens.parse_token(_text(data)), enrolment.parse_token(_text(data))):
        if token is not None and token.text != _text(data).strip():
            raise AssertionError("a token is another one than was given")


def _tokens() -> Iterable[bytes]:
    yield tokens.new_token(tokens.new_token_id()).text.encode()
    yield enrolment.new_token("0" * 40).text.encode()


_SEAL = PageSeal(b"key")
_METHOD = "/mtd.pb.inventory.v1.InventoryService/ListDevices"


def _page(data: bytes) -> None:
    token = _text(data)
    place = _SEAL.open(_METHOD, _TENANT, ListDevicesRequest(), token)
    if token and _SEAL.seal(_METHOD, _TENANT, ListDevicesRequest(), place) != token:
        raise AssertionError("a page token that was never given out")


_POINTS = ResumePoints()


def _resume(data: bytes) -> None:
    change = _POINTS.change_at(_TENANT, "chosen", _text(data))
    if change not in (None, 0):
        raise AssertionError("a position that there never was")


_RULES = (
    ClaimRule(claim="groups", value="noc", role="operator", tenant="alpha"),
    ClaimRule(claim="realm_access.roles", value="admins", role="super-admin"),
)


@cache
def _provider() -> tuple[Provider, KeySet, RSAKey]:
    config = OidcConfig(issuer="https://id.example", client_id="mtd")
    key = RSAKey.generate_key(2048)
    return Provider(config, "", cast("Any", None), SYSTEM_CLOCK), KeySet([key]), key


def _claims(data: bytes) -> None:
    provider, _, _ = _provider()
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):  # the library has read it before us
        return
    if isinstance(said, dict):
        checked = provider.checked(jwt.Token({"alg": "RS256"}, said), "nonce", said.get("access_token"))
        place_of(checked, _RULES)
        name_of(checked, ("preferred_username", "email"))


def _good_claims() -> dict[str, Any]:
    now = SYSTEM_CLOCK.now_us() // 1_000_000
    return {
        "iss": "https://id.example",
        "aud": "mtd",
        "sub": "joe",
        "iat": now,
        "exp": now + 10**9,
        "nonce": "nonce",
        "email": "joe@isp.example",
        "groups": ["noc"],
        "realm_access": {"roles": ["admins"]},
    }


def _claim_seeds() -> Iterable[bytes]:
    yield json.dumps(_good_claims()).encode()
    yield json.dumps(_good_claims() | {"aud": ["mtd", "other"], "azp": "mtd", "at_hash": "x"}).encode()


def _id_token(data: bytes) -> None:
    _, keys, _ = _provider()
    decoded_token(_text(data), keys, ("RS256",))


def _id_tokens() -> Iterable[bytes]:
    _, _, key = _provider()
    yield jwt.encode({"alg": "RS256", "typ": "JWT"}, _good_claims(), key).encode()
    yield b"eyJhbGciOiJub25lIn0.e30."


def _certificates() -> Iterable[bytes]:
    now_us = SYSTEM_CLOCK.now_us()
    authority = Authority.new("mtd", now_us, 30.0)
    yield certificate_pem(authority.certificate)
    yield certificate_pem(
        authority.issue_collector(new_key().public_key(), _DEVICE, "edge", (_TENANT,), now_us, 30.0)
    )


# -- files and routers --------------------------------------------------------


def _rows(data: bytes) -> None:
    text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    rows_in(text, Path("devices.csv"))


def _files() -> Iterable[bytes]:
    yield b"name,host,port,username,password,label:city,enabled\ncore-1,192.0.2.1,8728,u,p,Graz,true\n"
    yield b"sep=;\nname;host;username;password;t0:pins;ways\nedge;192.0.2.2;u;p;ether1|ether2;api\n"


def _datagrams() -> Iterable[bytes]:
    fields = (
        (1, bytes(range(6))),
        (5, b"core-1"),
        (7, b"7.16"),
        (10, b"\1\0\0\0"),
        (14, b"\1"),
        (17, bytes(4)),
    )
    body = b"".join(struct.pack(">HH", kind, len(value)) + value for kind, value in fields)
    yield b"\0\0\0\7" + body
    yield bytes(4)


_PRINT = Command("/interface/print", proplist=("name", "rx-byte"))


def _decode(data: bytes) -> None:
    # The first byte says where the stream is cut: as it comes from a socket.
    cut = data[0] if data else 0
    decoder = Decoder()
    for tag in (b"1", b"2"):
        decoder.expect(tag, _PRINT)
    for part in (data[1 : 1 + cut], data[1 + cut :]):
        decoder.feed(part, Stamp(1.0, 1))
    decoder.take(b"1")


def _streams() -> Iterable[bytes]:
    row = (b"!re", b".tag=1", b"=name=ether1", b"=rx-byte=12345")
    rows = b"".join(encode_sentence(row) for _ in range(4))
    done, trap = (b"!done", b".tag=1"), (b"!trap", b".tag=2", b"=message=no such command")
    yield b"\x20" + rows + encode_sentence(done)
    yield b"\0" + encode_sentence(trap) + encode_sentence((b"!done", b".tag=2"))
    yield b"\5" + encode_sentence((b"!fatal", b"too many commands"))


def _exports() -> Iterable[bytes]:
    good = flows.good_datagrams()
    for first in range(0, len(good), 4):
        yield flows.joined(good[first : first + 4])


TARGETS: Mapping[str, Target] = {
    "ingest-json": Target(lambda data: read_payload(data, 200, 100), _batches, (Unreadable, TooLarge)),
    "ingest-gzip": Target(
        lambda data: unpack(data, _MOST_UNPACKED),
        lambda: (gzip.compress(b"x" * 300), gzip.compress(b"one") + gzip.compress(b"two")),
        (Unreadable, TooLarge),
    ),
    "ingest-message": Target(
        lambda data: batch_of(IngestRequest.FromString(data), PushConfig()),
        _messages,
        (DecodeError, Unreadable, TooLarge),
    ),
    "heartbeat": Target(beat_of, _beats, (Refused,)),
    "signature": Target(
        _verify,
        lambda: (f"ik_one\n1767225600\n{'n' * 20}\nv1={'0' * 64}\nPOST\n/ingest/v1/batch".encode(),),
        (Unauthenticated, Retryable, QuotaExceeded),
    ),
    "envelope": Target(_stamp, _envelopes, (DecodeError, NotItsOwn)),
    "headers": Target(_show, _headers),
    "tokens": Target(_parse_tokens, _tokens),
    "page-token": Target(
        _page,
        lambda: (_SEAL.seal(_METHOD, _TENANT, ListDevicesRequest(), "core-1").encode(),),
        (PageTokenRefused,),
    ),
    "resume-position": Target(_resume, lambda: (_POINTS.token(_TENANT, "chosen").encode(),)),
    "oidc-claims": Target(_claims, _claim_seeds, (BadToken,)),
    "oidc-token": Target(_id_token, _id_tokens, (JoseError, ValueError)),
    "certificate": Target(facts_in, _certificates),
    "signing-request": Target(requested_key, lambda: (request_pem(new_key(), "edge"),), (Refused,)),
    "device-csv": Target(_rows, _files, (click.ClickException,)),
    "flows": Target(flows.read_joined, _exports),
    "mndp": Target(mndp.decode, _datagrams, (mndp.NotMndp,)),
    "snmp-trap": Target(traps.read_trap, traps.good_traps, (NotSnmp,)),
    "routeros-words": Target(_decode, _streams, (ProtocolDamaged,)),
}
"""Parsers by name."""
