"""What tells who a client is."""

from __future__ import annotations

from mtd_collector_wireless.declaration import CLIENTS


def test_the_name_of_a_clients_radio_is_private() -> None:
    """It is the MAC address of the radio, unless somebody gave it another."""
    assert {"mac-address", "radio-name"} <= set(CLIENTS.private)
