"""InventoryService: devices and how to reach them."""

from __future__ import annotations

from urllib.parse import unquote

from mtd.api.access.current import principal, tenant_id
from mtd.api.grpc.convert import (
    changes_of,
    connection_message,
    device_message,
    settings_of,
)
from mtd.api.grpc.masks import masked, read_mask_of
from mtd.api.grpc.types import Context
from mtd.api.grpc.watching import costs_message, interfaces_message
from mtd.api.grpc.ways import secrets_of
from mtd.api.interfaces import InventoryBackend
from mtd.core.errors import Refused
from mtd.link.polled import polled_messages, tiers_of
from mtd.pb.inventory.v1 import inventory_service_pb2 as pb
from mtd.pb.inventory.v1.inventory_service_pb2_grpc import InventoryServiceServicer

DEFAULT_PAGE = 100
MAX_PAGE = 1000


class InventoryServicer(InventoryServiceServicer):
    """Checks what callers say and asks the backend."""

    def __init__(self, backend: InventoryBackend) -> None:
        self._backend = backend

    async def CreateDevice(
        self, request: pb.CreateDeviceRequest, context: Context
    ) -> pb.CreateDeviceResponse:
        """Add a device."""
        view = await self._backend.create(
            tenant_id(), settings_of(request.settings), request.password, secrets_of(request.secrets)
        )
        return pb.CreateDeviceResponse(device=device_message(view))

    async def GetDevice(self, request: pb.GetDeviceRequest, context: Context) -> pb.GetDeviceResponse:
        """Read a device."""
        mask = read_mask_of(pb.Device, request.read_mask.paths)
        view = await self._backend.get(tenant_id(), named(request.device))
        return pb.GetDeviceResponse(device=masked(device_message(view), mask))

    async def ListDevices(self, request: pb.ListDevicesRequest, context: Context) -> pb.ListDevicesResponse:
        """Read a page of the devices."""
        size = min(request.page_size or DEFAULT_PAGE, MAX_PAGE)
        mask = read_mask_of(pb.Device, request.read_mask.paths)
        page = await self._backend.list_page(
            tenant_id(), size, request.page_token, request.site, request.device_group
        )
        return pb.ListDevicesResponse(
            devices=(masked(device_message(view), mask) for view in page.devices),
            next_page_token=page.next_token,
        )

    async def UpdateDevice(
        self, request: pb.UpdateDeviceRequest, context: Context
    ) -> pb.UpdateDeviceResponse:
        """Change a device."""
        settings, mask = changes_of(request.settings, request.update_mask.paths)
        password = request.password if request.HasField("password") else None
        secrets = secrets_of(request.secrets)
        if not mask and password is None and not secrets:
            raise Refused("nothing to change: name fields in the update mask, or give a password")
        view = await self._backend.update(
            tenant_id(), named(request.device), settings, mask, password, request.revision, secrets
        )
        return pb.UpdateDeviceResponse(device=device_message(view))

    async def DeleteDevice(
        self, request: pb.DeleteDeviceRequest, context: Context
    ) -> pb.DeleteDeviceResponse:
        """Remove a device."""
        await self._backend.delete(tenant_id(), named(request.device))
        return pb.DeleteDeviceResponse()

    async def TestConnection(
        self, request: pb.TestConnectionRequest, context: Context
    ) -> pb.TestConnectionResponse:
        """Try to reach a device."""
        if request.WhichOneof("target") == "settings":
            # A test needs no name.
            settings = pb.DeviceSettings()
            settings.CopyFrom(request.settings)
            settings.name = settings.name or settings.host
            report = await self._backend.test_settings(
                tenant_id(), settings_of(settings), request.password, secrets_of(request.secrets)
            )
        else:
            report = await self._backend.test_device(tenant_id(), named(request.device))
        return connection_message(report)

    async def RefreshCapabilities(
        self, request: pb.RefreshCapabilitiesRequest, context: Context
    ) -> pb.RefreshCapabilitiesResponse:
        """Probe a device now."""
        view = await self._backend.refresh_capabilities(tenant_id(), named(request.device))
        return pb.RefreshCapabilitiesResponse(device=device_message(view))

    async def PollDevice(self, request: pb.PollDeviceRequest, context: Context) -> pb.PollDeviceResponse:
        """Poll a device now."""
        polled = await self._backend.poll_now(tenant_id(), named(request.device), tiers_of(request.tiers))
        return pb.PollDeviceResponse(tiers=polled_messages(polled))

    async def ListInterfaces(
        self, request: pb.ListInterfacesRequest, context: Context
    ) -> pb.ListInterfacesResponse:
        """Tell how often each interface of a device is read, and why."""
        found = await self._backend.interfaces(tenant_id(), named(request.device))
        return interfaces_message(found, request.page_size, request.page_token)

    async def ListCosts(self, request: pb.ListCostsRequest, context: Context) -> pb.ListCostsResponse:
        """Tell what it costs the routers to be watched."""
        size = min(request.page_size or DEFAULT_PAGE, MAX_PAGE)
        page = await self._backend.costs(tenant_id(), request.device, size, request.page_token)
        return costs_message(page)


def caller_of(context: Context) -> str:
    """Return who calls, from where."""
    return f"{principal()} at {unquote(context.peer())}"


def named(device: str) -> str:
    """Return the name or id of a device; refuse an empty one."""
    if not device:
        raise Refused("say which device, by name or id")
    return device
