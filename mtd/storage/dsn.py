"""Connection strings: taken apart, without ever repeating them in an error.

They hold a password, and where one is mistyped libpq's own words may quote it.
"""

from __future__ import annotations

import psycopg2
import psycopg2.extensions

from mtd.core.errors import Misconfigured

_EXPECTED = (
    "postgresql://user:password@host:port/database or key=value pairs; in the former, "
    "@ : / ? # % of a password are written as %40 %3A %2F %3F %23 %25"
)


def parse_dsn(dsn: str) -> dict[str, str]:
    """Return the settings of a connection string. Raises Misconfigured, which quotes none of it."""
    try:
        given: dict[str, str] = psycopg2.extensions.parse_dsn(dsn)
    except psycopg2.Error:
        raise Misconfigured(f"database.dsn isn't a connection string: expected {_EXPECTED}") from None
    if "@" in given.get("host", "") or not given.get("port", "0").replace(",", "").isdigit():
        # Part of a password that isn't escaped: it must not go on to where errors name hosts and ports.
        raise Misconfigured(f"host or port in database.dsn can't be: expected {_EXPECTED}")
    return given


def with_password(dsn: str, password: str) -> str:
    """Return a connection string with a password, which nobody has to escape. Raises Misconfigured."""
    given = parse_dsn(dsn)
    if given.get("password"):
        raise Misconfigured(
            "database.dsn holds a password, and so does database.password_file: leave one of them away"
        )
    made: str = psycopg2.extensions.make_dsn(**given, password=password)
    return made
