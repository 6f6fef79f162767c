"""The secrets of a connection: files of the server, never rows of the database.

`<folder>/<database>/<connection id>/<name>`, readable by the server's own user alone.
"""

import contextlib
import os
import pwd
import shutil
import tempfile
from pathlib import Path

TOKEN = "token"  # noqa: S105 - the name of a file
CA = "ca.pem"
CERTIFICATE = "client.pem"
KEY = "client.key"
DSN = "dsn"

NAMES = (TOKEN, CA, CERTIFICATE, KEY, DSN)


class Folder:
    """The files of one connection."""

    def __init__(self, root, database, connection_id):
        self.path = _of_database(root, database) / str(int(connection_id))

    def file(self, name):
        """Return the path of a secret, whether it is there or not."""
        if name not in NAMES:
            raise ValueError(f"there is no secret {name!r}; there are {', '.join(NAMES)}")
        return self.path / name

    def has(self, name):
        """Return whether a secret is there, as far as this process may see."""
        try:
            return self.file(name).is_file()
        except PermissionError:
            return False

    def check(self):
        """Raise OSError if there are secrets that this process may not read."""
        for name in NAMES:
            with contextlib.suppress(FileNotFoundError), self.file(name).open("rb"):
                pass

    def text(self, name):
        """Return a secret, without the end of its line; empty if there is none. Raises OSError."""
        try:
            return self.file(name).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def keep(self, name, text):
        """Replace a secret at once; an empty text takes it away. Raises OSError."""
        target = self.file(name)
        if not text.strip():
            target.unlink(missing_ok=True)
            return
        for folder in (self.path.parent.parent, self.path.parent, self.path):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, path = tempfile.mkstemp(dir=self.path, prefix=".new-")  # mode 0600
        draft = Path(path)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text.strip() + "\n")
            draft.replace(target)
        except OSError:
            draft.unlink(missing_ok=True)
            raise

    def fingerprint(self):
        """Return what changes when a file changes. Never holds a secret."""
        return tuple(_stamp(self.path / name) for name in NAMES)

    def remove(self):
        """Remove all files of the connection. Raises OSError."""
        _remove(self.path)


def remove_database(root, database):
    """Remove the secrets of all connections of a database. Raises OSError."""
    _remove(_of_database(root, database))


def user():
    """Return who this process is: these files have to be theirs."""
    number = os.geteuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # as in a container that was given a number
        return str(number)


def _remove(folder):
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)


def _of_database(root, database):
    if not database or "/" in database or database in (".", ".."):
        raise ValueError(f"{database!r} can't be a folder")
    return Path(root) / database


def _stamp(path):
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
