"""Doors without TLS listen on loopback only: the configuration itself refuses anything else."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mtd.api.config import GrpcConfig, HttpConfig


@pytest.mark.parametrize("door", [GrpcConfig, HttpConfig])
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.net", ""])
def test_addresses_that_others_could_reach_are_refused(
    door: type[GrpcConfig] | type[HttpConfig], host: str
) -> None:
    with pytest.raises(ValidationError, match=r"use 127\.0\.0\.1"):
        door(host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_is_taken(host: str) -> None:
    assert (GrpcConfig(host=host).host, HttpConfig(host=host).host) == (host, host)


@pytest.mark.parametrize("door", [GrpcConfig, HttpConfig])
def test_there_is_no_way_around(door: type[GrpcConfig] | type[HttpConfig]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        door.model_validate({"host": "0.0.0.0", "allow_insecure_bind": True})


@pytest.mark.parametrize("door", [GrpcConfig, HttpConfig])
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "127.0.0.1", "localhost"])
def test_with_tls_others_may_come(door: type[GrpcConfig] | type[HttpConfig], host: str) -> None:
    assert door.model_validate({"host": host, "tls": "internal"}).host == host
    files = {"mode": "files", "certificate_file": "door.pem", "key_file": "door.key"}
    assert door.model_validate({"host": host, "tls": files}).tls.on


@pytest.mark.parametrize("host", ["example.net", "", "192.0.2.1:443"])
def test_with_tls_too_it_is_an_address(host: str) -> None:
    with pytest.raises(ValidationError, match="no address of this machine"):
        GrpcConfig.model_validate({"host": host, "tls": "internal"})


def test_a_door_without_tls_is_told_how_to_get_it() -> None:
    with pytest.raises(ValidationError, match=r"docs/tls\.md"):
        GrpcConfig(host="0.0.0.0")


@pytest.mark.parametrize(
    ("tls", "problem"),
    [
        ({"mode": "files"}, "name both"),
        ({"mode": "files", "key_file": "door.key"}, "name both"),
        ({"mode": "internal", "certificate_file": "door.pem"}, "are for mode"),
        ({"mode": "off", "key_file": "door.key"}, "are for mode"),
        ("external", "'off', 'internal' or 'files'"),
        ({"mode": "internal", "minimum_version": "1.0"}, "Extra inputs"),
    ],
)
@pytest.mark.parametrize("door", [GrpcConfig, HttpConfig])
def test_tls_that_makes_no_sense(
    door: type[GrpcConfig] | type[HttpConfig], tls: object, problem: str
) -> None:
    with pytest.raises(ValidationError) as told:
        door.model_validate({"host": "0.0.0.0", "tls": tls})
    assert problem in str(told.value)
    # What is wrong is the TLS, not the address that needs it.
    assert {error["loc"][0] for error in told.value.errors()} == {"tls"}
