from __future__ import annotations

import pytest

from mtd.api.grpc.repeats import RequestStore
from mtd.api.interfaces import InventoryBackend, PlacesBackend, Readiness, TelemetryBackend
from mtd.storage.stores.places import PlaceStore
from mtd.storage.stores.requests import StoredRequests
from tests.unit.api.fakes import (
    FakeInventory,
    FakeReadiness,
    FakeRequests,
    FakeTelemetry,
    assert_same_signatures,
)
from tests.unit.api.place_fakes import FakePlaces


@pytest.mark.parametrize(
    ("port", "fake"),
    [
        (InventoryBackend, FakeInventory),
        (TelemetryBackend, FakeTelemetry),
        (Readiness, FakeReadiness),
        (RequestStore, FakeRequests),
        (RequestStore, StoredRequests),
        (PlacesBackend, FakePlaces),
        (PlacesBackend, PlaceStore),
    ],
)
def test_fakes_have_the_signatures_of_their_ports(port: type, fake: type) -> None:
    assert_same_signatures(port, fake)


def test_a_drifted_fake_is_told() -> None:
    class Drifted(FakeReadiness):
        async def checks(self):  # type: ignore[override]
            return ()

    with pytest.raises(AssertionError, match="checks"):
        assert_same_signatures(Readiness, Drifted)
