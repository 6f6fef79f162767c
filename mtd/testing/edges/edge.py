"""A collector as a process, in a folder of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtd.testing.harness import HarnessFailed, Process, free_port


class Edge:
    """Enrols with ``enrol``, then runs between ``start`` and ``stop``.

    ``prefix``: words before its command, such as those that put it into a network namespace. ``run``: arguments of
    Python that start another than the usual one.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        prefix: Sequence[str] = (),
        run: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.name = name
        self.data_dir = folder / "data"
        self.config_path = folder / "mtd.toml"
        self.http_port = free_port()
        self.prefix = list(prefix)
        self.process: Process | None = None
        self._run = list(run) or ["-m", "mtd", "run", "--config", str(self.config_path)]
        self._settings = settings or {}

    def write_config(self, **sections: Mapping[str, Any]) -> None:
        """Write the configuration; ``sections`` on top of the settings that it was made with."""
        merged: dict[str, dict[str, Any]] = {
            "daemon": {"role": "collector", "data_dir": str(self.data_dir)},
            "http": {"port": self.http_port},
            "t0": {"interfaces": "all"},
        }
        for more in (self._settings, sections):
            for name, values in more.items():
                merged.setdefault(name, {}).update(values)
        lines = []
        for name, values in merged.items():
            lines.append(f"[{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config_path.write_text("\n".join(lines) + "\n")

    def enrol(self, server: str, token: str) -> dict[str, Any]:
        """Get a certificate from the hub whose gRPC door is at ``server``."""
        token_file = self.folder / "token"
        token_file.write_text(token)
        command = [*self.prefix, sys.executable, "-m", "mtd", "enroll", "--server", server]
        command += ["--token-file", str(token_file), "--config", str(self.config_path), "--json"]
        done = subprocess.run(  # noqa: S603 - our own command
            command, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode:
            raise HarnessFailed(f"{self.name} could not enrol: {done.stdout}{done.stderr}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def start(self, *, ready: bool = True, timeout_s: float = 60.0) -> None:
        """Start it; ``ready``: wait until it says that all is well, not only that it has started."""
        command = [*self.prefix, sys.executable, *self._run]
        self.process = Process(self.name, command, self.folder / "edge.log")
        self.process.start()
        deadline = time.monotonic() + timeout_s
        while not (self.is_ready() if ready else self.answers()):
            self.process.check()
            if time.monotonic() > deadline:
                raise HarnessFailed(f"{self.name} wasn't ready in {timeout_s} s:\n{self.process.tail()}")
            time.sleep(0.05)  # noqa: TID251 - no reactor here

    def answers(self) -> bool:
        """Return whether it has started."""
        try:
            return "start" not in self.readiness()["reasons"]
        except (urllib.error.URLError, OSError):
            return False

    def is_ready(self) -> bool:
        """Return whether it says that all is well."""
        return self.answers() and not self.readiness()["reasons"]

    def readiness(self) -> dict[str, Any]:
        """Return what it says of itself."""
        try:
            text = self.http("/readyz")
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode()
        found: dict[str, Any] = json.loads(text)
        return found

    def http(self, path: str) -> str:
        """Read a page of its HTTP door, from where it runs."""
        url = f"http://127.0.0.1:{self.http_port}{path}"
        if self.prefix:
            return self._http_there(url)
        with urllib.request.urlopen(url, timeout=5) as answer:
            body: bytes = answer.read()
        return body.decode()

    def _http_there(self, url: str) -> str:
        script = (
            "import sys, urllib.request, urllib.error\n"
            "try: print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())\n"
            "except urllib.error.HTTPError as error: print(error.read().decode())\n"
        )
        done = subprocess.run(  # noqa: S603 - our own command
            [*self.prefix, sys.executable, "-c", script, url],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        if done.returncode:
            raise OSError(done.stderr[-200:])
        return done.stdout

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric over all series with these labels; 0 if it isn't there."""
        total = 0.0
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        for line in self.http("/metrics").splitlines():
            if line.startswith((name + " ", name + "{")) and all(one in line for one in wanted):
                total += float(line.rpartition(" ")[2])
        return total

    def status(self) -> dict[str, Any]:
        """Return what it has written about forwarding."""
        found: dict[str, Any] = json.loads((self.data_dir / "forwarding.json").read_text())
        return found

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()

    def stop(self) -> None:
        """End it with SIGTERM."""
        if self.process is not None:
            self.process.stop()

    def tail(self, lines: int = 40) -> str:
        """Return the end of what it printed."""
        return "" if self.process is None else self.process.tail(lines)
