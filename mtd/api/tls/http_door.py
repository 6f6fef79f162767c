"""The HTTP door's TLS: each connection begins with the newest certificate."""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from mtd.api import metrics
from mtd.api.tls.material import LiveMaterial, Material
from mtd.security.certificates import load_certificates, load_key

# Of TLS 1.2 those with forward secrecy and authenticated encryption; of 1.3 all are like that.
_CIPHERS = b":".join(
    b"ECDHE-%s-%s" % (signature, cipher)
    for cipher in (b"AES128-GCM-SHA256", b"AES256-GCM-SHA384", b"CHACHA20-POLY1305")
    for signature in (b"ECDSA", b"RSA")
)
_OPTIONS = (
    SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_TICKET
)


@implementer(IOpenSSLServerConnectionCreator)
class ReloadingTls:
    """Makes the server side of connections."""

    def __init__(self, live: LiveMaterial) -> None:
        self._handshakes = metrics.TLS_HANDSHAKES.labels(port="http")
        self._context = _context(live.current)
        live.listen(self._changed)

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Return a connection that has not shaken hands yet."""
        self._handshakes.inc()
        return SSL.Connection(self._context, None)

    def _changed(self, material: Material) -> None:
        self._context = _context(material)


def _context(material: Material) -> SSL.Context:
    leaf, *others = load_certificates(material.chain, "the certificate")
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(_CIPHERS)
    context.set_options(_OPTIONS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.use_certificate(leaf)
    for one in others:
        context.add_extra_chain_cert(one)
    context.use_privatekey(load_key(material.key, "the key"))  # type: ignore[arg-type]  # those that sign
    context.check_privatekey()
    return context
