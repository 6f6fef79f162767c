"""Checks of the doors' TLS and of certificates."""

from __future__ import annotations

import datetime as dt

from cryptography import x509

from mtd.api.tls.config import DoorTls, TlsMode
from mtd.app.doctor.patient import Patient, named
from mtd.app.doctor.results import CHECKS, NotChecked, Result, failed, passed, warned
from mtd.core.errors import MtdError
from mtd.security.certificates import load_certificates

_AREA = "transport"
_DAY_US = 86_400_000_000


@CHECKS.add("tls.grpc", _AREA, "TLS at the gRPC door")
def grpc_tls(patient: Patient) -> Result:
    """Integrators and edges come by it."""
    config = patient.settings.grpc
    return _door(config.tls, "grpc", config.host)


@CHECKS.add("tls.http", _AREA, "TLS at the HTTP door")
def http_tls(patient: Patient) -> Result:
    """People log in there."""
    config = patient.settings.http
    if not config.tls.on and config.allowed_hosts:
        return warned(
            f"no TLS of its own, and called as {named(config.allowed_hosts)}: a proxy or a tunnel has to bring it",
            'check that the proxy serves TLS only; or set http.tls = "internal" or certificate files, docs/tls.md',
        )
    return _door(config.tls, "http", config.host)


def _door(tls: DoorTls, section: str, host: str) -> Result:
    if tls.on:
        return passed(f"on ({tls.mode}), 1.2 or newer, at {host}")
    return warned(
        f"off: only programs of this machine reach the door, at {host}",
        f'set {section}.tls = "internal", or certificate files, before anybody calls from elsewhere',
    )


@CHECKS.add("tls.certificates", _AREA, "certificates of the doors")
def door_certificates(patient: Patient) -> Result:
    """Those that come from files end without being renewed by mtd."""
    doors = {"grpc": patient.settings.grpc.tls, "http": patient.settings.http.tls}
    named_files = {
        section: tls.certificate_file
        for section, tls in doors.items()
        if tls.mode is TlsMode.FILES and tls.certificate_file is not None
    }
    if not named_files:
        internal = [section for section, tls in doors.items() if tls.mode is TlsMode.INTERNAL]
        if not internal:
            raise NotChecked("no door has TLS")
        return passed(f"{' and '.join(internal)}: of the internal CA, renewed by themselves")
    ends: list[tuple[float, str]] = []
    for section, path in named_files.items():
        try:
            (certificate, *_) = load_certificates(path.read_bytes(), str(path))
        except (OSError, ValueError, MtdError) as error:
            return failed(
                f"{path} can't be used: {error}", f"put a certificate in PEM there, or change {section}.tls"
            )
        ends.append((_days_left(certificate, patient), f"{section} ({path})"))
    days, which = min(ends)
    if days <= 0:
        return failed(
            f"the certificate of {which} has ended", "renew it: the daemon reads it again by itself"
        )
    if days < patient.settings.doctor.certificate_days:
        return warned(
            f"the certificate of {which} ends in {days:.0f} days", "renew it, and let that be automatic"
        )
    return passed(f"the first to end is that of {which}, in {days:.0f} days")


def _days_left(certificate: x509.Certificate, patient: Patient) -> float:
    now = dt.datetime.fromtimestamp(patient.clock.now_us() / 1e6, dt.UTC)
    return (certificate.not_valid_after_utc - now).total_seconds() / 86400


@CHECKS.add("tls.collectors", _AREA, "certificates of collectors")
def collector_certificates(patient: Patient) -> Result:
    """They renew themselves: one near its end has not been able to."""
    ends = patient.schema.certificates()
    if not ends:
        return passed("no collector has enrolled")
    now_us = patient.clock.now_us()
    over = [one.collector for one in ends if one.not_after_us <= now_us]
    if over:
        return failed(
            f"{len(over)} of {len(ends)} have ended: {named(over)}",
            "enrol them again: `mtd ca issue`, see docs/tls.md; disable those that are no more",
        )
    # They renew when a third is left: below half of that, it did not work.
    config = patient.settings
    days = min(config.doctor.certificate_days, config.certificates.collector_days / 6)
    near = [one.collector for one in ends if one.not_after_us < now_us + days * _DAY_US]
    if near:
        return warned(
            f"{len(near)} of {len(ends)} end within {days:.0f} days: {named(near)}",
            "look why they don't renew: do they reach the hub, and is their clock right?",
        )
    first = (ends[0].not_after_us - now_us) / _DAY_US
    return passed(f"{len(ends)}, the first to end in {first:.0f} days")
