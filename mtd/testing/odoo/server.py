"""Commands, servers and bridges of an Odoo, each a process with its log."""

from __future__ import annotations

import itertools
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from mtd.testing.browser import find_chromium
from mtd.testing.harness import HarnessFailed, Process, free_port
from mtd.testing.odoo.database import PASSWORD, ROLE, OdooPostgres
from mtd.testing.odoo.installation import ADDON, ADDONS, ROOT, Installation
from mtd.testing.odoo.log import OdooLog
from mtd.testing.odoo.rpc import OdooError, OdooSession

TEMPLATE = "odoo_template"
"""A database with what a stock server has: base, web and bus."""
BASE_MODULES = ("base", "web", "bus")
LANGUAGES = "en_US"
# Said by Odoo itself, whatever addons there are.
OF_ODOO = (
    r"WARNING py\.warnings: ",
    # Without the packages of the mail gateway and the like, which a stock server has not either.
    r"WARNING odoo\.addons\.base\.models\.ir_actions_report: ",
)
# Chromium as Odoo's own tests call it.
_BROWSER_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
)

# The priority that etc/systemd/mtd-bridge.service gives the bridge.
_AS_ITS_UNIT = ("nice", "-n", "5")

# The shell goes on after an exception, and ends well.
_IN_SHELL = """
import json, os, traceback
names = {{"env": env, "result": None, **{given!r}}}
try:
    exec(compile({script!r}, "script", "exec"), names)
    env.cr.commit()
    with open({found!r}, "w") as file:
        json.dump(names["result"], file)
except BaseException:
    traceback.print_exc()
    os._exit(7)

"""


@dataclass(slots=True)
class Run:
    """A command that ended."""

    code: int
    log: OdooLog
    out: str
    result: Any = None
    """What a script of the shell left, as JSON has it."""

    def complaints(self, *expected: str) -> list[str]:
        """Return the warnings and errors in its log, less those of Odoo itself and those expected."""
        return [str(record) for record in self.log.complaints(*OF_ODOO, *expected)]


class Odoo:
    """An Odoo with its configuration in a folder, on a PostgreSQL."""

    def __init__(
        self,
        folder: Path,
        installation: Installation,
        postgres: OdooPostgres,
        *,
        addons: Path = ADDONS,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.installation = installation
        self.postgres = postgres
        self.addons = addons
        self.config = folder / "odoo.conf"
        self.data_dir = folder / "data"
        self._numbers = itertools.count(1)
        folder.mkdir(parents=True, exist_ok=True)
        self._write_config(options or {})
        self._write_browser()

    def _write_config(self, options: Mapping[str, Any]) -> None:
        settings: dict[str, Any] = {
            "db_host": self.postgres.host,
            "db_port": self.postgres.port,
            "db_user": ROLE,
            "db_password": PASSWORD,
            "admin_passwd": "admin",
            "data_dir": self.data_dir,
            "addons_path": self.addons_path,
            "without_demo": "all",
            "http_interface": "127.0.0.1",
            **options,
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        self.config.write_text("\n".join(["[options]", *lines]) + "\n")

    def _write_browser(self) -> None:
        """Put a google-chrome on the path, as Odoo's tests look for it."""
        chromium = find_chromium()
        if chromium is None:
            return
        program = self.folder / "bin/google-chrome"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(chromium)} {_BROWSER_FLAGS} "$@"\n')
        program.chmod(0o755)

    @property
    def addons_path(self) -> str:
        """Return where addons are looked for."""
        return ",".join(map(str, [*self.installation.addons, self.addons]))

    @property
    def environment(self) -> dict[str, str]:
        """Return what its processes get beside what we have."""
        return {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            # Odoo's clocks and logs are in UTC.
            "TZ": "UTC",
        }

    def command_line(self, *arguments: str) -> list[str]:
        """Return the command of odoo-bin with these arguments."""
        return [str(self.installation.python), str(self.installation.program), *arguments]

    def run(self, *arguments: str, script: str = "", timeout_s: float = 600.0, code: int | None = 0) -> Run:
        """Run odoo-bin to its end; it must end with ``code``, unless that is None."""
        log = self.folder / f"run-{next(self._numbers)}.log"
        done = subprocess.run(  # noqa: S603 - Odoo's own command
            self.command_line(*arguments, f"--logfile={log}"),
            env={**os.environ, **self.environment},
            input=script,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        run = Run(done.returncode, OdooLog(log), done.stdout)
        if code is not None and done.returncode != code:
            raise HarnessFailed(
                f"odoo-bin {' '.join(arguments)} ended with {done.returncode}:\n"
                f"{done.stderr[-4000:]}\n{run.log.text()[-6000:]}"
            )
        return run

    def make(self, database: str, *arguments: str, timeout_s: float = 600.0, code: int | None = 0) -> Run:
        """Install, update or test in a database, without serving anything else."""
        return self.run(
            "-c",
            str(self.config),
            "-d",
            database,
            *arguments,
            "--stop-after-init",
            f"--http-port={free_port()}",
            "--max-cron-threads=0",
            timeout_s=timeout_s,
            code=code,
        )

    def install(self, database: str, *modules: str) -> Run:
        """Install modules, in a database that is made if it isn't there."""
        return self.make(database, "-i", ",".join(modules or (ADDON,)), f"--load-language={LANGUAGES}")

    def update(self, database: str, *modules: str) -> Run:
        """Update modules."""
        return self.make(database, "-u", ",".join(modules or (ADDON,)))

    def uninstall(self, database: str, module: str = ADDON) -> Run:
        """Uninstall a module, as the button of the list of apps does."""
        return self.shell(
            database,
            f"env['ir.module.module'].search([('name', '=', {module!r})]).button_immediate_uninstall()",
        )

    def shell(self, database: str, script: str, **given: Any) -> Run:
        """Run Python in Odoo's shell, with ``given`` as names; what it puts into ``result`` is the run's."""
        found = self.folder / f"result-{next(self._numbers)}.json"
        whole = _IN_SHELL.format(script=script, given=given, found=str(found))
        run = self.run(
            "shell", "-c", str(self.config), "-d", database, "--no-http", "--max-cron-threads=0", script=whole
        )
        run.result = json.loads(found.read_text())
        return run

    def database(self, name: str, template: str = TEMPLATE) -> str:
        """Make a database from a template, with the files of that; return its name."""
        self.postgres.copy(template, name)
        store = self.data_dir / "filestore"
        if (store / template).is_dir():
            subprocess.run(  # noqa: S603
                ["/bin/cp", "-r", str(store / template), str(store / name)], check=True, timeout=60
            )
        return name


@dataclass
class OdooServer:
    """A server of one database: threaded, or prefork (with ``workers``) behind a proxy."""

    odoo: Odoo
    database: str
    workers: int = 0
    name: str = "server"
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    """Where browsers come."""
    process: Process | None = None
    proxy: Process | None = None

    def __post_init__(self) -> None:
        self.log = OdooLog(self.odoo.folder / f"{self.name}.log")
        self._event_port = free_port()
        self._http_port = free_port() if self.workers else self.port

    @property
    def url(self) -> str:
        """Return where it is."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        try:
            if self.workers:
                self._start_proxy()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self.proxy is not None:
            self.proxy.stop()

    def _start_proxy(self) -> None:
        ports = map(str, (self.port, self._http_port, self._event_port))
        command = [sys.executable, "-m", "mtd.testing.odoo.proxy", *ports]
        self.proxy = Process("proxy", command, self.odoo.folder / f"{self.name}-proxy.log")
        self.proxy.start()

    def start(self, timeout_s: float = 120.0) -> None:
        """Start it, and wait until it answers."""
        command = self.odoo.command_line(
            "-c",
            str(self.odoo.config),
            "-d",
            self.database,
            f"--db-filter=^{self.database}$",
            f"--http-port={self._http_port}",
            f"--gevent-port={self._event_port}",
            f"--workers={self.workers}",
            "--max-cron-threads=0",
            *(("--proxy-mode",) if self.workers else ()),
            *self.options,
        )
        self.process = Process(f"odoo {self.name}", command, self.log.path, environment=self.odoo.environment)
        self.process.start()
        self.wait_until_ready(timeout_s)

    def wait_until_ready(self, timeout_s: float = 120.0) -> None:
        """Wait until it answers, and until its WebSocket does if that is another process."""
        deadline = time.monotonic() + timeout_s
        paths = ["/web/login", *(["/websocket/health"] if self.workers else [])]
        while not all(self._answers(path) for path in paths):
            assert self.process is not None
            self.process.check()
            if time.monotonic() > deadline:
                raise HarnessFailed(f"Odoo did not answer within {timeout_s} s:\n{self.log.text()[-6000:]}")
            time.sleep(0.1)  # noqa: TID251 - a script's own wait, no reactor here

    def _answers(self, path: str) -> bool:
        try:
            return self.session().request("GET", path).status == 200
        except OSError:
            return False

    def stop(self) -> None:
        """End it; the proxy stays, as a web server would."""
        if self.process is not None:
            self.process.stop(timeout_s=30)

    def restart(self) -> None:
        """Start it anew."""
        self.stop()
        self.start()

    def session(self) -> OdooSession:
        """Return an anonymous session."""
        return OdooSession(self.url, self.database)

    def login(self, login: str = "admin", password: str = "") -> OdooSession:
        """Return the session of a user, whose password is the login unless it is given."""
        session = self.session()
        session.login(login, password or login)
        return session

    def complaints(self, *expected: str) -> list[str]:
        """Return warnings and errors in its log, less those of Odoo itself and those expected."""
        return [str(record) for record in self.log.complaints(*OF_ODOO, *expected)]


@dataclass
class Bridge:
    """The bridge of a database, as ``odoo-bin mtd_bridge`` runs it."""

    odoo: Odoo
    database: str
    name: str = "bridge"
    http_port: int = field(default_factory=free_port)
    process: Process | None = None

    def __post_init__(self) -> None:
        self.log = OdooLog(self.odoo.folder / f"{self.name}.log")
        self.health_file = self.odoo.folder / f"{self.name}.health"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, timeout_s: float = 60.0) -> None:
        """Start it, and wait until it is well."""
        command = [
            *_AS_ITS_UNIT,
            *self.odoo.command_line(
                # Odoo finds a command of an addon only with the path of addons before it.
                f"--addons-path={self.odoo.addons_path}",
                "mtd_bridge",
                "-c",
                str(self.odoo.config),
                "-d",
                self.database,
                f"--health-file={self.health_file}",
                f"--http-port={self.http_port}",
            ),
        ]
        self.process = Process(f"odoo {self.name}", command, self.log.path, environment=self.odoo.environment)
        self.process.start()
        deadline = time.monotonic() + timeout_s
        while not self.is_well():
            self.process.check()
            if time.monotonic() > deadline:
                raise HarnessFailed(f"the bridge isn't well after {timeout_s} s:\n{self.log.text()[-6000:]}")
            time.sleep(0.1)  # noqa: TID251

    def stop(self) -> float:
        """End it; return how long it took."""
        return self.process.stop(timeout_s=30) if self.process is not None else 0.0

    def is_well(self) -> bool:
        """Return whether its health page says so."""
        return self._page("/healthz") is not None

    def metric(self, name: str) -> float:
        """Return the sum over all labels of one of its metrics; 0 if it isn't there."""
        page = self._page("/metrics")
        lines = (page or b"").decode().splitlines()
        return sum(
            float(line.rpartition(" ")[2]) for line in lines if line.startswith((name + " ", name + "{"))
        )

    def _page(self, path: str) -> bytes | None:
        session = OdooSession(f"http://127.0.0.1:{self.http_port}", "", timeout_s=5)
        try:
            answer = session.request("GET", path)
        except OSError:
            return None
        return answer.body if answer.status == 200 else None

    def complaints(self, *expected: str) -> list[str]:
        """Return warnings and errors in its log, less those of Odoo itself and those expected."""
        return [str(record) for record in self.log.complaints(*OF_ODOO, *expected)]


__all__ = ["ADDON", "BASE_MODULES", "TEMPLATE", "Bridge", "Odoo", "OdooError", "OdooServer", "Run"]
