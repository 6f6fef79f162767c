"""Connections to PostgreSQL on the reactor: pooled, bounded, reopened by themselves."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import psycopg2
from twisted.internet import main
from txpostgres import txpostgres

from mtd.core import tracing
from mtd.core.backoff import Backoff
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Bug, Misconfigured
from mtd.core.queues import Policy, declare
from mtd.core.service import TaskGroup
from mtd.storage import metrics
from mtd.storage.config import StorageConfig
from mtd.storage.dsn import parse_dsn
from mtd.storage.errors import CommitUnknown, StorageUnavailable
from mtd.storage.roles import DatabaseRole, role_options, with_role_hint
from mtd.storage.shares import Shares
from mtd.storage.txn import Broken, Transaction, run_once, settled

logger = logging.getLogger(__name__)

T = TypeVar("T")
Body = Callable[[Transaction], Awaitable[T]]
Notified = Callable[[str | None], None]

_HEARTBEAT_S = 15.0
_SEND_BUFFER_BYTES = 2 * 1024 * 1024  # the kernel may allow less
_AUTH_CLASSES = ("28", "3D")  # wrong password, no such role, no such database


CONNECTIONS = declare(
    "storage.connections",
    "connections",
    Policy.WAIT,
    "Connections to PostgreSQL that are in use, of all pools. Who finds none waits, until its deadline.",
    limited_by="database.pool_size, database.query_pool_size",
    counted_by="mtd_storage_transaction_failures_total",
)


class _Connection(txpostgres.Connection):  # type: ignore[misc]
    """A connection whose end is an event, not a traceback in the log."""

    def __init__(self) -> None:
        super().__init__()
        self.on_lost: Callable[[], None] | None = None

    def doRead(self) -> None:
        # Idle and readable: a notification, or the end of the connection.
        try:
            super().doRead()
        except psycopg2.Error:
            self.close()

    def close(self) -> None:
        if self._connection is not None:
            # A statement under way watches the same descriptor. txpostgres forgets that, and a loop that
            # is to watch what is closed ends the process (uvloop) or watches who gets the number next.
            for cursor in set(self._cursors):
                self.reactor.removeReader(cursor)
                self.reactor.removeWriter(cursor)
            super().close()
            # Who waits is told by the one exception that Twisted has for this. Each time it is raised, it keeps the
            # frames in which it was, and they the connection: for ever, but for this.
            main.CONNECTION_DONE.__traceback__ = None
        if self.on_lost is not None:
            self.on_lost()


class Listening:
    """Notifications of a channel, until ``stop``."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    async def stop(self) -> None:
        """End it and close its connection."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class Database:
    """Runs named transactions on a pool of connections.

    At most ``pool_size`` run at a time, in a pool of doors one less of one tenant; the others wait (in the
    order of their calls) until their deadline. Nothing is kept of a connection on which an
    error of the connection, a timeout or a cancellation occurred.

    ``role``: what the sessions work as; None: as who logs in, the owner of the tables.
    """

    def __init__(
        self,
        dsn: str,
        config: StorageConfig | None = None,
        *,
        role: DatabaseRole | None = None,
        read_only: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._dsn = dsn
        self._role = role
        self._read_only = read_only
        self._config = config or StorageConfig()
        self._clock = clock
        self._slots = asyncio.Semaphore(self._config.pool_size)
        # Of doors: who asks for much leaves a connection to the other tenants.
        self._shares = Shares(max(1, self._config.pool_size - 1)) if role is DatabaseRole.DOOR else None
        self._idle: list[_Connection] = []
        self._tasks = TaskGroup("storage.listen")
        self._stopped = False
        CONNECTIONS.watch(
            self, lambda one: one._config.pool_size - one._slots._value, lambda one: one._config.pool_size
        )

    @classmethod
    def for_queries(cls, dsn: str, config: StorageConfig | None = None) -> Database:
        """Return the pool of doors: of one tenant in each transaction, small, and with statements that end sooner."""
        return cls(dsn, (config or StorageConfig()).for_queries(), role=DatabaseRole.DOOR)

    @classmethod
    def for_all_tenants(cls, dsn: str, config: StorageConfig | None = None) -> Database:
        """Return the pool of those who read for mtd itself, across tenants: as small, and it changes nothing."""
        return cls(dsn, (config or StorageConfig()).for_queries(), role=DatabaseRole.WRITER, read_only=True)

    @classmethod
    def for_writing(cls, dsn: str, config: StorageConfig | None = None) -> Database:
        """Return the pool of those who write rows of any tenant."""
        return cls(dsn, config, role=DatabaseRole.WRITER)

    @classmethod
    def for_maintenance(cls, dsn: str, config: StorageConfig | None = None) -> Database:
        """Return the pool of those who make and drop tables: of their owner, and two connections, for one works at a time."""
        return cls(dsn, (config or StorageConfig()).model_copy(update={"pool_size": 2}))

    def __repr__(self) -> str:
        return f"Database({len(self._idle)} idle)"  # never the DSN: it holds the password

    async def start(self) -> None:
        """Connect once. Raises Misconfigured if PostgreSQL will never let us in like this."""
        self._stopped = False

        async def hello(tx: Transaction) -> None:
            await tx.execute("SELECT 1")

        await self._run("storage.hello", hello)

    @property
    def role(self) -> DatabaseRole | None:
        """What its sessions work as; None: as who logs in."""
        return self._role

    async def check(self, check: Body[None]) -> None:
        """Run a transaction that looks at the roles and the schema, for no tenant."""
        await self._run("storage.check", check)

    async def stop(self) -> None:
        """Close all connections."""
        self._stopped = True
        await self._tasks.stop()
        while self._idle:
            self._discard(self._idle.pop())

    async def run(
        self,
        name: str,
        body: Body[T],
        *,
        tenant: str | None = None,
        deadline_s: float | None = None,
        durable: bool = True,
    ) -> T:
        """Run a transaction; again from its start if the connection or the server fails before the commit.

        ``tenant`` becomes ``app.tenant_id`` for the transaction; in a pool of doors
        it has to be named: Bug without. With ``durable=False`` the commit doesn't wait for the disk: for rows that
        are written again from the log if they get lost. Raises
        StorageUnavailable when the deadline passes, CommitUnknown when the
        connection breaks in the commit, StatementRejected or Duplicate for
        what PostgreSQL refuses, and whatever ``body`` raises.
        """
        if self._role is DatabaseRole.DOOR and not tenant:
            raise Bug(f"{name}: a door asks for no tenant; what crosses tenants is for the writer's pool")
        with tracing.step("transaction", {"mtd.transaction": name}):
            return await self._run(name, body, tenant, deadline_s, durable=durable)

    async def _run(
        self,
        name: str,
        body: Body[T],
        tenant: str | None = None,
        deadline_s: float | None = None,
        *,
        durable: bool = True,
    ) -> T:
        started = self._clock.monotonic()
        limit_s = deadline_s if deadline_s is not None else self._config.transaction_deadline_s
        backoff = Backoff(first_s=self._config.retry_first_s, cap_s=self._config.retry_cap_s)
        why = ""
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    try:
                        result: T = await self._attempt(tenant, durable, body)
                    except Broken as broken:
                        why = str(broken)
                        metrics.TRANSACTION_FAILURES.labels(name=name, cause="broken").inc()
                    else:
                        metrics.TRANSACTION_SECONDS.labels(name=name).observe(
                            self._clock.monotonic() - started
                        )
                        return result
                    await asyncio.sleep(backoff.next_delay())
                    metrics.TRANSACTION_RETRIES.labels(name=name).inc()
        except TimeoutError:
            metrics.TRANSACTION_FAILURES.labels(name=name, cause="deadline").inc()
            raise StorageUnavailable(
                f"{name}: not done within {limit_s:g} s{': ' + why if why else ''}"
            ) from None
        except CommitUnknown:
            metrics.TRANSACTION_FAILURES.labels(name=name, cause="commit").inc()
            raise

    async def _attempt(self, tenant: str | None, durable: bool, body: Body[T]) -> T:
        begin, params = "BEGIN", []
        if not durable:
            begin += "; SET LOCAL synchronous_commit = off"
        if tenant is not None:
            begin += "; SELECT set_config('app.tenant_id', %s, true)"
            params.append(tenant)
        async with self._slot(tenant):
            connection = await self._take()
            keep = False
            try:
                result: T = await run_once(connection, begin, params, body)
                keep = True
                return result
            except Broken as broken:
                keep = not broken.connection_lost
                raise
            except (CommitUnknown, asyncio.CancelledError):
                raise  # the state of the connection is unknown
            except Exception:
                keep = True  # rolled back
                raise
            finally:
                self._give_back(connection, keep)

    @asynccontextmanager
    async def _slot(self, tenant: str | None) -> AsyncIterator[None]:
        """Wait for a place in the pool, and hold it."""
        async with AsyncExitStack() as stack:
            metrics.CONNECTIONS_WAITING.inc()
            try:
                if self._shares is not None and tenant is not None:
                    await stack.enter_async_context(self._shares.turn(tenant))
                await stack.enter_async_context(self._slots)
            finally:
                metrics.CONNECTIONS_WAITING.dec()
            yield

    async def _take(self) -> _Connection:
        if self._stopped:
            raise StorageUnavailable("the database was stopped")
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
            self._discard(connection)
        return await self._connect()

    def _give_back(self, connection: _Connection, keep: bool) -> None:
        if keep and not self._stopped and not connection.closed:
            self._idle.append(connection)
        else:
            self._discard(connection)

    @staticmethod
    def _discard(connection: _Connection) -> None:
        metrics.CONNECTIONS_OPEN.dec()
        connection.close()

    async def _connect(self) -> _Connection:
        try:
            async with asyncio.timeout(self._config.connect_timeout_s):
                connection = await self._open()
        except (psycopg2.Error, TimeoutError, OSError) as error:
            metrics.CONNECTS.labels(result="failed").inc()
            if _is_hopeless(error):
                raise Misconfigured(f"database.dsn: {with_role_hint(str(error).strip())}") from None
            raise Broken(error, connection_lost=True) from None
        _widen(connection.fileno())
        metrics.CONNECTS.labels(result="ok").inc()
        metrics.CONNECTIONS_OPEN.inc()
        return connection

    async def _open(self) -> _Connection:
        """Connect to the first address of the host that answers."""
        given = parse_dsn(self._dsn)
        host = given.get("host", "")
        if not host or host.startswith("/") or "," in host or "hostaddr" in given:
            return await self._attempt_connect({})
        # libpq would resolve the name on the loop's thread.
        *others, last = await _resolve(host)
        for address in others:
            try:
                # A part of the time: an address that swallows everything leaves some for the next.
                async with asyncio.timeout(self._config.connect_timeout_s / (len(others) + 1)):
                    return await self._attempt_connect({"hostaddr": address})
            except (psycopg2.Error, TimeoutError, OSError) as error:
                if _is_hopeless(error):
                    raise
                logger.debug("no PostgreSQL answers on %s, trying the next address", address)
        return await self._attempt_connect({"hostaddr": last})

    async def _attempt_connect(self, address: dict[str, str]) -> _Connection:
        connection = _Connection()
        try:
            await settled(connection.connect(self._dsn, **self._options(), **address))
        except BaseException:
            connection.close()
            raise
        return connection

    def _options(self) -> dict[str, Any]:
        timeout_ms = int(self._config.statement_timeout_s * 1000)
        idle_ms = int(self._config.idle_transaction_timeout_s * 1000)
        read_only = " -c default_transaction_read_only=on" if self._read_only else ""
        return {
            "application_name": "mtd",
            # What is temporary goes last: nothing that a session leaves behind is taken for a table of ours.
            "options": f"-c statement_timeout={timeout_ms} -c idle_in_transaction_session_timeout={idle_ms}"
            f" -c search_path=mtd,public,pg_temp -c timezone=UTC"
            f"{read_only}{role_options(self._role)}",
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
        }

    async def listen(self, channel: str, notified: Notified) -> Listening:
        """Call ``notified`` with the payload of each notification on the channel, until stopped.

        It is called with None after each (re)connect: something may have been
        missed, read all. Returns when listening has begun; what it returns ends it.
        """
        begun = asyncio.get_running_loop().create_future()
        listening = Listening(self._tasks.spawn(channel, self._listen(channel, notified, begun)))
        try:
            await begun
        except BaseException:
            await listening.stop()
            raise
        return listening

    async def _listen(self, channel: str, notified: Notified, begun: asyncio.Future[None]) -> None:
        backoff = Backoff(first_s=self._config.retry_first_s, cap_s=self._config.retry_cap_s)
        while True:
            try:
                connection = await self._connect()
            except (Broken, Misconfigured) as error:
                logger.warning("can't listen to %s: %s", channel, error)
                await asyncio.sleep(backoff.next_delay())
                continue
            try:
                await self._hear(connection, channel, notified, begun, backoff)
            except (psycopg2.Error, TimeoutError, OSError) as error:
                logger.warning("lost the connection that listens to %s: %s", channel, str(error).strip())
            except Exception:
                # Whatever it is: who listens must hear again, and is then told to read all.
                logger.exception("listening to %s failed", channel)
            finally:
                self._discard(connection)
            await asyncio.sleep(backoff.next_delay())

    async def _hear(
        self,
        connection: _Connection,
        channel: str,
        notified: Notified,
        begun: asyncio.Future[None],
        backoff: Backoff,
    ) -> None:
        lost = asyncio.Event()
        connection.on_lost = lost.set

        def observe(notify: Any) -> None:
            metrics.NOTIFICATIONS.labels(channel=channel).inc()
            notified(str(notify.payload))

        connection.addNotifyObserver(observe)
        async with asyncio.timeout(self._config.statement_timeout_s):
            await settled(connection.runOperation(f'LISTEN "{channel}"'))
        backoff.reset()
        if not begun.done():
            begun.set_result(None)
        notified(None)
        while not lost.is_set():
            try:
                async with asyncio.timeout(_HEARTBEAT_S):
                    await lost.wait()
            except TimeoutError:
                # A peer that vanished without a word shows only when asked.
                async with asyncio.timeout(self._config.connect_timeout_s):
                    await settled(connection.runQuery("SELECT 1"))


def _is_hopeless(error: BaseException) -> bool:
    """Whether trying again with the same settings can't help."""
    if (getattr(error, "pgcode", None) or "")[:2] in _AUTH_CLASSES:
        return True
    # In a connection attempt the driver gives no code, only the server's words.
    text = str(error)
    if "permission denied to set role" in text or ('role "mtd_' in text and "does not exist" in text):
        return True
    return "password authentication failed" in text or ('database "' in text and "does not exist" in text)


def _widen(descriptor: int) -> None:
    """Let a statement of a megabyte go out at once: each further piece waits for its turn on the loop."""
    with socket.socket(fileno=os.dup(descriptor)) as duplicate:
        duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)


async def _resolve(host: str) -> list[str]:
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(address[4][0]) for address in found))
