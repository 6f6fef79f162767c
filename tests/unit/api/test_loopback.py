"""Doors listen on loopback only: the configuration itself refuses anything else."""

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
