"""Tokens and pages as the protocol shows them."""

from __future__ import annotations

import base64
import json

import pytest

from mtd.api.grpc.overview import formed_page, newest_page, token_of
from mtd.api.grpc.page_tokens import with_token
from mtd.core.errors import Refused
from mtd.model.metric import Lane
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb
from mtd.queries.cache import Aged
from mtd.queries.newest import NewestPage, Token
from mtd.queries.records import LatestValue


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "?",
        "é",
        encoded("[" * 12_000),
        encoded("[" * 200_000),
        encoded(json.dumps(["a\0", "k", "i"])),
        encoded(json.dumps(["\ud800", "k", "i"])),
        encoded('{"a":1,"b":2,"c":3}'),
        encoded('["a","b",3]'),
        encoded('["a","b"]'),
        encoded('"abc"'),
    ],
)
def test_a_token_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="page_token"):
        token_of(text)


def test_a_page_has_its_token_and_its_age() -> None:
    after = Token("core-ж", "iface.éther.rx_bps", "*1")
    value = LatestValue(
        "id", "core-ж", "iface.rx_bytes", "*1", Lane.COUNTER, "e", after.key, "bytes", 7, 9.0, 9
    )
    page = with_token(newest_page(Aged(formed_page(NewestPage([value], after)), 1.5)), lambda place: place)
    message = pb.QueryLatestResponse.FromString(page)
    assert message.age_ms == 1500
    assert token_of(message.next_page_token) == after
    assert message.values[0].counter == 9
    assert token_of("") is None
