"""Where a collector calls, by what it was told."""

from __future__ import annotations

import pytest

from mtd.app.enrolling import _with_port
from mtd.app.identity_files import collector_target


@pytest.mark.parametrize(
    ("server", "target"),
    [
        ("hub.example", "hub.example:50051"),
        ("hub.example:443", "hub.example:443"),
        ("dns:///hub.example:443", "hub.example:443"),
        ("192.0.2.1:1", "192.0.2.1:1"),
        ("[2001:db8::1]:443", "[2001:db8::1]:443"),
        ("[2001:db8::1]", "[2001:db8::1]:50051"),
        ("2001:db8::1", "[2001:db8::1]:50051"),
    ],
)
def test_a_hub_has_a_port(server: str, target: str) -> None:
    assert _with_port(server) == target


@pytest.mark.parametrize(
    ("server", "port", "target"),
    [
        ("hub.example:50051", 50052, "hub.example:50052"),
        ("[2001:db8::1]:50051", 50052, "[2001:db8::1]:50052"),
        ("hub.example:443", 0, "hub.example:443"),
    ],
)
def test_collectors_call_the_port_that_they_were_told(server: str, port: int, target: str) -> None:
    assert collector_target(server, port) == target
