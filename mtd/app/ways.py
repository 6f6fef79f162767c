"""Ways to devices: all sources that there are, made with the settings of the process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mtd.model.device import Way
from mtd.plugin.snmp_tables import snmp_tables
from mtd.sources.rest import RestSource, test_rest
from mtd.sources.retries import Retries
from mtd.sources.routeros_api import RouterOsApiSource, test_connection
from mtd.sources.snmp import SnmpSource, test_snmp

if TYPE_CHECKING:
    from mtd.app.config import Settings
    from mtd.plugin.manager import PluginManager
    from mtd.scheduler.config import SchedulerConfig
    from mtd.sources.way_trial import TestWay
    from mtd.sources.ways import MakeWay


def way_makers(settings: Settings, plugins: PluginManager) -> Mapping[Way, MakeWay]:
    """Return what makes the source of each way for a device."""
    tables = snmp_tables(plugins.collectors)
    authorities = settings.routeros_api.tls_ca_file
    return {
        Way.API: lambda device: RouterOsApiSource(device, config=settings.routeros_api),
        Way.REST: lambda device: RestSource(device, config=settings.rest, tls_ca_file=authorities),
        Way.SNMP: lambda device: SnmpSource(device, tables, config=settings.snmp),
    }


def way_testers(settings: Settings, plugins: PluginManager) -> Mapping[Way, TestWay]:
    """Return what tests each way to a device."""
    authorities = settings.routeros_api.tls_ca_file
    tables = snmp_tables(plugins.collectors)

    return {
        Way.API: lambda device: test_connection(device, config=settings.routeros_api),
        Way.REST: lambda device: test_rest(device, config=settings.rest, tls_ca_file=authorities),
        Way.SNMP: lambda device: test_snmp(device, tables, config=settings.snmp),
    }


def way_retries(settings: SchedulerConfig) -> Retries:
    """Return when a closed way is tried again: as a device that doesn't answer is."""
    return Retries(
        settings.backoff_first_s,
        settings.backoff_cap_s,
        settings.breaker_failures,
        settings.breaker_open_s,
    )
