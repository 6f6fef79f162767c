"""How a collector gets its first certificate: with a token, from a hub that it knows by that token. Blocking."""

from __future__ import annotations

import select
import socket
import tempfile
from pathlib import Path

from cryptography import x509
from OpenSSL import SSL

from mtd.app.identity_files import HUBS_OWN, Identity, IdentityFiles, Trust, collector_target, trusts
from mtd.client import MtdClient
from mtd.client.collectors import Issued, enroll
from mtd.core.errors import AlreadyExists, Refused, Retryable
from mtd.security.ca import pin_of
from mtd.security.certificates import certificate_pem, key_pem, new_key, request_pem
from mtd.security.enrolment import EnrolmentToken, parse_token

_TIMEOUT_S = 15.0
_DEFAULT_PORT = 50051


def enrol(
    files: IdentityFiles,
    server: str,
    token_text: str,
    *,
    trust: Trust = HUBS_OWN,
    replace: bool = False,
) -> Identity:
    """Make a key, have it certified, and keep both. The token is sent to nobody but the hub that gave it out.

    Raises Refused for a text that is no token and for a hub that isn't the token's, AlreadyExists for a collector
    that has enrolled, Retryable, and MtdClientError for what the hub says.
    """
    token = parse_token(token_text)
    if token is None:
        raise Refused("that is no enrolment token: one looks like mtde_..., see `mtd collector invite`")
    if not replace and files.load() is not None:
        raise AlreadyExists(
            f"this collector has enrolled already, see {files.folder}: to enrol anew, add --replace"
        )
    server = _with_port(server)
    key = new_key()
    issued = _ask(server, token, request_pem(key, socket.gethostname()), trust)
    if not trusts(issued.authorities, token.pin):
        raise Refused(
            f"{server} isn't the hub that gave out this token: its CA is another. Nothing was kept; the token is used up"
        )
    return files.store(key_pem(key), issued, collector_target(server, issued.collector_port), trust)


def _ask(server: str, token: EnrolmentToken, request: bytes, trust: Trust) -> Issued:
    if trust.public:
        with MtdClient(server, timeout_s=_TIMEOUT_S, tls=True) as client:
            return client.ask(enroll(token.text, request))
    known = trust.ca or certificate_pem(pinned_authority(server, token.pin))
    with tempfile.NamedTemporaryFile() as ca:
        ca.write(known)
        ca.flush()
        with MtdClient(server, timeout_s=_TIMEOUT_S, ca_file=Path(ca.name)) as client:
            return client.ask(enroll(token.text, request))


def pinned_authority(server: str, pin: str) -> x509.Certificate:
    """Return the CA with this fingerprint, of those that a server says it has.

    Nothing is believed of what it says but this: with that CA the connection that counts is verified. Raises Refused
    if it has none like that, Retryable if it can't be reached.
    """
    try:
        chain = _sent_chain(server)
    except SSL.Error:
        raise Refused(
            f"{server} doesn't speak TLS as a hub does: is it the gRPC address, and is grpc.tls switched on there?"
        ) from None
    except OSError as error:
        raise Retryable(f"{server} can't be reached: {error.strerror or error}") from None
    for certificate in chain:
        if pin_of(certificate) == pin:
            return certificate
    raise Refused(
        f"{server} isn't known to be the hub that gave out this token: it shows another CA. Is somebody between you and it?"
        " If it is behind a proxy, or has a certificate of another CA, give --server-tls or --ca-file"
    )


def _sent_chain(server: str) -> list[x509.Certificate]:
    host, port = _address(server)
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_verify(SSL.VERIFY_NONE, lambda *_: True)
    with socket.create_connection((host, port), _TIMEOUT_S) as raw:
        connection = SSL.Connection(context, raw)
        connection.set_alpn_protos([b"h2"])
        connection.set_tlsext_host_name(host.encode("idna"))
        connection.set_connect_state()
        _shake_hands(connection, raw)
        return list(connection.get_peer_cert_chain(as_cryptography=True) or ())


def _shake_hands(connection: SSL.Connection, raw: socket.socket) -> None:
    while True:
        try:
            connection.do_handshake()
        except SSL.WantReadError:  # a socket with a time-out doesn't wait by itself
            if not select.select([raw], [], [], _TIMEOUT_S)[0]:
                raise TimeoutError("it didn't shake hands in time") from None
        else:
            return


def _with_port(server: str) -> str:
    """Return where a hub is, with the usual port if none was named: gRPC would take 443."""
    host, port = _address(server)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _address(server: str) -> tuple[str, int]:
    for scheme in ("dns:///", "dns:", "ipv4:", "ipv6:"):
        server = server.removeprefix(scheme)
    host, colon, port = server.rpartition(":")
    if colon and port.isdecimal() and (":" not in host or host.startswith("[")):
        return host.strip("[]"), int(port)
    return server.strip("[]"), _DEFAULT_PORT
