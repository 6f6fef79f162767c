"""The internal CA: signs the certificates of doors and of collectors, and lists those that were revoked.

Pure: a key and a certificate in, certificates out. A certificate of a collector names it in an alternative
name, ``mtd://collector/<id>``, and its tenants, ``mtd://tenant/<id>``. Who presents it is believed only if the
database knows it, too: see ``mtd.app.collectors``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from mtd.security.certificates import (
    COLLECTOR_URI,
    TENANT_URI,
    certificate_pem,
    common_name,
    new_key,
    server_names,
    time_of,
)

_DAY = dt.timedelta(days=1)
# Clocks of those who read it may be behind.
_BACKDATED = dt.timedelta(minutes=10)
_CRL_LIFE = 7 * _DAY
PIN_CHARACTERS = 32
"""How many hex digits of a CA's fingerprint an enrolment token carries: 128 bits."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """A certificate that isn't good any more."""

    serial: str
    revoked_us: int


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA: its key, its own certificate, and that which the CA before it signed for its key, if there was one."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: x509.Certificate
    cross: x509.Certificate | None = None

    @classmethod
    def new(cls, name: str, now_us: int, days: float) -> Authority:
        """Return a new one, whose certificate it signs itself. Takes some milliseconds of CPU, as all here do."""
        key = new_key()
        subject = common_name(name)
        certificate = _builder(subject, subject, key.public_key(), now_us, days)
        return cls(key, _as_ca(certificate, key, key, path_length=1))

    def successor(self, name: str, now_us: int, days: float) -> Authority:
        """Return a new one that those who trust this one trust, too, as long as this one's certificate is good."""
        after = Authority.new(name, now_us, days)
        left = min(days, (self.certificate.not_valid_after_utc - time_of(now_us)) / _DAY)
        builder = _builder(
            after.certificate.subject, self.certificate.subject, after.key.public_key(), now_us, left
        )
        return Authority(after.key, after.certificate, _as_ca(builder, after.key, self.key, path_length=0))

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of its certificate."""
        return self.certificate.fingerprint(hashes.SHA256())

    @property
    def chain_pem(self) -> bytes:
        """What a door sends after its own certificate.

        Those who trust this CA or the one before find the way, and those who know no more than a fingerprint find
        this CA.
        """
        above = [] if self.cross is None else [self.cross]
        return certificate_pem(*above, self.certificate)

    def issue_server(
        self, key: ec.EllipticCurvePublicKey, names: Sequence[str], now_us: int, days: float
    ) -> x509.Certificate:
        """Sign the certificate of a door. Raises CertificateUnusable for a name that is none."""
        builder = _builder(common_name(names[0]), self.certificate.subject, key, now_us, days)
        builder = builder.add_extension(x509.SubjectAlternativeName(server_names(names)), critical=False)
        return self._sign_leaf(builder, ExtendedKeyUsageOID.SERVER_AUTH, key)

    def issue_collector(
        self,
        key: ec.EllipticCurvePublicKey,
        collector_id: str,
        name: str,
        tenant_ids: Iterable[str],
        now_us: int,
        days: float,
    ) -> x509.Certificate:
        """Sign the certificate of a collector."""
        uris = [COLLECTOR_URI + collector_id, *(TENANT_URI + tenant for tenant in tenant_ids)]
        builder = _builder(common_name(name), self.certificate.subject, key, now_us, days)
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris]), critical=False
        )
        return self._sign_leaf(builder, ExtendedKeyUsageOID.CLIENT_AUTH, key)

    def crl_pem(self, revoked: Iterable[Revoked], now_us: int) -> bytes:
        """Return the list of revoked certificates, for proxies; mtd itself looks into the database."""
        now = time_of(now_us)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - _BACKDATED)
            .next_update(now + _CRL_LIFE)
        )
        for one in revoked:
            entry = x509.RevokedCertificateBuilder(int(one.serial, 16), time_of(one.revoked_us))
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _sign_leaf(
        self, builder: x509.CertificateBuilder, use: x509.ObjectIdentifier, key: ec.EllipticCurvePublicKey
    ) -> x509.Certificate:
        return (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
            .sign(self.key, hashes.SHA256())
        )


def pin_of(certificate: x509.Certificate) -> str:
    """Return what an enrolment token carries of the CA."""
    return certificate.fingerprint(hashes.SHA256()).hex()[:PIN_CHARACTERS]


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now_us: int, days: float
) -> x509.CertificateBuilder:
    now = time_of(now_us)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + days * _DAY)
    )


def _as_ca(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    path_length: int,
) -> x509.Certificate:
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
