"""An integration with plain stubs: grpcio, protobuf, and the modules of `mtd.pb`, or your own of proto/.

    MTD_SERVER=mtd.example:50051 MTD_CA_FILE=ca.pem MTD_TOKEN_FILE=token python python_grpcio.py

The same goes for any language that gRPC has. Two things make a caller: the metadata that say who it is, and TLS,
without which no token may leave the machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from mtd.pb.inventory.v1 import inventory_service_pb2 as inventory
from mtd.pb.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as telemetry
from mtd.pb.telemetry.v1.telemetry_service_pb2_grpc import TelemetryServiceStub

# Every call has a deadline: without one the daemon sets its own.
DEADLINE_S = 10.0


def channel() -> grpc.Channel:
    """Connect: with TLS where a CA is given, else to this machine only."""
    server = os.environ.get("MTD_SERVER", "127.0.0.1:50051")
    ca_file = os.environ.get("MTD_CA_FILE")
    if ca_file:
        return grpc.secure_channel(server, grpc.ssl_channel_credentials(Path(ca_file).read_bytes()))
    return grpc.insecure_channel(server)


def metadata() -> list[tuple[str, str]]:
    """Say who calls; `mtd-tenant` beside it is for those who may choose the tenant."""
    file = os.environ.get("MTD_TOKEN_FILE")
    token = Path(file).read_text(encoding="ascii").strip() if file else os.environ.get("MTD_TOKEN", "")
    return [("authorization", f"Bearer {token}")] if token else []


def devices(stub: InventoryServiceStub) -> Iterator[inventory.Device]:
    """Read a list to its end: a page at a time, and no more of each device than is needed."""
    request = inventory.ListDevicesRequest(
        page_size=100, read_mask=FieldMask(paths=["id", "settings.name", "status"])
    )
    while True:
        page = stub.ListDevices(request, timeout=DEADLINE_S, metadata=metadata())
        yield from page.devices
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token  # all else stays as it was


def stored_events(stub: TelemetryServiceStub) -> int:
    """Read the events that are stored, and return the position to go on behind the next time."""
    position = 0
    request = telemetry.StreamEventsRequest(after_position=position, until_now=True)
    for response in stub.StreamEvents(request, timeout=DEADLINE_S, metadata=metadata()):
        position = response.event.position
    return position


def main() -> None:
    """Show what an integration does."""
    with channel() as connected:
        inventory_stub = InventoryServiceStub(connected)
        for device in devices(inventory_stub):
            print(device.id, device.settings.name, device.status)
        print("events up to position", stored_events(TelemetryServiceStub(connected)))
        try:
            inventory_stub.GetDevice(
                inventory.GetDeviceRequest(device="no such router"),
                timeout=DEADLINE_S,
                metadata=metadata(),
            )
        except grpc.RpcError as error:
            reasons = dict(error.trailing_metadata())
            print("refused:", error.code().name, reasons["mtd-reason"], error.details())


if __name__ == "__main__":
    main()
