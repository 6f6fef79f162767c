"""Signatures: good once, of a key that is good, and not of another time."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.core.errors import QuotaExceeded, Retryable, Unauthenticated
from mtd.ingest.config import PushConfig
from mtd.ingest.push.keyring import Keyring, Signed, sign
from mtd.storage.stores.ingest_keys import GoodKey

BEGAN = 1_760_000_000
BODY = b'{"samples": []}'
DIGEST = hashlib.sha256(BODY).hexdigest()


class Clock:
    def __init__(self) -> None:
        self.now_s = float(BEGAN)

    def now_us(self) -> int:
        return int(self.now_s * 1e6)

    def monotonic(self) -> float:
        return self.now_s


def keyring(**settings: Any) -> tuple[Keyring, Clock]:
    clock = Clock()
    ring = Keyring(None, None, PushConfig.model_validate(settings), clock)  # type: ignore[arg-type]
    until = dt.datetime.fromtimestamp(BEGAN + 60, dt.UTC)
    ring._keys = {"ik_a": GoodKey("ik_a", "t", "a", [(b"new", None), (b"old", until)])}
    return ring, clock


def signed(secret: bytes = b"new", at: int = BEGAN, nonce: str = "n" * 16, **changes: str) -> Signed:
    signature = sign(secret, "POST", "/ingest/v1/batch", str(at), nonce, BODY)
    made = Signed("ik_a", str(at), nonce, signature, "POST", "/ingest/v1/batch")
    return dataclasses.replace(made, **changes)


def test_ingest_signature_is_the_hmac_that_is_documented() -> None:
    text = f"v1\nPOST\n/ingest/v1/batch\n{BEGAN}\n{'n' * 16}\n{DIGEST}"
    wanted = hmac.new(b"new", text.encode(), "sha256").hexdigest()
    assert signed().signature == f"v1={wanted}"
    ring, _ = keyring()
    assert ring.verify(signed(), DIGEST).tenant_id == "t"


def test_ingest_signature_is_good_once_for_as_long_as_its_time_is() -> None:
    ring, clock = keyring(clock_tolerance_s=300)
    ring.verify(signed(), DIGEST)
    for later in (0, 1, 300):
        clock.now_s = BEGAN + later
        with pytest.raises(Unauthenticated, match="used before"):
            ring.verify(signed(), DIGEST)
    clock.now_s = BEGAN + 301
    with pytest.raises(Unauthenticated, match="301 s behind"):
        ring.verify(signed(), DIGEST)
    with pytest.raises(Unauthenticated, match="ahead of"):
        ring.verify(signed(at=BEGAN + 700), DIGEST)
    ahead = signed(at=BEGAN + 600, nonce="m" * 16)
    ring.verify(ahead, DIGEST)
    clock.now_s = BEGAN + 900
    with pytest.raises(Unauthenticated, match="used before"):
        ring.verify(ahead, DIGEST)
    assert len(ring._nonces) == 1  # those that can't be used any more are forgotten


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "key_id": st.text(max_size=10),
            "time": st.text(max_size=14),
            "nonce": st.text(max_size=70),
            "signature": st.text(max_size=80) | st.from_regex(r"v1=[0-9a-f]{64}", fullmatch=True),
            "method": st.sampled_from(["GET", "PUT"]),
            "path": st.just("/ingest/v1/heartbeat"),
        },
    ).filter(bool)
)
def test_ingest_signature_with_anything_changed_is_none(changes: dict[str, str]) -> None:
    ring, _ = keyring()
    changed = dataclasses.replace(signed(), **changes)
    if changed == signed():
        return
    with pytest.raises(Unauthenticated):
        ring.verify(changed, DIGEST)
    assert ring.verify(signed(), DIGEST).key_id == "ik_a"  # and uses nothing up


def test_ingest_signature_of_another_body_or_secret_is_none() -> None:
    ring, _ = keyring()
    with pytest.raises(Unauthenticated, match="isn't one of a key"):
        ring.verify(signed(), hashlib.sha256(b"another").hexdigest())
    with pytest.raises(Unauthenticated, match="isn't one of a key"):
        ring.verify(signed(secret=b"newer"), DIGEST)


def test_ingest_old_secret_is_good_while_it_overlaps() -> None:
    ring, clock = keyring()
    ring.verify(signed(secret=b"old"), DIGEST)
    clock.now_s = BEGAN + 61
    with pytest.raises(Unauthenticated, match="isn't one of a key"):
        ring.verify(signed(secret=b"old", at=BEGAN + 61, nonce="o" * 16), DIGEST)
    ring.verify(signed(at=BEGAN + 61, nonce="p" * 16), DIGEST)


def test_ingest_signature_from_before_the_start_has_to_be_made_again() -> None:
    ring, _ = keyring()
    # It may have been used with the process before, whose memory is gone.
    with pytest.raises(Retryable, match="sign it again"):
        ring.verify(signed(at=BEGAN - 1), DIGEST)
    ring._keys = None
    with pytest.raises(Retryable, match="starting"):
        ring.verify(signed(), DIGEST)


def test_ingest_signatures_are_remembered_up_to_a_bound() -> None:
    ring, clock = keyring(nonces=1000)
    ring._keys |= {f"ik_{n}": GoodKey(f"ik_{n}", f"t{n // 2}", "x", [(b"new", None)]) for n in range(10)}  # type: ignore[operator]
    for key in range(0, 8, 2):
        for number in range(250):
            ring.verify(signed(nonce=f"n{number:020}", key_id=f"ik_{key}"), DIGEST)
    with pytest.raises(QuotaExceeded):
        ring.verify(signed(nonce="one-more-than-that"), DIGEST)
    clock.now_s += 601
    ring.verify(signed(at=BEGAN + 601, nonce="one-more-than-that"), DIGEST)


def test_ingest_signatures_of_one_tenant_leave_room_for_the_others() -> None:
    ring, clock = keyring(nonces=1000)
    ring._keys |= {  # type: ignore[operator]
        "ik_b": GoodKey("ik_b", "t", "b", [(b"new", None)]),
        "ik_c": GoodKey("ik_c", "u", "c", [(b"new", None)]),
    }
    for number in range(250):
        ring.verify(signed(nonce=f"n{number:020}"), DIGEST)
    for key in ("ik_a", "ik_b"):
        with pytest.raises(QuotaExceeded):
            ring.verify(signed(nonce="one-more-than-that", key_id=key), DIGEST)
    ring.verify(signed(nonce="one-more-than-that", key_id="ik_c"), DIGEST)
    clock.now_s += 601
    for number in range(250):
        ring.verify(signed(at=BEGAN + 601, nonce=f"n{number:020}", key_id="ik_b"), DIGEST)


def test_ingest_secrets_are_in_no_repr() -> None:
    ring, _ = keyring()
    key = GoodKey("ik_a", "t", "a", [(b"hunter2", None)])
    assert "hunter2" not in repr(key)
    assert signed().signature not in repr(signed())
    assert "ik_a" not in repr(ring)
