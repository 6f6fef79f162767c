"""Routing protocols: peers and neighbours, and how all of it is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtd.lab.menus.base import Menu, Row, numbered, row
from mtd.lab.menus.bgp import INSTANCES_SINCE, LOCAL_AS, bgp_menus
from mtd.lab.menus.igp import BFD_SINCE, neighbor_menus

if TYPE_CHECKING:
    from mtd.lab.state import RouterState

_BACKBONE = "0.0.0.0"  # noqa: S104  # an area, not an address
_AS = {b"as": b"%d" % LOCAL_AS}


def _fixed(path: str, *rows: Row) -> Menu:
    """Return a menu whose rows never change."""
    return Menu(path, lambda _state, _tick: numbered(list(rows)))


def _area(name: str, instance: str) -> Row:
    return row(name=name, instance=instance, area_id=_BACKBONE, type="default", disabled=False)


def _v6_menus() -> list[Menu]:
    return [
        _fixed(
            "/routing/ospf/instance",
            row(name="default", router_id=_BACKBONE, distribute_default="never", disabled=False),
        ),
        _fixed("/routing/ospf/area", _area("backbone", "default")),
        _fixed("/routing/ospf/network", row(network="10.0.0.0/8", area="backbone", disabled=False)),
        _fixed(
            "/ip/route/vrf",
            row(routing_mark="cust", interfaces="", route_distinguisher="64500:1", disabled=False),
        ),
    ]


def _v7_menus(version: tuple[int, ...]) -> list[Menu]:
    menus = [
        _fixed("/routing/bgp/template", row(name="default", disabled=False) | _AS),
        _fixed(
            "/routing/ospf/instance",
            row(name="v2", version=2, vrf="main", router_id="main", disabled=False),
            row(name="v3", version=3, vrf="main", router_id="main", disabled=False),
        ),
        _fixed("/routing/ospf/area", _area("backbone-v2", "v2"), _area("backbone-v3", "v3")),
        _fixed(
            "/routing/ospf/interface-template",
            row(networks="10.0.0.0/8", area="backbone-v2", auth="md5", auth_key="lab-key", disabled=False),
        ),
        _fixed("/routing/table", row(name="main", fib="", dynamic=True, invalid=False)),
        _fixed("/routing/rule"),
        _fixed("/routing/id", row(name="main", select_from_vrf="main", dynamic=True, inactive=False)),
        _fixed(
            "/ip/vrf",
            row(name="main", interfaces="all", builtin=True, disabled=False),
            row(name="cust", interfaces="", disabled=False),
        ),
    ]
    if version >= BFD_SINCE:
        menus.append(
            _fixed("/routing/bfd/configuration", row(interfaces="all", multiplier=5, disabled=False))
        )
    if version >= INSTANCES_SINCE:
        menus.append(_fixed("/routing/bgp/instance", row(name="main", disabled=False) | _AS))
    return menus


def routing_menus(state: RouterState) -> list[Menu]:
    """Return the menus of this version."""
    return [
        *bgp_menus(state),
        *neighbor_menus(state),
        *(_v7_menus(state.persona.version) if state.persona.is_v7 else _v6_menus()),
        _fixed("/routing/ospf/area/range"),
    ]
