"""What hubs tell each other: of which devices and tenants they have committed something new."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.txn import Transaction

CHANNEL = "mtd_hub"
"""Notifications that `News` is made of."""

_IDS_AT_ONCE = 300  # a notification has less than 8000 bytes
_PARTS = 4


class NewsKind(StrEnum):
    """What is new."""

    HERE = "h"  # a hub
    VALUES = "v"  # newest values, of devices
    NAMES = "n"  # what things are called, on devices
    EVENTS = "e"  # of a tenant


@dataclass(frozen=True, slots=True)
class News:
    """One notification."""

    hub_id: str
    kind: NewsKind
    tenant_id: str = ""
    device_ids: tuple[str, ...] = ()


def payloads_of(
    hub_id: str, kind: NewsKind, tenant_id: str = "", device_ids: Collection[str] = ()
) -> Iterator[str]:
    """Yield the texts of as many notifications as this takes. What is no UUID is no device, and left out."""
    ids = [short for short in map(_short, device_ids) if short]
    for first in range(0, max(1, len(ids)), _IDS_AT_ONCE):
        yield " ".join((hub_id, kind.value, tenant_id or "-", ",".join(ids[first : first + _IDS_AT_ONCE])))


def news_of(payload: str) -> News | None:
    """Return what a notification says; None if it is of a kind that isn't known here."""
    parts = payload.split(" ")
    if len(parts) != _PARTS or parts[1] not in set(NewsKind):
        return None
    hub, kind, tenant_id, ids = parts
    try:
        devices = tuple(_long(one) for one in ids.split(",") if one)
    except ValueError:
        return None
    return News(hub, NewsKind(kind), "" if tenant_id == "-" else tenant_id, devices)


async def tell(db: Database, payloads: Collection[str]) -> None:
    """Notify all who listen. What gets lost with a crash of the server is read anew by them."""

    async def notify(tx: Transaction) -> None:
        await tx.execute(
            "SELECT count(pg_notify(%s, payload)) FROM unnest(%s::text[]) AS t (payload)",
            (CHANNEL, literals.texts(payloads)),
        )

    await db.run("hub_news.tell", notify, durable=False)


def _short(device_id: str) -> str:
    try:
        return base64.urlsafe_b64encode(uuid.UUID(device_id).bytes).decode().rstrip("=")
    except ValueError:
        return ""


def _long(short: str) -> str:
    return str(uuid.UUID(bytes=base64.urlsafe_b64decode(short + "==")))
