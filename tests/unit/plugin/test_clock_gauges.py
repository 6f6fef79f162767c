"""Gauges that are told by the collector's clock: how long it is until a date."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mtd.model.metric import Tier, Unit
from mtd.plugin import Collector, Gauge, Menu, Parse, TableKind
from mtd.plugin.checks import problems_of
from mtd.plugin.mapper import DeviceMapper
from mtd.testing.contract import FakeClock, make_device
from mtd.testing.observations import values_of
from mtd.testing.replies import replies_from

EXPIRY = Gauge(
    field="invalid-after",
    key="certificate.left_seconds",
    unit=Unit.SECONDS,
    description="Time left.",
    since="1",
    parse=Parse.UNTIL,
)
CERTIFICATES = Menu(
    name="certificates",
    path="/certificate",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    row_key=".id",
    scope="certificate",
    fields=(EXPIRY,),
)
EGG = Collector(name="certificates", api=1, description="Certificates.", menus=(CERTIFICATES,))
NOW_S = 1_732_622_980  # 2024-11-26 12:09:40 UTC


def poll(mapper: DeviceMapper, at: float, wall_s: float, dates: dict[str, Any]) -> dict[str, float]:
    rows = [{".id": key, "invalid-after": date} for key, date in dates.items()]
    answers = replies_from(
        mapper.commands(Tier.T2), {"/certificate/print": rows}, at=at, wall_us=round(wall_s * 1e6)
    )
    return values_of(mapper.observe(Tier.T2, answers).frame)


def test_the_time_left_shrinks_though_the_routers_text_stays() -> None:
    mapper = DeviceMapper(make_device(), [EGG], clock=FakeClock())
    dates = {"*1": "2024-11-26 12:10:00", "*2": "nov/26/2024 13:09:40+01:00", "*3": "some day", "*4": ""}
    assert poll(mapper, 0.0, NOW_S, dates) == {
        "certificate.left_seconds[*1]": 20.0,
        "certificate.left_seconds[*2]": 0.0,
    }
    assert poll(mapper, 60.0, NOW_S + 60.5, dates) == {
        "certificate.left_seconds[*1]": -40.5,
        "certificate.left_seconds[*2]": -60.5,
    }


def test_it_is_told_in_seconds_only() -> None:
    wrong = replace(EXPIRY, key="certificate.left", unit=Unit.COUNT)
    [problem] = problems_of(replace(EGG, menus=(replace(CERTIFICATES, fields=(wrong,)),)))
    assert "seconds" in problem
