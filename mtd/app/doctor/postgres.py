"""Checks of PostgreSQL: whether it keeps what it was given, and has room to work."""

from __future__ import annotations

from mtd.app.doctor.patient import Patient
from mtd.app.doctor.results import CHECKS, Result, failed, passed, warned

_AREA = "PostgreSQL"
_OLDEST = 15
_TESTED = 18
_PAGE_BYTES = 8192
_MIB = 1024 * 1024
_LEAST_BUFFERS = 128 * _MIB
_OLD_TRANSACTIONS = 1_000_000_000
_LOST_TRANSACTIONS = 1_600_000_000
# Pools of the daemon beside that of writers: readers, readers across, arrays; owner, coordination, leases, listeners, compaction, flow sums.
_POOLS_OF_READERS = 3
_OTHER_CONNECTIONS = 16


@CHECKS.add("postgres.reachable", _AREA, "PostgreSQL")
def reachable(patient: Patient) -> Result:
    """It is there, and lets us in."""
    if patient.examined is None:
        return failed(patient.database_failure, "start it, or mend database.dsn: `mtd check` looks at that")
    return passed("it answers")


@CHECKS.add("postgres.version", _AREA, "version")
def version(patient: Patient) -> Result:
    """Mtd needs 15, and is tested up to a newest."""
    number = patient.postgres.version()
    major, minor = divmod(number, 10_000)
    if major < _OLDEST:
        return failed(f"{major}.{minor}", f"upgrade it: mtd needs PostgreSQL {_OLDEST} or newer")
    if major > _TESTED:
        return warned(
            f"{major}.{minor}", f"mtd is tested up to PostgreSQL {_TESTED}: try an upgrade elsewhere first"
        )
    return passed(f"{major}.{minor}")


@CHECKS.add("postgres.schema", _AREA, "schema")
def schema(patient: Patient) -> Result:
    """The tables fit this mtd."""
    patient.postgres  # noqa: B018 - raises if it can't be asked
    if patient.schema_failure:
        return failed(patient.schema_failure, "`mtd migrate`, with a backup made before")
    return passed("fits this version of mtd")


@CHECKS.add("postgres.durability", _AREA, "what is committed stays")
def durability(patient: Patient) -> Result:
    """A power cut must not lose what was acknowledged, nor break the database."""
    found = patient.postgres.settings("fsync", "full_page_writes", "synchronous_commit")
    off = [name for name in ("fsync", "full_page_writes") if found.get(name) == "off"]
    if off:
        embedded = not patient.settings.database.read_dsn()
        mend = "database.embedded.durable = true" if embedded else f"ALTER SYSTEM SET {off[0]} = on"
        return failed(f"{' and '.join(off)} off: a power cut may destroy the database", mend)
    if found.get("synchronous_commit") == "off":
        return warned(
            "synchronous_commit is off: a crash loses the last moments, the audit log's among them",
            "ALTER SYSTEM SET synchronous_commit = on: mtd itself does without it where nothing is lost",
        )
    return passed("fsync, full_page_writes and synchronous_commit are on")


@CHECKS.add("postgres.checksums", _AREA, "checksums of pages")
def checksums(patient: Patient) -> Result:
    """Without them a disk that errs is noticed late, or never."""
    if patient.postgres.settings("data_checksums").get("data_checksums") == "on":
        return passed("on")
    return warned("off: what a disk got wrong is noticed late", "stop it and run pg_checksums --enable")


@CHECKS.add("postgres.wal", _AREA, "write-ahead log")
def wal(patient: Patient) -> Result:
    """With too little in it there is neither an archive nor a standby."""
    level = patient.postgres.settings("wal_level").get("wal_level", "")
    if level == "minimal":
        return warned(
            "wal_level is minimal: no archive, no standby", "ALTER SYSTEM SET wal_level = replica, restart"
        )
    return passed(f"wal_level is {level}")


@CHECKS.add("postgres.memory", _AREA, "memory")
def memory(patient: Patient) -> Result:
    """The hot hours should fit into its cache."""
    pages = int(patient.postgres.settings("shared_buffers").get("shared_buffers", "0"))
    size = pages * _PAGE_BYTES
    if size < _LEAST_BUFFERS and patient.schema.devices() > 0:
        return warned(
            f"shared_buffers is {size // _MIB} MiB",
            f"{_LEAST_BUFFERS // _MIB} MiB at least; a quarter of the memory where PostgreSQL has a machine of its own",
        )
    return passed(f"shared_buffers is {size // _MIB} MiB")


@CHECKS.add("postgres.connections", _AREA, "connections")
def connections(patient: Patient) -> Result:
    """The daemon must get all that it may open."""
    found = patient.postgres.settings("max_connections", "superuser_reserved_connections")
    most = int(found["max_connections"]) - int(found.get("superuser_reserved_connections", "0"))
    config = patient.settings.database
    wanted = config.pool_size + _POOLS_OF_READERS * config.query_pool_size + _OTHER_CONNECTIONS
    now = patient.postgres.connections()
    if wanted > most:
        return failed(
            f"{most}, and the daemon may want {wanted}",
            f"ALTER SYSTEM SET max_connections = {wanted * 2}, restart; or smaller pools in [database]",
        )
    if max(now, wanted) > most * 0.8:
        return warned(f"{now} of {most} are open, and the daemon may want {wanted}", "raise max_connections")
    return passed(f"{now} of {most} are open; the daemon may want {wanted}")


@CHECKS.add("postgres.autovacuum", _AREA, "autovacuum")
def autovacuum(patient: Patient) -> Result:
    """Without it, tables grow, and in the end PostgreSQL stops."""
    found = patient.postgres.settings("autovacuum", "track_counts")
    if "off" in (found.get("autovacuum"), found.get("track_counts")):
        return failed("off", "ALTER SYSTEM SET autovacuum = on; and track_counts = on")
    age = patient.postgres.oldest_transaction_age()
    if age > _LOST_TRANSACTIONS:
        return failed(f"on, but {age:,} transactions wait to be frozen: near the end", "VACUUM FREEZE now")
    if age > _OLD_TRANSACTIONS:
        return warned(
            f"on, but {age:,} transactions wait to be frozen", "look for transactions that stay open"
        )
    return passed(f"on; the oldest transaction is {age:,} behind")


@CHECKS.add("postgres.projections", _AREA, "events that could not be stored")
def dead_letters(patient: Patient) -> Result:
    """What no projection could take is kept aside."""
    count = patient.schema.dead_letters()
    if count:
        return warned(
            f"{count} dead letters", "`SELECT * FROM mtd.dead_letter` says which and why: a bug, tell us"
        )
    return passed("none")
