"""rsyslog and syslog-ng of Debian, as programs of the machine or as scripts/setup_tools unpacked them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_TOOLS = Path(__file__).parents[3] / ".venv" / "tools"
_WHERE = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Daemon:
    """A syslog daemon of others. ``modules``: where those are, empty if it knows; ``environment``: of its process."""

    path: str
    modules: Sequence[Path] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def has_module(self, pattern: str) -> bool:
        """Return whether it has a module with such a file name."""
        places = self.modules or sorted(Path("/usr/lib").glob("*/rsyslog"))
        return any(any(place.glob(pattern)) for place in places)

    def version(self, argument: str) -> str:
        """Return the version that it tells upon ``argument``."""
        told = subprocess.run(  # noqa: S603 - a program of the distribution
            [self.path, argument],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        ).stdout
        found = re.search(r"\b\d+\.\d+(?:\.\d+)?\b", told)
        return found[0] if found else ""


def rsyslog() -> Daemon | None:
    """Return rsyslog; None if it isn't here."""
    return _find("rsyslog", "rsyslogd", "usr/lib/*/rsyslog")


def syslog_ng() -> Daemon | None:
    """Return syslog-ng; None if it isn't here."""
    return _find("syslog-ng", "syslog-ng", "usr/lib/syslog-ng/[0-9]*")


def rsyslog_command(program: Daemon, configuration: Path, folder: Path) -> list[str]:
    """Return the command that runs it in the foreground, with all that it keeps in a folder."""
    command = [program.path, "-n", "-f", str(configuration), "-i", str(folder / "rsyslog.pid")]
    return [*command, *(("-M", ":".join(map(str, program.modules))) if program.modules else ())]


def syslog_ng_command(program: Daemon, configuration: Path, folder: Path) -> list[str]:
    """Return the command that runs it in the foreground, with all that it keeps in a folder."""
    kept = {"cfgfile": configuration, "persist-file": folder / "ng.persist", "pidfile": folder / "ng.pid"}
    command = [program.path, "--foreground", "--no-caps", f"--control={folder / 'ng.ctl'}"]
    command += [f"--{name}={path}" for name, path in kept.items()]
    return [*command, *(f"--module-path={path}" for path in program.modules[-1:])]


def _find(name: str, program: str, modules: str) -> Daemon | None:
    unpacked = _TOOLS / name
    path = unpacked / "usr" / "sbin" / program
    if path.exists():
        libraries = [*unpacked.glob("usr/lib/*-linux-gnu"), *unpacked.glob("lib/*-linux-gnu")]
        libraries += [place for place in (unpacked / "usr" / "lib" / "syslog-ng",) if place.is_dir()]
        environment = {"LD_LIBRARY_PATH": ":".join(map(str, libraries))}
        return Daemon(str(path), sorted(unpacked.glob(modules)), environment)
    found = shutil.which(program) or shutil.which(program, path=_WHERE)
    return Daemon(found) if found else None
