"""snmpsim: an agent that nobody here wrote, which answers from recorded walks.

One process serves many walks, each at an endpoint of its own, over versions
2c and 3. It refuses to run as root: then it becomes another user, once it has
its sockets and its modules.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from mtd.lab.snmp.wire import NULL, V2C, Kind, Message
from mtd.model.device import SnmpAuth, SnmpPriv, SnmpSettings, SnmpVersion
from mtd.testing.missing import skip_without

COMMUNITY = "public"
# What users of version 3 get who name no context.
_NO_CONTEXT = "self"
USER, AUTH_PASSWORD, PRIV_PASSWORD = "mtd", "authentication-1", "privacy-password-1"
_STARTED_WITHIN_S = 60.0
_SYS_UPTIME = b"1.3.6.1.2.1.1.3.0|"
# Other users may not read the interpreter's own library: what is needed later is imported before.
_PROGRAM = """
import dbm, importlib, sys
for name in (*dbm._names, "encodings.idna", "encodings.latin_1", "encodings.hex_codec"):
    try:
        importlib.import_module(name)
    except ImportError:
        pass
from snmpsim.commands.responder import main
sys.exit(main())
"""


@contextmanager
def simulated(walks: Mapping[str, Path]) -> Iterator[dict[str, int]]:
    """Serve walks for the time of a block; gives the UDP port of each."""
    if find_spec("snmpsim") is None or find_spec("pysmi") is None:
        skip_without("snmpsim isn't installed: pip install 'mtd[dev]'")
    folder = Path(tempfile.mkdtemp(prefix="mtd-snmpsim-"))
    try:
        with _ports(len(walks)) as ports:
            command = [*_command(folder), *_endpoints(folder, dict(zip(walks, ports, strict=True)), walks)]
        _give(folder)
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        reading = _Reading(process, len(walks))
        try:
            reading.wait_until_ready()
            for port in ports:
                _wait_for_an_answer(port)
            yield dict(zip(walks, ports, strict=True))
        finally:
            process.terminate()
            process.wait(20)
            reading.end()
    finally:
        shutil.rmtree(folder)


def v2c(port: int) -> SnmpSettings:
    """Return settings for version 2c."""
    return SnmpSettings(SnmpVersion.V2C, port=port, community=COMMUNITY)


def v3(port: int, **changes: str) -> SnmpSettings:
    """Return settings for version 3 with everything: SHA-1 and AES-128."""
    given = {"username": USER, "auth_password": AUTH_PASSWORD, "priv_password": PRIV_PASSWORD} | changes
    return SnmpSettings(SnmpVersion.V3, port=port, auth=SnmpAuth.SHA1, priv=SnmpPriv.AES, **given)


@contextmanager
def _ports(count: int) -> Iterator[list[int]]:
    """Find free UDP ports."""
    found = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    try:
        for one in found:
            one.bind(("127.0.0.1", 0))
        yield [one.getsockname()[1] for one in found]
    finally:
        for one in found:
            one.close()


def _command(folder: Path) -> list[str]:
    command = [sys.executable, "-c", _PROGRAM, f"--cache-dir={folder / 'cache'}"]
    command += ["--logging-method=stderr", "--log-level=error", "--max-var-binds=128"]
    # Modules that make values up aren't wanted: two of them fail for want of their databases.
    (folder / "variation").mkdir()
    command.append(f"--variation-modules-dir={folder / 'variation'}")
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        group = grp.getgrgid(nobody.pw_gid).gr_name
        command += [f"--process-user={nobody.pw_name}", f"--process-group={group}"]
    return command


def _endpoints(folder: Path, ports: Mapping[str, int], walks: Mapping[str, Path]) -> Iterator[str]:
    for number, (name, port) in enumerate(ports.items(), start=1):
        data = folder / f"walk-{number}"
        data.mkdir()
        for served_as in (COMMUNITY, _NO_CONTEXT):
            (data / f"{served_as}.snmprec").write_bytes(_whole(walks[name].read_bytes()))
        yield f"--v3-engine-id=80003a8c04{number:010x}"
        yield from (f"--v3-user={USER}", f"--v3-auth-key={AUTH_PASSWORD}", "--v3-auth-proto=SHA")
        yield from (f"--v3-priv-key={PRIV_PASSWORD}", "--v3-priv-proto=AES")
        yield from (f"--data-dir={data}", f"--agent-udpv4-endpoint=127.0.0.1:{port}")


def _whole(walk: bytes) -> bytes:
    """Return a walk with the uptime that every agent has: some that are kept are but parts of one."""
    lines = [line + b"\n" for line in walk.splitlines() if line]
    if not any(line.startswith(_SYS_UPTIME) for line in lines):
        lines.append(_SYS_UPTIME + b"67|100\n")
        lines.sort(key=lambda line: [int(number) for number in line.partition(b"|")[0].split(b".")])
    return b"".join(lines)


def _give(folder: Path) -> None:
    """Let the user that the program becomes read its data, and write its indices."""
    (folder / "cache").mkdir()
    if os.geteuid() != 0:
        return
    nobody = pwd.getpwnam("nobody")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
        path.chmod(0o700 if path.is_dir() else 0o600)


def _wait_for_an_answer(port: int) -> None:
    """Ask until there is an answer: the program says that it listens a moment before it does."""
    hello = Message(
        V2C, COMMUNITY.encode(), Kind.GET, 1, 0, 0, (((1, 3, 6, 1, 2, 1, 1, 2, 0), NULL),)
    ).encode()
    deadline = time.monotonic() + _STARTED_WITHIN_S
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.1)
        asking.connect(("127.0.0.1", port))
        while time.monotonic() < deadline:
            try:
                asking.send(hello)
                asking.recv(65_536)
            except TimeoutError:
                continue
            except ConnectionRefusedError:
                threading.Event().wait(0.05)
            else:
                return
    raise AssertionError(f"snmpsim doesn't answer on port {port}")


class _Reading:
    """Reads what the program says, so that it never waits for us, until all endpoints listen and on."""

    def __init__(self, process: subprocess.Popen[bytes], endpoints: int) -> None:
        self._process = process
        self._endpoints = endpoints
        self._said: list[str] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._read, name="snmpsim", daemon=True)
        self._thread.start()

    def wait_until_ready(self) -> None:
        if not self._ready.wait(_STARTED_WITHIN_S) or self._process.poll() is not None:
            raise AssertionError("snmpsim didn't start:\n" + "".join(self._said[-20:]))

    def end(self) -> None:
        self._thread.join(20)

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            listening = 0
            for line in lines:
                self._said.append(line.decode("utf-8", "replace"))
                listening += "Listening at" in self._said[-1]
                if listening == self._endpoints:
                    self._ready.set()
        self._ready.set()
