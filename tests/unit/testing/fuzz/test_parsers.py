"""Parsers of strangers' bytes refuse in their own words, or take it: a few hundred inputs each, and what was found once."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable

import pytest

from mtd.testing.fuzz.parsers import TARGETS
from mtd.testing.fuzz.values import Values

INPUTS = 300


@pytest.mark.parametrize("name", TARGETS)
def test_good_inputs_are_taken(name: str) -> None:
    target = TARGETS[name]
    taken = 0
    for seed in target.seeds():
        try:
            target.read(seed)
        except target.allowed:
            continue
        taken += 1
    assert taken or name in ("signature", "oidc-token"), "every seed is refused: nothing behind is reached"


@pytest.mark.parametrize("name", TARGETS)
def test_broken_inputs_are_refused_in_words_of_its_own(name: str) -> None:
    target = TARGETS[name]
    seeds = list(target.seeds())
    for number in range(INPUTS):
        values = Values(number)
        good = seeds[number % len(seeds)]
        target.try_out(values.blob() if number % 20 == 0 else values.broken(good))


def _certificate_of_another_version() -> bytes:
    (pem, _) = TARGETS["certificate"].seeds()
    der = base64.b64decode(b"".join(pem.split(b"\n")[1:-2]))
    changed = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x0e", 1)
    assert changed != der
    lines = base64.encodebytes(changed)
    return b"-----BEGIN CERTIFICATE-----\n" + lines + b"-----END CERTIFICATE-----\n"


def _page_token_spelt_otherwise() -> bytes:
    (token,) = TARGETS["page-token"].seeds()
    assert token.endswith(b"MQ==")
    return token[:-3] + b"R=="


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("device-csv", lambda: b"sep=;;\nname;;host\n"),
        ("certificate", _certificate_of_another_version),
        ("page-token", _page_token_spelt_otherwise),
    ],
)
def test_what_was_found_once_is_refused(name: str, found: Callable[[], bytes]) -> None:
    target = TARGETS[name]
    with pytest.raises(target.allowed) if target.allowed else contextlib.nullcontext():
        target.read(found())


def test_an_error_that_is_not_named_is_a_finding() -> None:
    target = TARGETS["mndp"]
    with pytest.raises(ValueError, match="too short"):
        type(target)(target.read, target.seeds).try_out(b"\1")
