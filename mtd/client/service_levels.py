"""How well mtd does what it promises: give what a function here returns to a client's ``ask``.

levels = client.ask(service_levels.levels())
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtd.client.requests import Call
from mtd.pb.admin.v1 import service_level_service_pb2 as pb

SERVICE_LEVELS = "service_levels"


@dataclass(frozen=True, slots=True)
class Window:
    """How much was good over a window that ends now. None where there was nothing."""

    good: float
    total: float
    good_ratio: float | None
    burn_rate: float | None


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """A promise. ``windows`` by their lengths: 1h, 1d, 30d; ``budget_left`` of 30 days, None if nothing is known."""

    objective: str
    description: str
    target: float
    windows: Mapping[str, Window]
    budget_left: float | None


def levels() -> Call[Sequence[ServiceLevel]]:
    """Build GetServiceLevels."""
    return Call(
        SERVICE_LEVELS,
        "GetServiceLevels",
        pb.GetServiceLevelsRequest(),
        lambda answer: tuple(map(_level, answer.levels)),
    )


def _level(message: pb.ServiceLevel) -> ServiceLevel:
    return ServiceLevel(
        message.objective,
        message.description,
        message.target,
        {one.window: _window(one) for one in message.windows},
        message.budget_left if message.HasField("budget_left") else None,
    )


def _window(message: pb.ServiceLevelWindow) -> Window:
    return Window(
        message.good,
        message.total,
        message.good_ratio if message.HasField("good_ratio") else None,
        message.burn_rate if message.HasField("burn_rate") else None,
    )
