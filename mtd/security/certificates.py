"""Keys, requests and certificates (X.509): made, read, checked. No files, no secrets in texts.

All of it is bytes in PEM outside of this module. Keys are on the curve P-256, as small and quick as they come.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import NameOID

from mtd.core.errors import Refused
from mtd.security.errors import CertificateUnusable

COLLECTOR_URI = "mtd://collector/"
TENANT_URI = "mtd://tenant/"
MOST_REQUEST_BYTES = 16 * 1024
_LEAST_RSA_BITS = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_MOST_NAME = 64  # what a common name may hold


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says. ``fingerprint`` is the SHA-256 of all of it, ``serial`` in hex."""

    subject: str
    issuer: str
    serial: str
    fingerprint: bytes
    not_before_us: int
    not_after_us: int
    uris: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def collector_id(self) -> str:
        """The id of the collector that it is for; empty if it is for something else."""
        return next(
            (uri.removeprefix(COLLECTOR_URI) for uri in self.uris if uri.startswith(COLLECTOR_URI)), ""
        )

    def days_left(self, now_us: int) -> float:
        """Return how many days it is still good; negative when it isn't any more."""
        return (self.not_after_us - now_us) / 86_400e6


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a new private key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: PrivateKeyTypes) -> bytes:
    """Return a private key as PEM, in the clear: for a file that nobody else may read."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_key(pem: bytes, where: str) -> PrivateKeyTypes:
    """Read a private key. Raises CertificateUnusable."""
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):  # the second: it is encrypted
        raise CertificateUnusable(f"{where} doesn't hold a private key in PEM without a password") from None


def request_pem(key: ec.EllipticCurvePrivateKey, name: str) -> bytes:
    """Return a signing request. Who signs decides what goes into the certificate: the name is for people."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(common_name(name))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def requested_key(pem: bytes) -> ec.EllipticCurvePublicKey:
    """Return the public key of a signing request, whose sender has shown to have the private one. Raises Refused."""
    if len(pem) > MOST_REQUEST_BYTES:
        raise Refused(f"certificate_request: {len(pem)} bytes are too many, {MOST_REQUEST_BYTES} are allowed")
    try:
        request = x509.load_pem_x509_csr(pem)
        good, key = request.is_signature_valid, request.public_key()
    except (ValueError, TypeError, InvalidSignature):
        raise Refused("certificate_request: it isn't a signing request (PKCS #10) in PEM") from None
    except Exception as error:  # parsers of X.509 fail in many ways, and who sends this may be anybody
        if isinstance(error, MemoryError):
            raise
        raise Refused("certificate_request: it can't be read") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, _CURVES):
        raise Refused("certificate_request: its key has to be on the curve P-256 or P-384")
    if not good:
        raise Refused("certificate_request: it isn't signed with its own key")
    return key


def load_certificates(pem: bytes, where: str) -> list[x509.Certificate]:
    """Read the certificates of a PEM text, one at least. Raises CertificateUnusable."""
    try:
        return list(x509.load_pem_x509_certificates(pem))
    except Exception as error:  # see `requested_key`
        if isinstance(error, MemoryError):
            raise
        raise CertificateUnusable(f"{where} doesn't hold a certificate in PEM") from None


def certificate_pem(*certificates: x509.Certificate) -> bytes:
    """Return certificates as PEM, one after the other."""
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def facts_of(certificate: x509.Certificate) -> Facts:
    """Return what a certificate says. Raises CertificateUnusable."""
    try:
        uris, names = _alternative_names(certificate)
        return Facts(
            certificate.subject.rfc4514_string(),
            certificate.issuer.rfc4514_string(),
            f"{certificate.serial_number:x}",
            certificate.fingerprint(hashes.SHA256()),
            to_us(certificate.not_valid_before_utc),
            to_us(certificate.not_valid_after_utc),
            uris,
            names,
        )
    except Exception as error:  # see `requested_key`
        if isinstance(error, MemoryError):
            raise
        raise CertificateUnusable(f"a certificate can't be read: {error}") from None


def refuse_weak(key: PrivateKeyTypes, where: str) -> None:
    """Raise CertificateUnusable for a key that doors can't use: of a kind that clients don't take, or too short."""
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, (*_CURVES, ec.SECP521R1)):
        return
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _LEAST_RSA_BITS:
        return
    raise CertificateUnusable(
        f"{where} holds a key that can't be used: take one on the curve P-256, or RSA with {_LEAST_RSA_BITS} bits or more"
    )


def fits(key: PrivateKeyTypes, certificate: x509.Certificate) -> bool:
    """Return whether a certificate is that of a key."""
    return _spki(key.public_key()) == _spki(certificate.public_key())


def common_name(name: str) -> x509.Name:
    """Return a subject of one name; a long one is cut."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_MOST_NAME])])


def server_names(names: Iterable[str]) -> list[x509.GeneralName]:
    """Return host names and addresses as a certificate has them. Raises CertificateUnusable."""
    found: list[x509.GeneralName] = []
    for name in dict.fromkeys(names):
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            try:
                found.append(x509.DNSName(name.encode("idna").decode("ascii")))
            except (UnicodeError, ValueError):
                raise CertificateUnusable(f"{name!r} is no host name and no address") from None
    return found


def time_of(us: int) -> dt.datetime:
    """Return a time, given in microseconds."""
    return _EPOCH + us * _MICROSECOND


def to_us(time: dt.datetime) -> int:
    """Return a time in microseconds."""
    return (time - _EPOCH) // _MICROSECOND


def _alternative_names(certificate: x509.Certificate) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return (), ()
    uris: Sequence[str] = found.get_values_for_type(x509.UniformResourceIdentifier)
    names: Sequence[str] = found.get_values_for_type(x509.DNSName)
    addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return tuple(uris), (*names, *addresses)


def _spki(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined, no-any-return]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
