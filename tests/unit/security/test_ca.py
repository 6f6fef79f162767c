"""The internal CA: what it signs, whom those who trust it trust, and its files."""

from __future__ import annotations

import base64
import datetime as dt
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from hypothesis import given
from hypothesis import strategies as st

from mtd.core.errors import AlreadyExists, Refused
from mtd.security.ca import Authority, Revoked, pin_of
from mtd.security.ca_store import AuthorityStore, is_due
from mtd.security.certificates import (
    MOST_REQUEST_BYTES,
    common_name,
    facts_of,
    fits,
    load_certificates,
    load_key,
    new_key,
    request_pem,
    requested_key,
    time_of,
)
from mtd.security.config import CertificatesConfig
from mtd.security.enrolment import new_token, parse_token
from mtd.security.errors import CertificateUnusable, KeyUnusable, NoAuthority
from mtd.security.keyfile import MasterKey

NOW_US = 1_790_000_000_000_000
DAY_US = 86_400_000_000
COLLECTOR = "5e3a0cb4-0000-4000-8000-000000000001"
TENANT = "5e3a0cb4-0000-4000-8000-000000000002"
MASTER = MasterKey.of(b"m" * 32)


class Hand:
    """A clock that is set by hand."""

    def __init__(self, now_us: int = NOW_US) -> None:
        self.now = now_us

    def now_us(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1e6


def store_in(
    folder: Path, clock: Hand | None = None, keys: list[MasterKey] | None = None, **config: float
) -> AuthorityStore:
    settings = CertificatesConfig.model_validate(config)
    return AuthorityStore(folder / "ca", settings, lambda: keys or [MASTER], clock or Hand())


def servers_trusted_by(roots: list[x509.Certificate], at_us: int = NOW_US) -> Callable[[bytes, str], None]:
    def verify(chain: bytes, name: str) -> None:
        leaf, *others = load_certificates(chain, "the chain")
        policy = PolicyBuilder().store(Store(roots)).time(time_of(at_us))
        policy.build_server_verifier(x509.DNSName(name)).verify(leaf, others)

    return verify


def test_certificates_say_who_they_are_for() -> None:
    authority = Authority.new("mtd of ISP", NOW_US, 100)
    key = new_key()
    made = authority.issue_collector(key.public_key(), COLLECTOR, "edge-1", [TENANT], NOW_US, 30)
    facts = facts_of(made)
    assert facts.collector_id == COLLECTOR
    assert facts.uris == (f"mtd://collector/{COLLECTOR}", f"mtd://tenant/{TENANT}")
    assert facts.subject == "CN=edge-1"
    assert facts.days_left(NOW_US) == 30
    assert fits(key, made)
    assert not fits(new_key(), made)
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    made.verify_directly_issued_by(authority.certificate)
    others = {
        facts_of(authority.issue_collector(key.public_key(), COLLECTOR, "edge-1", [], NOW_US, 30)).serial
        for _ in "12"
    }
    assert len({facts.serial, *others}) == 3


def test_a_door_s_certificate_is_no_collector_s() -> None:
    authority = Authority.new("mtd", NOW_US, 100)
    made = authority.issue_server(
        new_key().public_key(), ["hub.example", "192.0.2.1", "::1", "bücher.example"], NOW_US, 90
    )
    facts = facts_of(made)
    assert facts.collector_id == ""
    assert set(facts.names) == {"hub.example", "192.0.2.1", "::1", "xn--bcher-kva.example"}
    with pytest.raises(CertificateUnusable, match="is no host name"):
        authority.issue_server(new_key().public_key(), ["a" * 80], NOW_US, 90)


def test_who_trusts_the_ca_before_finds_the_way_to_the_new_one(tmp_path: Path) -> None:
    clock = Hand()
    store = store_in(tmp_path, clock)
    store.init("one")
    [old] = load_certificates(store.bundle(), "bundle")
    early = store.sign_server(["hub.example"])
    clock.now += DAY_US
    store.rotate("two")
    new, still = load_certificates(store.bundle(), "bundle")
    assert still == old
    late = store.sign_server(["hub.example"])
    servers_trusted_by([old], clock.now)(early.chain, "hub.example")
    servers_trusted_by([old], clock.now)(late.chain, "hub.example")
    servers_trusted_by([new], clock.now)(late.chain, "hub.example")
    with pytest.raises(VerificationError):
        servers_trusted_by([new], clock.now)(early.chain, "hub.example")
    with pytest.raises(VerificationError):
        servers_trusted_by([new], clock.now)(late.chain, "else.example")
    stranger = Authority.new("two", NOW_US, 100)
    with pytest.raises(VerificationError):
        servers_trusted_by([stranger.certificate], clock.now)(late.chain, "hub.example")


def test_the_ca_before_is_trusted_for_the_overlap_and_its_key_is_gone(tmp_path: Path) -> None:
    clock = Hand()
    store = store_in(tmp_path, clock, overlap_days=40)
    first = store.init("one")
    second = store.rotate("two")
    assert [(one.pin, one.signs) for one in store.all()] == [(second.pin, True), (first.pin, False)]
    assert not list((tmp_path / "ca" / "1").glob("*.key*"))
    clock.now += 40 * DAY_US
    assert [one.pin for one in store.all()] == [second.pin]
    assert len(load_certificates(store.bundle(), "bundle")) == 1


def test_rotating_again_and_again_is_refused(tmp_path: Path) -> None:
    clock = Hand()
    store = store_in(tmp_path, clock, most_trusted=1)
    store.init("one")
    store.rotate("two")
    with pytest.raises(Refused, match="wait until"):
        store.rotate("three")
    assert store.all()[0].facts.subject == "CN=two"
    clock.now += 61 * DAY_US
    store.rotate("three")


def test_a_rotation_that_was_interrupted_changes_nothing(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    first = store.init("one")
    (tmp_path / "ca" / "1" / "trusted_until").write_text(
        str(NOW_US + DAY_US)
    )  # said, and then the power went
    (tmp_path / "ca" / ".2.new").mkdir()
    (tmp_path / "ca" / ".2.new" / "authority.pem").write_text("half")
    assert [(one.pin, one.signs) for one in store.all()] == [(first.pin, True)]
    store.sign_server(["hub.example"])
    assert store.rotate("two").signs


def test_there_is_one_ca(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    with pytest.raises(NoAuthority, match="mtd ca init"):
        store.bundle()
    with pytest.raises(NoAuthority):
        store.sign_server(["hub.example"])
    assert store.init_unless_there("mtd")
    assert not store.init_unless_there("mtd")
    with pytest.raises(AlreadyExists, match="mtd ca rotate"):
        store.init("mtd")


def test_nobody_else_can_read_keys(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.init("mtd")
    store.door("grpc", ["hub.example"])
    store.rotate("mtd")
    found = [path for path in (tmp_path / "ca").rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}
    assert stat.S_IMODE((tmp_path / "ca").stat().st_mode) == 0o700
    key = tmp_path / "ca" / "2" / "authority.key"
    key.chmod(0o640)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        store.sign_server(["hub.example"])


def test_the_key_can_be_sealed_and_follows_the_master_key(tmp_path: Path) -> None:
    newer = MasterKey.of(b"n" * 32)
    store_in(tmp_path, seal_key=True).init("mtd")
    sealed = tmp_path / "ca" / "1" / "authority.key.sealed"
    before = sealed.read_bytes()
    assert b"PRIVATE" not in before
    assert not (tmp_path / "ca" / "1" / "authority.key").exists()
    with pytest.raises(KeyUnusable, match="isn't in the key file"):
        store_in(tmp_path, keys=[newer]).sign_server(["hub.example"])
    store_in(tmp_path, keys=[newer, MASTER]).sign_server(["hub.example"])
    assert sealed.read_bytes() != before
    store_in(tmp_path, keys=[newer]).sign_server(["hub.example"])
    sealed.write_bytes(sealed.read_bytes().replace(b"\n", b"\nAAAA", 1))
    with pytest.raises(KeyUnusable, match="damaged"):
        store_in(tmp_path, keys=[newer]).sign_server(["hub.example"])


def test_another_key_isn_t_taken_for_the_ca_s(tmp_path: Path) -> None:
    one, two = store_in(tmp_path / "a"), store_in(tmp_path / "b")
    one.init("mtd")
    two.init("mtd")
    (tmp_path / "a/ca/1/authority.key").write_bytes((tmp_path / "b/ca/1/authority.key").read_bytes())
    with pytest.raises(CertificateUnusable, match="isn't that of the CA"):
        one.sign_server(["hub.example"])


def test_doors_keep_their_certificate_until_it_is_due(tmp_path: Path) -> None:
    clock = Hand()
    store = store_in(tmp_path, clock, server_days=90)
    store.init("mtd")
    first = store.door("grpc", ["hub.example", "192.0.2.1"])
    clock.now += 59 * DAY_US
    assert store.door("grpc", ["192.0.2.1", "hub.example"]).facts == first.facts
    assert store.door("http", ["hub.example"]).facts != first.facts
    clock.now += 2 * DAY_US
    second = store.door("grpc", ["hub.example", "192.0.2.1"])
    assert second.facts.serial != first.facts.serial
    third = store.door("grpc", ["hub.example"])
    assert third.facts.names == ("hub.example",)
    store.rotate("mtd")
    fourth = store.door("grpc", ["hub.example"])
    assert fourth.facts.serial != third.facts.serial
    (tmp_path / "ca" / "doors" / "grpc.pem").write_text("damaged")
    fifth = store.door("grpc", ["hub.example"])
    assert fifth.facts.serial != fourth.facts.serial
    assert fits(load_key(fifth.key, "key"), load_certificates(fifth.chain, "chain")[0])


def test_due_is_when_a_third_is_left() -> None:
    authority = Authority.new("mtd", NOW_US, 100)
    facts = facts_of(authority.issue_collector(new_key().public_key(), COLLECTOR, "e", [], NOW_US, 30))
    assert not is_due(facts, NOW_US + 19 * DAY_US)
    assert is_due(facts, NOW_US + 21 * DAY_US)


def test_the_list_of_those_revoked() -> None:
    authority = Authority.new("mtd", NOW_US, 100)
    listed = x509.load_pem_x509_crl(authority.crl_pem([Revoked("abc123", NOW_US)], NOW_US))
    assert listed.is_signature_valid(authority.certificate.public_key())  # type: ignore[arg-type]
    assert listed.get_revoked_certificate_by_serial_number(0xABC123) is not None
    assert listed.get_revoked_certificate_by_serial_number(1) is None


def request_with(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    builder = x509.CertificateSigningRequestBuilder().subject_name(common_name("edge"))
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM)


def test_requests_are_taken_for_good_keys_only() -> None:
    key = new_key()
    assert requested_key(request_pem(key, "edge-1")).public_numbers() == key.public_key().public_numbers()
    requested_key(request_with(ec.generate_private_key(ec.SECP384R1())))
    for weak in (ec.generate_private_key(ec.SECP224R1()), ed25519.Ed25519PrivateKey.generate()):
        with pytest.raises(Refused, match="P-256"):
            requested_key(request_with(weak))
    with pytest.raises(Refused, match="too many"):
        requested_key(b"x" * (MOST_REQUEST_BYTES + 1))


def test_a_request_with_the_key_of_somebody_else_is_refused() -> None:
    mine, theirs = (
        x509.load_pem_x509_csr(request_pem(new_key(), "e")),
        x509.load_pem_x509_csr(request_pem(new_key(), "e")),
    )
    der = mine.public_bytes(Encoding.DER)
    keys = [
        one.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint) for one in (mine, theirs)
    ]  # type: ignore[union-attr, call-arg, arg-type]
    forged = der.replace(keys[0], keys[1])
    assert forged != der
    pem = (
        b"-----BEGIN CERTIFICATE REQUEST-----\n"
        + base64.encodebytes(forged)
        + b"-----END CERTIFICATE REQUEST-----\n"
    )
    with pytest.raises(Refused, match="signed with its own key"):
        requested_key(pem)


GOOD_REQUEST = request_pem(new_key(), "edge-1")


@given(
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=40).map(lambda junk: GOOD_REQUEST[:120] + junk + GOOD_REQUEST[160:]),
    )
)
def test_requests_of_anybody_are_refused_in_words(junk: bytes) -> None:
    with pytest.raises(Refused):
        requested_key(junk)


@given(st.integers(0, len(GOOD_REQUEST) - 1), st.integers(0, 255))
def test_requests_with_a_wrong_byte(place: int, byte: int) -> None:
    changed = GOOD_REQUEST[:place] + bytes((byte,)) + GOOD_REQUEST[place + 1 :]
    try:
        requested_key(changed)
    except Refused:
        return
    # What is around the base64, and its line ends, means nothing.
    assert x509.load_pem_x509_csr(changed).is_signature_valid


def test_tokens_carry_the_pin_and_hide_their_secret(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.init("mtd")
    token = new_token(store.pin())
    assert parse_token(f"  {token.text}\n") == token
    assert store.pin() == pin_of(load_certificates(store.bundle(), "bundle")[0])
    assert token.secret not in repr(token)
    assert token.secret.encode() not in token.secret_hash
    for wrong in (
        "",
        "mtde_",
        token.text[:-1],
        token.text + "0",
        token.text.replace("mtde", "mtd"),
        token.text.upper(),
    ):
        assert parse_token(wrong) is None


def test_an_overlap_shorter_than_a_certificate_s_life_is_refused() -> None:
    with pytest.raises(ValueError, match="shut out"):
        CertificatesConfig(overlap_days=10)


def test_times_are_kept_to_the_second() -> None:
    assert time_of(NOW_US) == dt.datetime.fromtimestamp(NOW_US / 1e6, dt.UTC)
