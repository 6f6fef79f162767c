"""What is missing before a bridge can work, in words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mtd.client import MtdClientError

from .port import Connection
from .proof import WrongTenant, prove_tenant, tenant_caller

TIMEOUT_S = 5.0


async def check_connections(
    connections: Sequence[Connection], make_client: Callable[[Mapping[str, Any]], Any]
) -> list[tuple[bool, str]]:
    """Return for each connection whether a bridge can work with it, and why not."""
    if not connections:
        return [(False, "no company has a connection: add one in MikroTik ▸ Configuration ▸ Connections")]
    return list(await asyncio.gather(*(_check(one, make_client) for one in connections)))


async def _check(connection: Connection, make_client: Callable[[Mapping[str, Any]], Any]) -> tuple[bool, str]:
    if connection.problem:
        return False, f"{connection.name}: {connection.problem}"
    client = None
    try:
        client = make_client(connection.options)
        async with asyncio.timeout(TIMEOUT_S):
            catalogue = await client.list_metrics()
            if not connection.tenant_id:
                caller = await tenant_caller(client)
                return (
                    False,
                    f"{connection.name}: tenant {caller.tenant}, not noted yet: press Test on the connection",
                )
            await prove_tenant(connection, client)
        return True, f"{connection.name}: mtd answers at {client.target}, catalogue {catalogue.version}"
    except (MtdClientError, WrongTenant) as error:
        return False, f"{connection.name}: {error}"
    except TimeoutError:
        return False, f"{connection.name}: mtd did not answer within {TIMEOUT_S:g} s"
    finally:
        if client is not None:
            await client.close()
