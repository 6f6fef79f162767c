"""Programs that others wrote send lines, and forward those of routers: each is stored once, and says what it said."""

from __future__ import annotations

import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtd.testing.missing import skip_without
from mtd.testing.syslog.programs import rsyslog
from tests.witnesses.syslog_kit import (
    Collecting,
    Stored,
    collecting,
    router_lines,
    rsyslog_forwarding,
    syslog_ng_forwarding,
)

LOCAL3 = 19
DAEMON = 3


@pytest.fixture(scope="module")
def stage() -> Iterator[Collecting]:
    with collecting() as running:
        yield running


@pytest.fixture
def mark() -> str:
    return f"m{uuid.uuid4().hex[:12]}x"


# -- logger of util-linux ------------------------------------------------------------------


@pytest.mark.parametrize("form", ["rfc3164", "rfc5424"])
@pytest.mark.parametrize("way", ["udp", "tcp", "tcp octet-count"])
def test_logger(stage: Collecting, mark: str, form: str, way: str) -> None:
    program = shutil.which("logger")
    if program is None:
        skip_without("logger of util-linux is not installed: on Debian it is in bsdutils")
    port = stage.udp_port if way == "udp" else stage.tcp_port
    options = [f"--{one}" for one in (*way.split(), form)]
    texts = [f"{mark} one", f'{mark} Zürich "two" 100% \\ [x]']
    for text in texts:
        subprocess.run(
            [program, "-n", "127.0.0.1", "-P", str(port), *options, "-p", "local3.warning", "-t", "backup", "--id=4711", "--", text],
            check=True, timeout=20,
        )  # fmt: skip
    found = stage.stored(mark, len(texts))
    # The name without its domain in the old form, with it in the new one.
    host = socket.gethostname() if form == "rfc5424" else socket.gethostname().partition(".")[0]
    expected = "bsd" if form == "rfc3164" else "rfc5424"
    assert found == [Stored(expected, host, "backup", "4711", 4, LOCAL3, (), "", text) for text in texts]


# -- forwarders ----------------------------------------------------------------------------


def expected_of(form: str, mark: str) -> list[Stored]:
    return [
        Stored(form, "core-1", "", "", 6, DAEMON, ("script", "info"), "", f"{mark} Zürich"),
        Stored(
            form,
            "core-2",
            "",
            "",
            4,  # the rule's
            DAEMON,
            ("system", "error", "critical"),
            "user.login.failed",
            f"login failure for user {mark} from 192.0.2.7 via ssh",
        ),
        Stored(form, "web-1", "backup", "4711", 3, LOCAL3, (), "", f'{mark} "failed" 100%'),
    ]


RSYSLOG = {
    "UDP, BSD": ("bsd", 'port="{udp}" protocol="udp" template="RSYSLOG_TraditionalForwardFormat"'),
    "UDP, RFC 5424": ("rfc5424", 'port="{udp}" protocol="udp" template="RSYSLOG_SyslogProtocol23Format"'),
    "TCP with ends, BSD with a time of ISO": (
        "bsd",
        'port="{tcp}" protocol="tcp" TCP_Framing="traditional" template="RSYSLOG_ForwardFormat"',
    ),
    "TCP with counts, RFC 5424": (
        "rfc5424",
        'port="{tcp}" protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"',
    ),
    "TCP with counts, BSD": (
        "bsd",
        'port="{tcp}" protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_TraditionalForwardFormat"',
    ),
    "TLS with counts, RFC 5424": (
        "rfc5424",
        'port="{tls}" protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"'
        ' StreamDriver="{driver}" StreamDriverMode="1" StreamDriverAuthMode="x509/name"'
        ' StreamDriverPermittedPeers="localhost" StreamDriver.CAFile="{ca}"',
    ),
}


@pytest.mark.parametrize("way", RSYSLOG)
def test_rsyslog_forwards(stage: Collecting, mark: str, way: str, tmp_path: Path) -> None:
    form, options = RSYSLOG[way]
    driver = tls_driver() if "{driver}" in options else ""
    options = options.format(
        udp=stage.udp_port, tcp=stage.tcp_port, tls=stage.tls_port, driver=driver, ca=stage.ca_path
    )
    action = f'action(type="omfwd" target="127.0.0.1" {options} action.resumeRetryCount="-1" action.resumeInterval="1")'
    with rsyslog_forwarding(action, tmp_path) as router:
        router.sendall(b"".join(line + b"\n" for line in router_lines(mark)))
        assert stage.stored(mark, 3) == expected_of(form, mark)


def tls_driver() -> str:
    """Return the driver that rsyslog has for TLS; skips without one."""
    program = rsyslog()
    if program is None:
        skip_without("rsyslog is not installed: run scripts/setup_tools")
    found = [driver for driver in ("ossl", "gtls") if program.has_module(f"lmnsd_{driver}.so")]
    if not found:
        skip_without("rsyslog has no driver for TLS: on Debian it is in rsyslog-openssl")
    return found[0]


SYSLOG_NG = {
    "UDP, BSD": ("bsd", 'network("127.0.0.1" port({udp}) transport("udp"))'),
    "TCP with ends, BSD": ("bsd", 'network("127.0.0.1" port({tcp}) transport("tcp"))'),
    "UDP, RFC 5424": ("rfc5424", 'syslog("127.0.0.1" port({udp}) transport("udp"))'),
    "TCP with counts, RFC 5424": ("rfc5424", 'syslog("127.0.0.1" port({tcp}) transport("tcp"))'),
    "TLS with counts, RFC 5424": (
        "rfc5424",
        'syslog("localhost" ip-protocol(4) port({tls}) transport("tls") tls(ca-file("{ca}") peer-verify(required-trusted)))',
    ),
}


@pytest.mark.parametrize("way", SYSLOG_NG)
def test_syslog_ng_forwards(stage: Collecting, mark: str, way: str, tmp_path: Path) -> None:
    form, destination = SYSLOG_NG[way]
    destination = destination.format(
        udp=stage.udp_port, tcp=stage.tcp_port, tls=stage.tls_port, ca=stage.ca_path
    )
    with syslog_ng_forwarding(destination, tmp_path) as router:
        router.sendall(b"".join(line + b"\n" for line in router_lines(mark)))
        assert stage.stored(mark, 3) == expected_of(form, mark)
