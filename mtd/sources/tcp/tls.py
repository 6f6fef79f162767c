"""TLS of a session, by the device's mode. What a mode asks for is got, or there is no session.

Twisted's own options are not used: its cipher lists drop ``@SECLEVEL``, which
anonymous Diffie-Hellman needs, and it would load the authorities anew for each
of thousands of sessions. Contexts are made once per mode here and shared.
"""

from __future__ import annotations

import asyncio
import ipaddress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from OpenSSL import SSL
from service_identity import VerificationError
from service_identity.pyopenssl import verify_hostname, verify_ip_address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from zope.interface import implementer

from mtd.model.device import Outcome, TlsMode
from mtd.sources.errors import SessionFailed
from mtd.sources.tcp.services import API, Service

if TYPE_CHECKING:
    from OpenSSL.crypto import X509
    from twisted.protocols.tls import TLSMemoryBIOProtocol

# RouterOS without a certificate offers nothing else. OpenSSL counts these as level 0.
_ANONYMOUS_CIPHERS = b"ADH:AECDH:@SECLEVEL=0"

_NOT_TLS = "the port answers, but not with TLS: it may be {service.plain}"
_ADVICE: tuple[tuple[str, str], ...] = (
    ("wrong version number", _NOT_TLS),
    ("packet length too long", _NOT_TLS),
    ("record layer failure", _NOT_TLS),
    (
        "certificate verify failed",
        "the router's certificate isn't signed by a trusted authority: install the authority's certificate "
        "(tls_ca_file), or pin the fingerprint",
    ),
    (
        "handshake failure",
        "no cipher in common: a router without a certificate offers anonymous Diffie-Hellman only (mode "
        "'anonymous'), and one with a certificate doesn't offer that",
    ),
    ("unsupported protocol", "the router offers old versions of TLS only: upgrade RouterOS"),
    ("protocol version", "the router offers other versions of TLS: see tls-version in /ip/service"),
)


@implementer(IOpenSSLClientConnectionCreator)
class TlsClient:
    """TLS towards one device: makes the connection, and checks the peer once it is up."""

    def __init__(self, mode: TlsMode, host: str, context: SSL.Context, fingerprint: str = "") -> None:
        self.seen_fingerprint = ""
        self._mode = mode
        self._host = host
        self._pinned = normal_fingerprint(fingerprint)
        self._context = context
        self._connection: SSL.Connection | None = None
        if mode is TlsMode.PINNED and not self._pinned:
            raise SessionFailed(
                Outcome.TLS_FAILED, "the device is set to a pinned certificate, but has no fingerprint"
            )

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Make the OpenSSL connection; Twisted calls it."""
        connection = SSL.Connection(self._context, None)
        if not _is_address(self._host):
            connection.set_tlsext_host_name(self._host.encode("idna"))
        if self._mode is TlsMode.VERIFY:
            connection.set_verify(SSL.VERIFY_PEER, self._note_certificate)
        self._connection = connection
        return connection

    def check(self) -> None:
        """Check the peer after the handshake, before anything is sent. Raises `SessionFailed`."""
        connection = self._connection
        if connection is None:
            raise SessionFailed(Outcome.TLS_FAILED, "there is no TLS connection")
        certificate = connection.get_peer_certificate()
        if certificate is not None:
            self.seen_fingerprint = _fingerprint_of(certificate)
        if self._mode is TlsMode.PINNED and self.seen_fingerprint != self._pinned:
            raise SessionFailed(
                Outcome.TLS_FAILED,
                f"the router showed the certificate {self.seen_fingerprint or 'none'}, not the pinned "
                f"{self._pinned}: if it was renewed, pin the new one; if not, somebody is in between",
            )
        if self._mode is TlsMode.VERIFY:
            self._check_name(connection)

    def describe(self) -> str:
        """Say what was agreed on."""
        connection = self._connection
        if connection is None:
            return ""
        known = f", certificate {self.seen_fingerprint}" if self.seen_fingerprint else ", no certificate"
        return f"{connection.get_protocol_version_name()} {connection.get_cipher_name()}{known}"

    def _check_name(self, connection: SSL.Connection) -> None:
        verify = verify_ip_address if _is_address(self._host) else verify_hostname
        try:
            verify(connection, self._host)
        except (VerificationError, ValueError) as error:
            raise SessionFailed(
                Outcome.TLS_FAILED,
                f"the router's certificate is valid, but not for {self._host}: name the host in it "
                "(subject-alt-name), or pin the fingerprint",
            ) from error

    def _note_certificate(
        self, connection: SSL.Connection, certificate: X509, error: int, depth: int, ok: int
    ) -> bool:
        # Seen here also when it is about to be refused: the user may want to pin it.
        if depth == 0:
            self.seen_fingerprint = _fingerprint_of(certificate)
        return bool(ok)


async def context_for(mode: TlsMode, ca_file: str = "") -> SSL.Context:
    """Return the context of a mode, the same for all sessions until the file is replaced.

    Raises `SessionFailed` if the authorities can't be read.
    """
    if mode is not TlsMode.VERIFY:
        return _context(mode)
    try:
        return await asyncio.to_thread(_verifying_context, ca_file)  # it reads files
    except (OSError, SSL.Error) as error:
        text = error.strerror if isinstance(error, OSError) else "it holds no PEM certificates"
        raise SessionFailed(
            Outcome.TLS_FAILED,
            f"tls_ca_file {ca_file} can't be read ({text}): no router's certificate can be checked until "
            "it is put right",
        ) from error


def _verifying_context(ca_file: str) -> SSL.Context:
    if not ca_file:
        return _context(TlsMode.VERIFY)
    state = Path(ca_file).stat()
    return _context(TlsMode.VERIFY, ca_file, (state.st_mtime_ns, state.st_size, state.st_ino))


@lru_cache(maxsize=16)
def _context(mode: TlsMode, ca_file: str = "", version: tuple[int, ...] = ()) -> SSL.Context:
    """Make the context of a mode. ``version`` tells apart the files of one name over time."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if mode is TlsMode.ANONYMOUS:
        context.set_cipher_list(_ANONYMOUS_CIPHERS)
        context.set_min_proto_version(SSL.TLS1_VERSION)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)  # TLS 1.3 has no anonymous ciphers
        return context
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    if mode is TlsMode.VERIFY:
        if ca_file:
            context.load_verify_locations(ca_file)
        else:
            context.set_default_verify_paths()
    return context


def normal_fingerprint(text: str) -> str:
    """Return a SHA-256 fingerprint as lower-case hex digits, however it was written."""
    return "".join(text.split()).replace(":", "").lower().removeprefix("sha256")


def explain_tls_error(error: BaseException, service: Service = API) -> str:
    """Return what to tell the user about a handshake that failed."""
    if isinstance(error, SSL.Error):
        details = error.args[0] if error.args and isinstance(error.args[0], list) else []
        text = "; ".join(str(detail[-1]) for detail in details) or "the TLS handshake failed"
        for sign, advice in _ADVICE:
            if sign in text:
                return f"{advice.format(service=service)} ({text})"
        return text
    return (
        f"the router closed the connection during the TLS handshake: {service.secure_name} may be disabled, may "
        "have no certificate (then choose mode 'anonymous'), or this is another service's port"
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _fingerprint_of(certificate: X509) -> str:
    return normal_fingerprint(certificate.digest("sha256").decode())
