"""Databases of the embedded server. Blocking."""

from __future__ import annotations

import psycopg2
import psycopg2.errors
from psycopg2 import sql
from psycopg2.extensions import encrypt_password

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


def make_roles(admin_dsn: str, door_password: str) -> None:
    """Make the roles that mtd works as, and the login of doors, which gets this password.

    The roles are made by the schema's migration, too; a dump that is loaded into a new server needs them before.
    """
    rights = sql.SQL("NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION")
    login, door = sql.Identifier(DOOR_LOGIN), sql.Identifier(DatabaseRole.DOOR)
    connection = psycopg2.connect(admin_dsn, connect_timeout=_CONNECT_TIMEOUT_S)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT rolname FROM pg_roles")
            there = {name for (name,) in cursor.fetchall()}
            for role in DatabaseRole:
                if role not in there:
                    cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN {}").format(sql.Identifier(role), rights))
            verb = sql.SQL("ALTER" if DOOR_LOGIN in there else "CREATE")
            # Hashed here: the server writes statements that fail into its log.
            proof = encrypt_password(door_password, DOOR_LOGIN, connection, "scram-sha-256")
            statement = sql.SQL("{} ROLE {} LOGIN NOINHERIT {} PASSWORD {}; GRANT {} TO {}")
            cursor.execute(statement.format(verb, login, rights, sql.Literal(proof), door, login))
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
