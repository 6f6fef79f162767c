"""What PostgreSQL tells of itself and of who may use mtd, for those who look whether it is fit for production.

Blocking, on a connection of its own. Reads only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2

from mtd.core.clock import Clock
from mtd.model.tenant import NO_TENANT_ID
from mtd.storage.errors import StatementRejected, StorageUnavailable
from mtd.storage.partitioned import DAY_US, HOUR_US, TABLES, Period
from mtd.storage.roles import DatabaseRole
from mtd.storage.schema import connect_blocking

_NAME = "mtd doctor"
_TIMEOUT = "20s"
# Of those that hold values whatever the retention; classes of their own follow the standard one.
_AHEAD = {Period.HOUR: 2 * HOUR_US, Period.DAY: DAY_US, Period.MONTH: DAY_US}


@dataclass(frozen=True, slots=True)
class Archiving:
    """What the archiver of the write-ahead log did; times are microseconds since the epoch, 0 for never."""

    archived: int
    last_archived_us: int
    failed: int
    last_failed_us: int
    standbys: int


@dataclass(frozen=True, slots=True)
class TokenUse:
    """Tokens that are good: those that never expire, those that may do all, and those of super-admins, by name."""

    good: int
    endless: Sequence[str]
    unbounded: Sequence[str]
    super_admins: Sequence[str]


@dataclass(frozen=True, slots=True)
class CertificateEnd:
    """When the newest certificate of a collector ends."""

    collector: str
    not_after_us: int


class Examination:
    """Answers questions, one after the other. Raises StatementRejected where a right is missing."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def settings(self, *names: str) -> dict[str, str]:
        """Return settings of the server in its own units; those that it doesn't know are left out."""
        return dict(self._rows("SELECT name, setting FROM pg_settings WHERE name = ANY (%s)", list(names)))

    def version(self) -> int:
        """Return the version of the server, such as 170002."""
        return int(self._connection.server_version)

    def clock_offset_s(self, clock: Clock) -> tuple[float, float]:
        """Return how far the server's clock is ahead of ours, and the error of that; both in seconds."""
        best = (0.0, float("inf"))
        for _ in range(3):
            before_us, started = clock.now_us(), time.monotonic()
            ((theirs,),) = self._rows("SELECT extract(epoch FROM clock_timestamp())::float8")
            took = time.monotonic() - started
            if took / 2 < best[1]:
                best = (theirs - before_us / 1e6 - took / 2, took / 2)
        return best

    def archiving(self) -> Archiving:
        """Return what the archiver did."""
        ((archived, last, failed, last_failed),) = self._rows(
            "SELECT archived_count, coalesce((extract(epoch FROM last_archived_time) * 1000000)::int8, 0),"
            " failed_count, coalesce((extract(epoch FROM last_failed_time) * 1000000)::int8, 0) FROM pg_stat_archiver"
        )
        ((standbys,),) = self._rows("SELECT count(*) FROM pg_stat_replication")
        return Archiving(archived, last, failed, last_failed, standbys)

    def oldest_transaction_age(self) -> int:
        """Return how many transactions the oldest unfrozen one of this database is behind."""
        ((age,),) = self._rows("SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()")
        return int(age)

    def connections(self) -> int:
        """Return how many connections clients have to the server."""
        ((count,),) = self._rows(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        )
        return int(count)

    def database_bytes(self) -> int:
        """Return the size of the database."""
        ((size,),) = self._rows("SELECT pg_database_size(current_database())")
        return int(size)

    def data_directory(self) -> str:
        """Return the server's data folder on its machine; empty if this login may not know."""
        ((path,),) = self._rows("SELECT coalesce(current_setting('data_directory', true), '')")
        return str(path)

    def open_tables(self) -> list[str]:
        """Return tables without row-level security, and views that don't look with the rights of who asks."""
        rows = self._rows(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'mtd'::regnamespace AND ("
            "relkind IN ('r', 'p') AND NOT relrowsecurity"
            " OR relkind = 'v' AND NOT coalesce(reloptions && ARRAY['security_invoker=true', 'security_invoker=on'], false)"
            ") ORDER BY relname"
        )
        return [name for (name,) in rows]

    def granted_partitions(self) -> list[str]:
        """Return partitions that doors may read past the policies of their parents."""
        rows = self._rows(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'mtd'::regnamespace AND relispartition"
            f" AND has_table_privilege('{DatabaseRole.DOOR}', oid, 'SELECT') ORDER BY relname"
        )
        return [name for (name,) in rows]

    def open_roles(self) -> list[str]:
        """Return the roles of mtd that could pass the walls, or log in."""
        rows = self._rows(
            "SELECT rolname::text FROM pg_roles WHERE rolname = ANY (%s) AND (rolsuper OR rolbypassrls OR rolcanlogin)",
            [role.value for role in DatabaseRole],
        )
        return [name for (name,) in rows]

    def users(self) -> dict[str, int]:
        """Return how many users who may log in there are, by role."""
        return dict(
            self._rows(
                "SELECT role, count(*) FROM mtd.user_account WHERE enabled GROUP BY role ORDER BY role"
            )
        )

    def tokens(self) -> TokenUse:
        """Return which tokens are good."""
        rows = self._rows(
            "SELECT name, expires_at IS NULL, '*' = ANY (scopes), tenant_id = %s::uuid FROM mtd.api_token"
            " WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) ORDER BY name",
            NO_TENANT_ID,
        )
        return TokenUse(
            len(rows),
            [name for name, endless, _, _ in rows if endless],
            [name for name, _, unbounded, _ in rows if unbounded],
            [name for name, _, _, across in rows if across],
        )

    def certificates(self) -> list[CertificateEnd]:
        """Return when the newest certificates of collectors that work end, the soonest first."""
        rows = self._rows(
            "SELECT c.name, mtd.to_us(max(k.not_after)) FROM mtd.collector c JOIN mtd.certificate k"
            " ON k.tenant_id = c.tenant_id AND k.collector_id = c.collector_id AND k.revoked_at IS NULL"
            " WHERE c.state = 'active' GROUP BY c.tenant_id, c.collector_id, c.name ORDER BY max(k.not_after)"
        )
        return [CertificateEnd(name, us) for name, us in rows]

    def missing_partitions(self, now_us: int) -> list[str]:
        """Return the partitions that hold what comes now and next, and aren't there."""
        wanted = sorted(
            {table.partition(us) for table in TABLES for us in (now_us, now_us + _AHEAD[table.period])}
        )
        rows = self._rows(
            "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass('mtd.' || name) IS NULL ORDER BY name",
            wanted,
        )
        return [name for (name,) in rows]

    def dead_letters(self) -> int:
        """Return how many events no projection could take."""
        ((count,),) = self._rows("SELECT count(*) FROM mtd.dead_letter")
        return int(count)

    def devices(self) -> int:
        """Return how many devices the inventory has."""
        ((count,),) = self._rows("SELECT count(*) FROM mtd.device")
        return int(count)

    def _rows(self, sql: str, *params: Any) -> list[Any]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, params or None)
                rows: list[Any] = cursor.fetchall()
                return rows
        except psycopg2.OperationalError as error:
            raise StorageUnavailable(str(error).strip()) from error
        except psycopg2.Error as error:
            raise StatementRejected((str(error).strip() or type(error).__name__).splitlines()[0]) from error


def door_login_problem(door_dsn: str) -> str:
    """Return how the login of doors could pass the walls, as `refuse_open_login` sees it; empty if it couldn't.

    Raises Misconfigured and StorageUnavailable.
    """
    with examination(door_dsn) as asked:
        ((login, role, powerful, owns, writes),) = asked._rows(
            "SELECT session_user::text, current_user::text, r.rolsuper OR r.rolbypassrls,"
            " pg_has_role(session_user, c.relowner, 'MEMBER'), pg_has_role(session_user, %s, 'MEMBER')"
            " FROM pg_roles r, pg_class c WHERE r.rolname = session_user AND c.oid = to_regclass('mtd.device')",
            DatabaseRole.WRITER.value,
        )
    if powerful or owns or writes:
        return f"{login} is a superuser, passes row-level security, or may become a role that does"
    # As doors do: what isn't told by the options of the connection is the login's own setting.
    return "" if role in (login, DatabaseRole.DOOR) else f"sessions of {login} begin as {role}"


@contextmanager
def examination(dsn: str) -> Iterator[Examination]:
    """Give a connection to ask on. Raises Misconfigured and StorageUnavailable."""
    connection = connect_blocking(dsn, _NAME)
    try:
        connection.set_session(readonly=True, autocommit=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, false)", (_TIMEOUT,))
        yield Examination(connection)
    finally:
        connection.close()
