"""Databases of the embedded server. Blocking."""

from __future__ import annotations

import psycopg2
import psycopg2.errors

_CONNECT_TIMEOUT_S = 10


def create_database(admin_dsn: str, name: str, template: str = "template1") -> bool:
    """Make a database as a copy of another; false if it exists already."""
    try:
        execute(admin_dsn, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    except psycopg2.errors.DuplicateDatabase:
        return False
    return True


def drop_database(admin_dsn: str, name: str) -> None:
    """Remove a database; its sessions are cut."""
    execute(admin_dsn, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def execute(dsn: str, statement: str) -> None:
    """Run one statement outside any transaction."""
    connection = psycopg2.connect(dsn, connect_timeout=_CONNECT_TIMEOUT_S)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()
