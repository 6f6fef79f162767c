"""Sites and groups of devices, as services of the door."""

from __future__ import annotations

from collections.abc import Sequence

from mtd.api.grpc.places import DeviceGroupServicer, SiteServicer
from mtd.api.grpc.server import ServicePart
from mtd.pb.inventory.v1.device_group_service_pb2_grpc import add_DeviceGroupServiceServicer_to_server
from mtd.pb.inventory.v1.site_service_pb2_grpc import add_SiteServiceServicer_to_server
from mtd.storage.pool import Database
from mtd.storage.stores.places import GROUPS, SITES, PlaceStore


def place_parts(database: Database) -> Sequence[ServicePart]:
    """Return both services, on the database that doors ask."""
    return (
        ServicePart(add_SiteServiceServicer_to_server, SiteServicer(PlaceStore(database, SITES))),
        ServicePart(
            add_DeviceGroupServiceServicer_to_server, DeviceGroupServicer(PlaceStore(database, GROUPS))
        ),
    )
