"""The store that is Odoo: each call is a transaction of this process, as the superuser."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import odoo
from odoo import SUPERUSER_ID, api, fields
from odoo.modules.registry import Registry
from odoo.service.model import retrying

from .port import Compared, Connection, Job, Message, PositionMoved, Progress, Viewed
from .shown import DIAGNOSTIC_TYPE, LIVE_TYPE
from .writer import FENCE_KEY, WriterLock

_logger = logging.getLogger(__name__)

ADDON = "mikrotik_monitoring"
STATEMENT_S = 20
# How long a transaction may say nothing. One of a bridge that was stopped has ended before its lock is lost; but a
# comparison of many devices thinks for a while, and asks mtd once whose they are.
SILENT_S, CHORE_SILENT_S = 8, 60
# Odoo removes what is on its bus once a day: one message a second and device would be gigabytes by then.
MESSAGES_KEPT_S = 100
_PURGED_AT_ONCE = 5000
_PUSHED = ("mikrotik.site", "mikrotik.device", "mikrotik.device.removal")


class NotTheWriter(Exception):
    """Another bridge writes at the moment."""


class OdooStore:
    """See ``Store`` in the port."""

    def __init__(self, database: str) -> None:
        self.writer: WriterLock | None = None
        """Whose lock has to be held whenever something is written; None asks for no lock."""
        self._database = database
        self._version: str | None = None

    # -- transactions ------------------------------------------------------------

    @contextmanager
    def _env(self, *, bounded: bool = True) -> Iterator[api.Environment]:
        """Give an environment that is committed at the end. Bounded: a statement that hangs is ended.

        Comparing inventories takes seconds, while events move the position in the row of the connection. Under Odoo's
        repeatable reads the comparison would fail each time; here each statement sees what is committed.
        """
        with Registry(self._database).cursor() as cr:
            cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            silent_s = SILENT_S if bounded else CHORE_SILENT_S
            cr.execute("SET LOCAL idle_in_transaction_session_timeout = %s", [f"{silent_s}s"])
            if bounded:
                cr.execute("SET LOCAL statement_timeout = %s", [f"{STATEMENT_S}s"])
            yield api.Environment(cr, SUPERUSER_ID, {})

    @contextmanager
    def _writing(self, *, bounded: bool = True) -> Iterator[api.Environment]:
        """Give an environment to write in, as long as this bridge is the writer."""
        with self._env(bounded=bounded) as env:
            self._check_writer(env)
            yield env

    @contextmanager
    def _idle(self) -> Iterator[api.Environment]:
        """Give an environment for what waits for mtd, and makes transactions of its own: here none is open.

        One that is open would hold up an upgrade that changes a table, and with it everybody else.
        """
        with Registry(self._database).cursor() as cr:
            yield api.Environment(cr, SUPERUSER_ID, {})

    def _check_writer(self, env: api.Environment) -> None:
        """A bridge that was stopped for a while finds out here, before its lock's thread has told it."""
        if self.writer is not None and not WriterLock.is_held(env.cr, self.writer.backend):
            raise NotTheWriter("this bridge isn't the writer any more")

    def _retrying(self, work: Any) -> Any:
        """Do what may meet with what users change at the same moment."""
        with self._writing() as env:
            return retrying(lambda: work(env), env)

    @staticmethod
    def _fence(env: api.Environment) -> None:
        """Let no two bridges write at once, whatever they take themselves for: the bus would lose rows."""
        env.cr.execute("SELECT pg_try_advisory_xact_lock(%s)", [FENCE_KEY])
        if not env.cr.fetchone()[0]:
            raise NotTheWriter("another bridge writes at the moment")

    # -- connections and viewers ---------------------------------------------------

    def connections(self) -> Sequence[Connection]:
        """Return the connections that are set up, and those that lack something."""
        with self._env() as env:
            return [_connection(record) for record in env["mikrotik.connection"].search([], order="id")]

    def viewed(self) -> Sequence[Viewed]:
        """Return the devices that are looked at now."""
        with self._env() as env:
            env.cr.execute(
                """SELECT v.device_id, c.id, array_agg(DISTINCT v.kind)
                   FROM mikrotik_viewing v JOIN mikrotik_device d ON d.id = v.device_id
                   JOIN mikrotik_connection c ON c.company_id = d.company_id
                   WHERE v.until > now() AT TIME ZONE 'UTC' GROUP BY v.device_id, c.id ORDER BY v.device_id"""
            )
            rows = env.cr.fetchall()
            devices = {one.id: one for one in env["mikrotik.device"].browse([row[0] for row in rows])}
            return [
                Viewed(
                    device_id,
                    connection_id,
                    devices[device_id].mtd_id or "",
                    frozenset(kinds),
                    _facts(devices[device_id]),
                )
                for device_id, connection_id, kinds in rows
            ]

    def heartbeat(self, connection_ids: Sequence[int]) -> None:
        """Note that a bridge lives. A row that somebody else holds holds up no other: it is noted the next time."""
        if connection_ids:
            with self._writing() as env:
                env.cr.execute(
                    """UPDATE mikrotik_connection SET bridge_seen_at = now() AT TIME ZONE 'UTC' WHERE id IN (
                           SELECT id FROM mikrotik_connection WHERE id = ANY(%s) FOR NO KEY UPDATE SKIP LOCKED)""",
                    [list(connection_ids)],
                )

    # -- the bus ---------------------------------------------------------------------

    def publish(self, messages: Sequence[Message], progress: Sequence[Progress] = ()) -> None:
        """Put these on the bus, all in one transaction."""
        with self._env() as env:
            self._fence(env)
            self._check_writer(env)
            devices, runs = env["mikrotik.device"], env["mikrotik.diagnostic"]
            env["bus.bus"]._sendmany(
                [
                    *(
                        [(devices.browse(one.device_id), one.kind), LIVE_TYPE, one.payload]
                        for one in messages
                    ),
                    *([(runs.browse(one.id), "output"), DIAGNOSTIC_TYPE, one.payload()] for one in progress),
                ]
            )

    def purge(self) -> int:
        """Remove messages of ours that every websocket has had its time for, and viewers who left."""
        removed = 0
        while True:
            with self._writing() as env:
                env.cr.execute(
                    """DELETE FROM bus_bus WHERE id IN (
                           SELECT id FROM bus_bus WHERE channel LIKE %s
                           AND create_date < (now() AT TIME ZONE 'UTC') - make_interval(secs => %s) LIMIT %s)""",
                    [f'["{self._database}","mikrotik.%', MESSAGES_KEPT_S, _PURGED_AT_ONCE],
                )
                count = env.cr.rowcount
                removed += count
                if count < _PURGED_AT_ONCE:
                    env.cr.execute("DELETE FROM mikrotik_viewing WHERE until < now() AT TIME ZONE 'UTC'")
                    return removed + env.cr.rowcount

    # -- events ------------------------------------------------------------------------

    def event_position(self, connection_id: int) -> int:
        """Return the position behind which events are missing."""
        with self._env() as env:
            return int(env["mikrotik.connection"].browse(connection_id).event_position or 0)

    def take_events(self, connection_id: int, events: Sequence[Any], behind: int) -> int:
        """Keep events and the position of the last, in one transaction. Returns how many were new."""

        def take(env: api.Environment) -> int | None:
            new: int | None = env["mikrotik.connection"].browse(connection_id)._take_events(events, behind)
            return new

        new = self._retrying(take)
        if new is None:
            raise PositionMoved
        return int(new)

    def recent_events(self, device_id: int, limit: int) -> Sequence[tuple[dict[str, Any], bool]]:
        """Return the newest events of a device, oldest first, as shown, and whether each is about a subscriber."""
        with self._env() as env:
            device = env["mikrotik.device"].browse(device_id)
            return list(env["mikrotik.connection"]._recent_events(device, limit))

    # -- inventory -----------------------------------------------------------------------

    def take_facts(self, connection_id: int, devices: Sequence[Any]) -> None:
        """Keep what mtd says of these devices' state."""

        def take(env: api.Environment) -> None:
            company = env["mikrotik.connection"].browse(connection_id).company_id
            env["mikrotik.device"]._take_facts(company, devices)

        self._retrying(take)

    def waiting(self) -> Sequence[int]:
        """Return the connections of the companies of whom something waits to be sent to mtd, and is due."""
        with self._env() as env:
            companies: set[int] = set()
            for name in _PUSHED:
                model = env[name].with_context(active_test=False)
                companies |= {company.id for (company,) in model._read_group(model._due(), ["company_id"])}
            return list(env["mikrotik.connection"].search([("company_id", "in", list(companies))]).ids)

    def push_due(self, connection_id: int) -> None:
        """Send mtd what could not be sent before, of the company of a connection."""
        with self._writing() as env:
            company_id = env["mikrotik.connection"].browse(connection_id).company_id.id
        with self._idle() as env:
            env["mikrotik.device"]._push_due(company=env["res.company"].browse(company_id))
            env.registry.signal_changes()

    def reconcile(self, connection_id: int) -> Compared:
        """Compare the devices of a connection with mtd's."""
        transaction = partial(self._writing, bounded=False)
        with self._idle() as env:
            complete, problem = env["mikrotik.connection"].browse(connection_id)._compare(transaction)
            with transaction() as within:
                within["mikrotik.event"]._link_devices()
            env.registry.signal_changes()
            return Compared(bool(complete), problem or "")

    # -- diagnostics -----------------------------------------------------------------------

    def claim_jobs(self, limit: int) -> Sequence[Job]:
        """Take so many of the tools that wait; they are running then."""
        return list(
            self._retrying(lambda env: [_job(run) for run in env["mikrotik.diagnostic"]._claim(limit)])
        )

    def cancelled_jobs(self, job_ids: Sequence[int]) -> Sequence[int]:
        """Return which of these shall not run any longer: cancelled, or deleted."""
        with self._env() as env:
            running = env["mikrotik.diagnostic"].search([("id", "in", job_ids), ("state", "=", "running")])
            return list(set(job_ids) - set(running.ids))

    def finish_job(self, progress: Progress) -> None:
        """Keep what a run brought."""
        self._retrying(
            lambda env: (
                env["mikrotik.diagnostic"]
                .browse(progress.id)
                .exists()
                ._end(progress.state, progress.lines, progress.error)
            )
        )

    def fail_orphans(self) -> int:
        """End what a bridge before this one was running. Returns how many there were."""
        return int(self._retrying(lambda env: len(env["mikrotik.diagnostic"]._fail_orphans())))

    # -- the addon ---------------------------------------------------------------------------

    def refresh(self) -> bool:
        """Read models anew if another process changed them. False: the code changed, or the addon is gone."""
        Registry(self._database).check_signaling()
        with self._env() as env:
            env.cr.execute(
                "SELECT latest_version FROM ir_module_module WHERE name = %s AND state = 'installed'", [ADDON]
            )
            found = env.cr.fetchone()
        if found is None:
            return False
        self._version = self._version or found[0]
        return bool(found[0] == self._version)


def connection_arguments(database: str) -> dict[str, Any]:
    """Return how Odoo reaches this database, for a connection of our own."""
    _, arguments = odoo.sql_db.connection_info_for(database)
    return dict(arguments)


def _connection(record: Any) -> Connection:
    name = f"{record.company_id.name}, {record.name}"
    if trouble := record._secrets_trouble():
        return Connection(record.id, name, problem=trouble)
    if not record._is_set_up():
        return Connection(
            record.id, name, problem="it has no token, or client certificate with its key: add it"
        )
    if record.tls == "ca" and not record.has_ca_pem:
        return Connection(record.id, name, problem="TLS with an own CA needs the CA certificate: add it")
    options = record._client_options()
    if "token" in options:
        # Of the moment: a client shows the one for which mtd said whose tenant it is, and no other.
        options["token"] = options["token"]()
    return Connection(record.id, name, options, record.event_severity, tenant_id=record.tenant_id or "")


def _facts(device: Any) -> dict[str, Any]:
    return {
        "name": device.name,
        "status": device.status,
        "reason": device.status_reason or "",
        "since_us": _microseconds(device.status_since),
        "last_seen_us": _microseconds(device.last_seen_stored_at),
        "version": device.routeros_version or "",
        "board": device.board_name or "",
        "identity": device.identity or "",
    }


def _microseconds(moment: Any) -> int | None:
    if not moment:
        return None
    return int((moment - fields.Datetime.to_datetime("1970-01-01 00:00:00")).total_seconds() * 1_000_000)


def _job(run: Any) -> Job:
    connection = run.env["mikrotik.connection"]._of_company(run.company_id)
    return Job(
        run.id,
        connection.id or 0,
        run.device_id.mtd_id or "",
        run.tool,
        (run.address or "").strip(),
        (run.interface or "").strip(),
        run.count,
        run.duration_s,
    )
