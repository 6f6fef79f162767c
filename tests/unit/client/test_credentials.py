"""What a client shows, and where it doesn't."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.client import AsyncMtdClient, MtdClient, MtdClientError
from mtd.client.credentials import NOBODY, credentials_for, is_loopback
from mtd.client.errors import error_of

SECRET = "mtd_s3cret"


@pytest.mark.parametrize(
    ("target", "here"),
    [
        ("127.0.0.1:50051", True),
        ("127.8.9.1", True),
        ("localhost:1", True),
        ("[::1]:50051", True),
        ("unix:/run/mtd.sock", True),
        ("ipv4:127.0.0.1:5", True),
        ("ipv6:[::1]:5", True),
        ("dns:///localhost:5", True),
        ("::1", True),
        ("10.0.0.1:50051", False),
        ("localhost.example:1", False),
        ("127.0.0.1.example:1", False),
        ("mtd.example:50051", False),
        ("[2001:db8::1]:50051", False),
        ("ipv4:127.0.0.1:5,10.0.0.1:5", False),
        ("", False),
    ],
)
def test_what_is_on_this_machine_is_known(target: str, here: bool) -> None:
    assert is_loopback(target) is here


@given(st.text())
def test_any_target_is_here_or_not(target: str) -> None:
    assert is_loopback(target) in (True, False)


@pytest.mark.parametrize("kind", [MtdClient, AsyncMtdClient])
def test_a_token_leaves_this_machine_within_tls_only(kind: Any, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-")
    with pytest.raises(MtdClientError, match="in the clear.*TLS") as failed:
        kind("mtd.example:50051", token=SECRET)
    assert SECRET not in str(failed.value)
    kind("127.0.0.1:50051", token=SECRET)
    kind("mtd.example:50051", token=SECRET, tls=True)
    kind("mtd.example:50051", token=SECRET, ca_file=tmp_path / "ca.pem")
    kind("mtd.example:50051", tenant="north")


def test_what_is_shown_with_each_call() -> None:
    assert NOBODY.metadata() == ()
    shown = credentials_for("localhost:1", token=SECRET, tenant="north")
    assert shown.metadata() == (("authorization", f"Bearer {SECRET}"), ("mtd-tenant", "north"))
    assert SECRET not in repr(shown)
    tokens = iter(("one", "two\n"))
    fresh = credentials_for("localhost:1", token=lambda: next(tokens))
    assert [fresh.metadata()[0][1] for _ in range(2)] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize("options", [{"token": "se\ncret"}, {"token": "sécret"}, {"tenant": "Süd"}])
def test_what_cant_be_sent_is_told_without_it(options: dict[str, str]) -> None:
    with pytest.raises(MtdClientError, match="printable ASCII") as failed:
        credentials_for("localhost:1", **options).metadata()
    assert "cret" not in str(failed.value)


def test_files_are_read_at_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("A")
    with pytest.raises(MtdClientError, match="the CA certificate can't be read from .*missing"):
        credentials_for("mtd.example", ca_file=tmp_path / "missing")
    with pytest.raises(MtdClientError, match="needs its key"):
        credentials_for("mtd.example", certificate_file=tmp_path / "a")
    found = credentials_for("mtd.example", certificate_file=tmp_path / "a", key_file=tmp_path / "a")
    assert (found.certificate, found.key, found.tls) == (b"A", b"A", True)


class Failed:
    """A call that failed at the channel, or at a proxy."""

    def __init__(self, code: str, details: str) -> None:
        self._code, self._details = code, details

    def code(self) -> Any:
        class Code:
            name = self._code

        return Code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> None:
        return None


@pytest.mark.parametrize(
    ("code", "details", "says"),
    [
        ("UNAVAILABLE", "Ssl handshake failed: SSL_ERROR_SSL: CERTIFICATE_VERIFY_FAILED", "don't trust"),
        ("UNAVAILABLE", "connection refused", "can't reach mtd"),
        ("UNAUTHENTICATED", "no", "give a token"),
        ("PERMISSION_DENIED", "no", "ask an administrator"),
    ],
)
def test_errors_say_what_to_do(code: str, details: str, says: str) -> None:
    assert says in str(error_of(Failed(code, details), "mtd.example:1"))
