"""Generated history for the database of a configuration. Blocking: no reactor runs here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from mtd.app.auditing.local import audited
from mtd.app.config import Settings
from mtd.app.maintenance import Report, running_database
from mtd.backfill.fill import Existing, Filled, Filling, Progress, fill
from mtd.backfill.fleet import DevicePlan
from mtd.backfill.inventory import generated_devices, known_devices, tenant_of
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import Refused
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.partitioned import DAY_US, HOUR_US
from mtd.storage.schema import migrate_blocking


@dataclass(frozen=True, slots=True)
class Wanted:
    """What history is wanted: for devices by name, for all of the inventory, or for so many generated ones.

    ``tenant``: whose devices they are, by name or id.
    """

    names: Sequence[str] = ()
    all_devices: bool = False
    generated: int = 0
    interfaces: int = 30
    days: int = 90
    seed: int = 0
    dense: bool = False
    existing: Existing = Existing.REFUSE
    tenant: str = DEFAULT_TENANT_ID


def backfill(settings: Settings, wanted: Wanted, report: Report, progress: Progress) -> Filled:
    """Write days of generated history up to the hour that is being filled.

    Starts the embedded PostgreSQL for the time, unless the daemon runs it
    already. Raises Refused, NotFound, Conflict (something is stored there),
    Misconfigured and StorageUnavailable.
    """
    if not (wanted.names or wanted.all_devices or wanted.generated):
        raise Refused("no devices are named: name some, or use --all or --generate")
    kept_days = settings.database.retention.raw_days
    if wanted.days > kept_days:
        raise Refused(
            f"{wanted.days} days are more than the {kept_days} of database.retention.raw_days:"
            " the first maintenance would drop them"
        )
    from_us, until_us = span_of_days(SYSTEM_CLOCK.now_us(), wanted.days)
    with running_database(settings, report) as dsn:
        migrate_blocking(dsn)
        report("looking for the devices")
        with ColdConnection(dsn, "mtd backfill") as connection:
            plans = _plans(connection, wanted)
        if not plans:
            raise Refused("the inventory is empty: add devices, or use --generate")
        report(f"writing {wanted.days} days of {len(plans)} devices")
        filling = Filling(
            plans,
            from_us // HOUR_US,
            (until_us - from_us) // HOUR_US,
            seed=wanted.seed,
            dense=wanted.dense,
            existing=wanted.existing,
            processes=os.cpu_count() or 1,
            retention=settings.database.retention,
        )
        detail = {"days": str(wanted.days), "devices": str(len(plans)), "existing": str(wanted.existing)}
        with audited(dsn, "storage.backfill", detail=detail):
            return fill(dsn, filling, progress)


def span_of_days(now_us: int, days: int) -> tuple[int, int]:
    """Return the time to fill: so many days of 24 hours until now and what is before them of a day as UTC has it.

    Up to the hour that is being filled. If no more days are kept, the first
    maintenance drops the values of the first of these: its rollups stay, as they
    do after as many days of polling.
    """
    until_us = now_us // HOUR_US * HOUR_US
    return (now_us - days * DAY_US) // DAY_US * DAY_US, until_us


def _plans(connection: ColdConnection, wanted: Wanted) -> list[DevicePlan]:
    plans: list[DevicePlan] = []
    tenant_id = tenant_of(connection, wanted.tenant)
    if wanted.names or wanted.all_devices:
        plans += known_devices(connection, wanted.names, wanted.interfaces, tenant_id)
    if wanted.generated:
        plans += generated_devices(connection, wanted.generated, wanted.interfaces, tenant_id)
    return list({plan.device_id: plan for plan in plans}.values())
