"""What the bridge does while it is the writer."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from .diagnostics import Diagnostics
from .figures import Figures
from .port import Connection, Store
from .publisher import INTERVAL_S, Publisher
from .tenant import Tenant
from .worker import Chores, Worker

_logger = logging.getLogger(__name__)

CONNECTIONS_EVERY_S = 5.0
VIEWERS_EVERY_S = 5.0
HEARTBEAT_EVERY_S = 30.0
PUSH_EVERY_S = 5.0
PURGE_EVERY_S = 60.0
REFRESH_EVERY_S = 5.0
_FILES = ("ca_file", "certificate_file", "key_file")


class StaleCode(Exception):
    """The addon's code changed, or the addon is gone: only a new process has it right."""


class Session:
    """Everything that only one bridge may do. Ends when it is cancelled, or with ``StaleCode``."""

    def __init__(
        self,
        store: Store,
        figures: Figures,
        odoo: Worker,
        chores: Chores,
        make_client: Callable[[Mapping[str, Any]], Any],
        *,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._store, self._figures, self._odoo, self._chores = store, figures, odoo, chores
        self._make_client = make_client
        self.tenants: dict[int, Tenant] = {}
        self.problems: dict[int, Connection] = {}
        self.viewers_changed, self.jobs_changed = asyncio.Event(), asyncio.Event()
        self.diagnostics = Diagnostics(store, odoo, figures, self.tenants, self.jobs_changed)
        self.publisher = Publisher(
            store, odoo, figures, self.tenants, self.diagnostics, interval_s=interval_s
        )
        self._prints: dict[int, str] = {}
        self._followed: frozenset[int] = frozenset()

    async def run(self) -> None:
        """Work until cancelled."""
        self._figures.active.set(1)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._every(REFRESH_EVERY_S, "refresh", self._refresh))
                group.create_task(self._every(CONNECTIONS_EVERY_S, "connections", self._read_connections))
                group.create_task(self._follow_viewers())
                group.create_task(self._every(HEARTBEAT_EVERY_S, "heartbeat", self._heartbeat))
                group.create_task(self._every(PUSH_EVERY_S, "push", self._push))
                group.create_task(self._every(PURGE_EVERY_S, "purge", self._purge))
                group.create_task(self._every(1.0, "diagnostics", self.diagnostics.run))
                group.create_task(self.publisher.run())
        finally:
            self._figures.active.set(0)
            self._figures.viewed.set(0)
            self._follow(())
            await asyncio.gather(*(self._end(key) for key in list(self.tenants)))

    async def _every(self, seconds: float, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do it now and then; a failure is counted, and leaves the others in peace."""
        while True:
            await self._attempt(name, work)
            await asyncio.sleep(seconds)

    async def _attempt(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except StaleCode:
            raise
        except Exception as error:  # whatever Odoo or its database says
            self._figures.failed(name)
            _logger.warning("%s: %s", name, error, exc_info=_logger.isEnabledFor(logging.DEBUG))

    # -- connections ---------------------------------------------------------------

    async def _read_connections(self) -> None:
        """Follow what is set up: new ones begin, changed ones begin anew, removed ones end."""
        found = {one.id: one for one in await self._odoo.call(self._store.connections)}
        self.problems = {key: one for key, one in found.items() if one.problem}
        usable = {key: one for key, one in found.items() if not one.problem}
        prints = {key: await asyncio.to_thread(fingerprint, one) for key, one in usable.items()}
        for key in [key for key in self.tenants if prints.get(key) != self._prints.get(key)]:
            await self._end(key)
        fresh = [one for key, one in usable.items() if key not in self.tenants]
        self._prints = prints
        for one in fresh:
            self._begin(one)
        self._follow(found)
        if fresh:
            self.viewers_changed.set()
            await self._heartbeat()

    def _follow(self, connection_ids: Collection[int]) -> None:
        """Let the figures tell of these connections whether they work, and of no others."""
        for key in self._followed - set(connection_ids):
            self._figures.follow(key, None)
        for key in set(connection_ids) - self._followed:
            self._figures.follow(key, partial(self._is_connected, key))
        self._followed = frozenset(connection_ids)

    def _is_connected(self, connection_id: int) -> bool:
        tenant = self.tenants.get(connection_id)
        return tenant is not None and tenant.connected

    def _begin(self, connection: Connection) -> None:
        from mtd.client import MtdClientError

        try:
            client = self._make_client(connection.options)
        except MtdClientError as error:  # options that don't fit together, or files that can't be read
            self._figures.failed("client")
            self.problems[connection.id] = Connection(connection.id, connection.name, problem=str(error))
            self._prints.pop(connection.id)
            return
        chores = self._chores.begin(connection.id)
        tenant = Tenant(connection, client, self._store, self._odoo, chores, self._figures)
        self.tenants[connection.id] = tenant
        tenant.start()

    async def _end(self, connection_id: int) -> None:
        try:
            await self.tenants.pop(connection_id).stop()
        finally:
            self._chores.end(connection_id)

    # -- viewers --------------------------------------------------------------------

    async def _follow_viewers(self) -> None:
        while True:
            self.viewers_changed.clear()
            await self._attempt("viewers", self._read_viewers)
            try:
                async with asyncio.timeout(VIEWERS_EVERY_S):
                    await self.viewers_changed.wait()
            except TimeoutError:
                pass

    async def _read_viewers(self) -> None:
        viewed = await self._odoo.call(self._store.viewed)
        self._figures.viewed.set(len(viewed))
        for key, tenant in self.tenants.items():
            tenant.view([one for one in viewed if one.connection_id == key])
        self.publisher.view(viewed)

    # -- upkeep -----------------------------------------------------------------------

    async def _heartbeat(self) -> None:
        await self._odoo.call(self._store.heartbeat, [*self.tenants, *self.problems])

    async def _push(self) -> None:
        """One question for all companies: most of them have nothing to send most of the time."""
        for connection_id in await self._odoo.call(self._store.waiting):
            if connection_id in self.tenants:
                self.tenants[connection_id].push()

    async def _purge(self) -> None:
        self._figures.rows_purged.inc(await self._odoo.call(self._store.purge))

    async def _refresh(self) -> None:
        if not await self._odoo.call(self._store.refresh):
            raise StaleCode


def fingerprint(connection: Connection) -> str:
    """Return what changes with anything that a client reads once: settings, and the files that they name."""
    parts = [connection.name, connection.event_severity, connection.tenant_id]
    for name, value in sorted(connection.options.items()):
        parts.append(f"{name}={value}")
        if name in _FILES and value:
            path = Path(value)
            parts.append(hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
