"""What may be configured, and what says nothing."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mtd.discovery.config import DiscoveryConfig
from mtd.discovery.knocks import API_DOORS, WEB_DOORS


def test_nothing_is_listened_to_or_scanned_by_default() -> None:
    config = DiscoveryConfig()
    assert not config.mndp
    assert config.subnets == []


@pytest.mark.parametrize(
    "wrong", [{"subnets": ["10.0.0.1/8"]}, {"subnets": ["net"]}, {"mndp_host": "eth0"}, {"mdnp": True}]
)
def test_what_can_not_be_meant_is_told(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DiscoveryConfig.model_validate(wrong)


API, REST = API_DOORS[0], WEB_DOORS[1]
REFUSAL = b'HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n\r\n{"error":401,"message":"Unauthorized"}'


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (b"", None),
        (b"\x06", None),
        (b"\x06!fat", None),
        (b"\x06!fatal\x1bsession", True),
        (b"\x05!trap", True),
        (b"SSH-2.0-dropbear", False),
        (b"HTTP/1.1 400 Bad", False),
        (b"\x15\x03\x01\x00\x02", False),
        (b"\x06#fatal", False),
    ],
)
def test_the_api_is_known_by_its_first_word(data: bytes, verdict: bool | None) -> None:
    assert API.recognises(data) is verdict


def test_rest_is_known_by_how_it_refuses() -> None:
    assert REST.recognises(REFUSAL) is True
    assert REST.recognises(REFUSAL[:30]) is None
    assert (
        REST.recognises(b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="RouterOS"\r\n') is True
    )
    assert REST.recognises(b"SSH-2.0") is False
    assert REST.recognises(b"HTTP/1.1 200 OK" + b"x" * 5000) is False
