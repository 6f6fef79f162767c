"""TLS of the lab: an authority, the certificates it signs, a self-signed one, and none at all."""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mtd.lab.scenario import Tls

_VALID = datetime.timedelta(days=30)
# Anonymous Diffie-Hellman, as RouterOS offers it where no certificate is set.
_ANONYMOUS_CIPHERS = "ADH-AES256-SHA256:ADH-AES128-SHA256:@SECLEVEL=0"
# Group 14 of RFC 3526; making new parameters would take a minute.
_DH_PRIME = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AACAA68FFFFFFFFFFFFFFFF",
    16,
)


@dataclass(frozen=True, slots=True)
class ServerTls:
    """The TLS side of a port, and what a client needs to trust it."""

    context: ssl.SSLContext
    fingerprint_sha256: str = ""  # hex, of the certificate in DER


class Authority:
    """Makes the TLS contexts of a lab run, in a folder of its own.

    ``ca_file`` is the certificate to trust for ``Tls.CA``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("mtd lab authority")
        self._made: dict[tuple[Tls, str], ServerTls] = {}
        self.ca_file = folder / "authority.pem"
        authority = (
            _builder(self._name, self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_SIGNS, critical=True)
            .add_extension(_key_id(self._key), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file.write_bytes(authority.public_bytes(serialization.Encoding.PEM))

    def server(self, mode: Tls, address: str = "127.0.0.1") -> ServerTls | None:
        """Return the TLS side for a mode, of ports on an address; None for plain TCP."""
        if mode is Tls.OFF:
            return None
        made = self._made.get((mode, address))
        if made is None:
            made = self._anonymous() if mode is Tls.ANONYMOUS else self._certified(mode, address)
            self._made[mode, address] = made
        return made

    def _certified(self, mode: Tls, address: str) -> ServerTls:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("mtd lab router")
        names = x509.SubjectAlternativeName(
            [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(address))]
        )
        ours = mode is Tls.CA
        certificate = (
            _builder(name, self._name if ours else name, key)
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_authority_id(self._key if ours else key), critical=False)
            .sign(self._key if ours else key, hashes.SHA256())
        )
        pem = self._folder / f"router-{mode}-{address}.pem"
        pem.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        der = certificate.public_bytes(serialization.Encoding.DER)
        return ServerTls(context, hashlib.sha256(der).hexdigest())

    def _anonymous(self) -> ServerTls:
        pem = self._folder / "dh.pem"
        pem.write_bytes(_dh_parameters(_DH_PRIME, 2))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_ANONYMOUS_CIPHERS)
        context.load_dh_params(str(pem))
        return ServerTls(context)


def _dh_parameters(prime: int, generator: int) -> bytes:
    """Return PKCS #3 parameters in PEM: two integers, which need no library."""
    body = b"".join(_der_integer(number) for number in (prime, generator))
    der = b"\x30\x82" + len(body).to_bytes(2, "big") + body
    return b"-----BEGIN DH PARAMETERS-----\n" + base64.encodebytes(der) + b"-----END DH PARAMETERS-----\n"


def _der_integer(number: int) -> bytes:
    content = number.to_bytes(number.bit_length() // 8 + 1, "big")
    size = len(content)
    length = bytes((size,)) if size < 0x80 else b"\x82" + size.to_bytes(2, "big")
    return b"\x02" + length + content


_SIGNS = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    crl_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_id(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _authority_id(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + _VALID)
    )
