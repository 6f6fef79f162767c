"""What the lab's TLS says of a router with an address of its own."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from cryptography import x509

from mtd.lab.certificates import Authority
from mtd.lab.scenario import Tls


def test_a_certificate_is_for_the_address_that_its_port_is_on(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    made = {address: authority.server(Tls.CA, address) for address in ("127.0.0.1", "127.64.0.9")}
    assert authority.server(Tls.CA) is made["127.0.0.1"]
    assert authority.server(Tls.OFF, "127.64.0.9") is None
    fingerprints = {one.fingerprint_sha256 for one in made.values() if one is not None}
    assert len(fingerprints) == 2
    for address in made:
        certificate = x509.load_pem_x509_certificate((tmp_path / f"router-ca-{address}.pem").read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address(address)]
