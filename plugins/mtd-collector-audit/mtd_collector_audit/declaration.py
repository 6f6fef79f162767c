"""What is read of a router's configuration: an allow-list, section by section."""

from __future__ import annotations

from mtd.plugin import Collector
from mtd_collector_audit import routing, services
from mtd_collector_audit.firewall import FIREWALL_MENUS
from mtd_collector_audit.history import HISTORY
from mtd_collector_audit.links import ADDRESS_MENUS, INTERFACE_MENUS

COLLECTOR = Collector(
    name="audit",
    api=1,
    description="Changes: the router's history, and its configuration section by section",
    menus=(
        HISTORY,
        *INTERFACE_MENUS,
        *ADDRESS_MENUS,
        *routing.ROUTING_MENUS,
        *FIREWALL_MENUS,
        *services.SERVICE_MENUS,
        *services.USER_MENUS,
        *services.IDENTITY_MENUS,
    ),
    probes=(*routing.PROBES, *services.PROBES),
)
