"""What is wrong with one egg or one menu costs nothing else: lab routers, real sessions."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from mtd.lab.menus.base import Menu
from mtd.model.command import Rows
from mtd.model.metric import Tier
from mtd.plugin import Collector
from mtd.testing import run_async
from mtd_collector_interfaces import COLLECTOR as INTERFACES
from mtd_collector_services import COLLECTOR as SERVICES
from mtd_collector_system import COLLECTOR as SYSTEM
from mtd_collector_timing import COLLECTOR as TIMING
from tests.integration.plugins.polling import Polled, polled

# Newer than anything that anybody has seen.
UNKNOWN = {"name": "new", "version": "9.1", "interfaces": 8}


def _menus(found: Polled) -> dict[str, Menu]:
    return found.lab.router("new").console.menus


def test_a_menu_that_moved_in_an_unknown_version_is_told_of_and_comes_back() -> None:
    async def main() -> None:
        async with polled([SERVICES, TIMING, INTERFACES, SYSTEM], **UNKNOWN) as found:
            moved = _menus(found).pop("/ip/service")
            await found.poll(Tier.T2, Tier.T2, Tier.T1, Tier.T0)
            [event] = found.events_of("device.menu.changed")
            assert (event.entity_id, event.new) == ("/ip/service/print", "missing")
            assert event.message == "new has no /ip/service/print"
            asked = {command.path for command in found.mapper.commands(Tier.T2)}
            assert "/ip/service/print" not in asked
            assert {"/system/clock/print", "/interface/ethernet/monitor"} <= asked
            assert not any(name.startswith("services.listener") for name in found.values)
            assert found.values["timing.ntp.state"] == 2
            assert found.values["iface.oper_state[*1]"] in (0, 1)
            assert found.values["system.uptime_seconds"] > 0
            # The router is upgraded, and has it again: the next probe finds out.
            _menus(found)["/ip/service"] = moved
            await found.probe()
            await found.poll(Tier.T2)
            assert found.events_of("device.menu.changed")[-1].new == "present"
            assert any(name.startswith("services.listener") for name in found.values)

    run_async(main(), timeout_s=60)


def test_a_menu_that_has_another_shape_in_an_unknown_version_has_no_values() -> None:
    """Nothing is guessed from words that nobody knows, and nothing is quarantined for them."""

    async def main() -> None:
        async with polled([TIMING, SERVICES], **UNKNOWN) as found:
            clock = Menu("/system/clock", lambda _state, _tick: [{b"now": b"2031-01-01T00:00:00Z"}])
            _menus(found)["/system/clock"] = clock
            await found.poll(Tier.T2)
            assert "timing.clock_skew_seconds" not in found.values
            assert found.values["timing.ntp.state"] == 2
            assert found.events_of("collector.quarantined") == []

    run_async(main(), timeout_s=60)


def _raises(_rows: Rows) -> NoReturn:
    raise LookupError("a shape that nobody expected")


def _loops(_rows: Rows) -> NoReturn:
    while True:
        pass


def _broken(collector: Collector, **transforms: object) -> Collector:
    """Return a collector some of whose menus have other code."""
    menus = tuple(
        replace(menu, transform=transforms[menu.name], reads=menu.reads or ("name",))  # type: ignore[arg-type]
        if menu.name in transforms
        else menu
        for menu in collector.menus
    )
    return replace(collector, menus=menus)


def test_eggs_that_raise_and_loop_cost_nothing_else() -> None:
    async def main() -> None:
        bad = _broken(TIMING, clock=_loops, ntp=_raises)
        async with polled([bad, SERVICES, INTERFACES], **UNKNOWN) as found:
            await found.poll(Tier.T2)
            quarantined = {
                event.entity_id: event.message for event in found.events_of("collector.quarantined")
            }
            assert quarantined.keys() == {"timing.clock", "timing.ntp"}
            assert "processor time" in quarantined["timing.clock"]
            assert "a shape that nobody expected" in quarantined["timing.ntp"]
            assert any(name.startswith("services.listener") for name in found.values)
            assert "ntp_client" in found.tables
            await found.poll(Tier.T2)
            assert len(found.events_of("collector.quarantined")) == 2
            paths = {command.path for command in found.mapper.commands(Tier.T2)}
            assert "/system/clock/print" not in paths
            # Another menu reads the same, and isn't set aside.
            assert "/system/ntp/client/print" in paths

    run_async(main(), timeout_s=60)
