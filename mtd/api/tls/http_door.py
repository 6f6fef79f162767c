"""The HTTP door's TLS: each connection begins with the newest certificate."""

from __future__ import annotations

from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from mtd.api import metrics
from mtd.api.tls.material import LiveMaterial, Material
from mtd.security.certificates import load_certificates, load_key


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
    options = CertificateOptions(
        privateKey=PKey.from_cryptography_key(load_key(material.key, "the key")),  # type: ignore[arg-type]
        certificate=X509.from_cryptography(leaf),
        extraCertChain=[X509.from_cryptography(one) for one in others],
        raiseMinimumTo=TLSVersion.TLSv1_2,
    )
    context: SSL.Context = options.getContext()
    return context
