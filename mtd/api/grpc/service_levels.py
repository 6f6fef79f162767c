"""ServiceLevelService: what is promised, and how well it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mtd.api.access.current import tenant_id
from mtd.api.grpc.server import ServicePart
from mtd.api.grpc.types import Context
from mtd.model.slo import MEANING, Count, ServiceLevel, Window
from mtd.pb.admin.v1 import service_level_service_pb2 as pb
from mtd.pb.admin.v1.service_level_service_pb2_grpc import (
    ServiceLevelServiceServicer,
    add_ServiceLevelServiceServicer_to_server,
)


class ServiceLevelBackend(Protocol):
    """Knows how well promises are kept. Raises Retryable while the database can't be asked."""

    async def levels(self, tenant_id: str) -> Sequence[ServiceLevel]:
        """Return all promises, for a tenant."""


def service_level_parts(backend: ServiceLevelBackend) -> list[ServicePart]:
    """Return the service."""
    return [ServicePart(add_ServiceLevelServiceServicer_to_server, ServiceLevelServicer(backend))]


class ServiceLevelServicer(ServiceLevelServiceServicer):
    """Asks the backend for the caller's tenant."""

    def __init__(self, backend: ServiceLevelBackend) -> None:
        self._backend = backend

    async def GetServiceLevels(
        self, request: pb.GetServiceLevelsRequest, context: Context
    ) -> pb.GetServiceLevelsResponse:
        """Read all promises."""
        return pb.GetServiceLevelsResponse(levels=map(_message, await self._backend.levels(tenant_id())))


def _message(level: ServiceLevel) -> pb.ServiceLevel:
    return pb.ServiceLevel(
        objective=level.objective,
        description=MEANING[level.objective],
        target=level.target,
        windows=[_window(level, window, count) for window, count in level.counts.items()],
        budget_left=level.budget_left,
    )


def _window(level: ServiceLevel, window: Window, count: Count) -> pb.ServiceLevelWindow:
    return pb.ServiceLevelWindow(
        window=window,
        good=count.good,
        total=count.total,
        good_ratio=count.ratio,
        burn_rate=level.burn_rate(window),
    )
