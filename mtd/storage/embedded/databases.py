"""Databases of the embedded server. Blocking."""

from __future__ import annotations

import psycopg2
import psycopg2.errors
from psycopg2 import sql

from mtd.storage.roles import DOOR_LOGIN, DatabaseRole

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


def make_door_login(admin_dsn: str, password: str) -> None:
    """Make the login of doors, or give it this password: it can become the doors' role, and nothing else."""
    login, role = sql.Identifier(DOOR_LOGIN), sql.Identifier(DatabaseRole.DOOR)
    rights = sql.SQL("NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION")
    connection = psycopg2.connect(admin_dsn, connect_timeout=_CONNECT_TIMEOUT_S)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT rolname FROM pg_roles WHERE rolname IN (%s, %s)", (DOOR_LOGIN, DatabaseRole.DOOR)
            )
            there = {name for (name,) in cursor.fetchall()}
            if DatabaseRole.DOOR not in there:  # the first start: the schema comes later
                cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN {}").format(role, rights))
            verb = sql.SQL("ALTER" if DOOR_LOGIN in there else "CREATE")
            statement = sql.SQL("{} ROLE {} LOGIN NOINHERIT {} PASSWORD {}; GRANT {} TO {}")
            cursor.execute(statement.format(verb, login, rights, sql.Literal(password), role, login))
    finally:
        connection.close()


def execute(dsn: str, statement: str) -> None:
    """Run one statement outside any transaction."""
    connection = psycopg2.connect(dsn, connect_timeout=_CONNECT_TIMEOUT_S)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()
