"""mktxp, the Prometheus exporter for RouterOS: its configuration, and its exporter as a process.

It is a witness of our values in the tests, and the peer of our benches.
``scripts/setup_witnesses`` installs it in an environment of its own.
"""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mtd.testing.harness import HarnessFailed, Process, free_port

WITNESSES = Path(__file__).parents[2] / ".witnesses"
PROGRAM = WITNESSES / "bin" / "mktxp"

SAME_AS_MTD = ("health", "interface", "routerboard")
"""What mktxp reads and mtd reads too. Identity and resources it reads always."""

# All that can be switched off. What is left is /system/identity and /system/resource.
_SWITCHES = (
    "health",
    "installed_packages",
    "dhcp",
    "dhcp_lease",
    "connections",
    "connection_stats",
    "interface",
    "routerboard",
    "wireguard_peers",
    "bridge_vlan",
    "route",
    "pool",
    "firewall",
    "neighbor",
    "total_address_list_counts",
    "dns",
    "ipv6_route",
    "ipv6_pool",
    "ipv6_firewall",
    "ipv6_neighbor",
    "ipv6_total_address_list_counts",
    "poe",
    "monitor",
    "netwatch",
    "public_ip",
    "wireless",
    "wireless_clients",
    "capsman",
    "capsman_clients",
    "w60g",
    "eoip",
    "gre",
    "ipip",
    "lte",
    "ipsec",
    "switch_port",
    "kid_control_assigned",
    "kid_control_dynamic",
    "user",
    "queue",
    "bfd",
    "bgp",
    "routing_stats",
    "certificate",
    "container",
    "check_for_updates",
)

_PLAIN_LOGIN_SINCE = (6, 43)

# It answers each scrape anew, and asks nobody but its routers.
_SYSTEM = {
    "socket_timeout": 10,
    "initial_delay_on_failure": 1,
    "max_delay_on_failure": 1,
    "minimal_collect_interval": 0,
    "bandwidth": False,
    "enable_probe": False,
    "verbose_mode": False,
}


@dataclass(frozen=True, slots=True)
class Target:
    """A router that mktxp shall scrape."""

    name: str
    host: str
    port: int
    username: str
    password: str
    tls: str = "off"
    plain_login: bool = True

    @classmethod
    def from_lab(cls, router: Mapping[str, Any]) -> Self:
        """Return the target for a router as the lab's state file describes it."""
        version = tuple(map(int, router["version"].split(".")))
        return cls(
            router["name"],
            router["host"],
            router["port"],
            router["username"],
            router["password"],
            tls=router["tls"],
            plain_login=version >= _PLAIN_LOGIN_SINCE,
        )


def write_config(
    folder: Path, targets: Iterable[Target], *, listen_port: int, reads: Collection[str] = SAME_AS_MTD
) -> None:
    """Write both files of mktxp's configuration; it reads ``reads`` of each target and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    unknown = set(reads) - set(_SWITCHES)
    if unknown:
        raise ValueError(f"mktxp has no switch {sorted(unknown)}")
    (folder / "_mktxp.conf").write_text(_section("MKTXP", {"listen": f"127.0.0.1:{listen_port}", **_SYSTEM}))
    sections = [
        _section(
            target.name,
            {
                "hostname": target.host,
                "port": target.port,
                "username": target.username,
                "password": target.password,
                "use_ssl": target.tls != "off",
                "no_ssl_certificate": target.tls == "anonymous",
                "plaintext_login": target.plain_login,
            },
        )
        for target in targets
    ]
    sections.append(
        _section("default", {"enabled": True} | {switch: switch in reads for switch in _SWITCHES})
    )
    (folder / "mktxp.conf").write_text("".join(sections))


def _section(name: str, values: Mapping[str, str | int | bool]) -> str:
    lines = [f"[{name}]"]
    lines += [
        f"    {key} = {_quoted(value) if isinstance(value, str) else value}" for key, value in values.items()
    ]
    return "\n".join(lines) + "\n\n"


def _quoted(value: str) -> str:
    quote = "'" if '"' in value else '"'
    if quote in value or "\n" in value:
        raise ValueError("mktxp's configuration can't hold a text with both kinds of quotes or a line break")
    return f"{quote}{value}{quote}"


class Exporter:
    """A running ``mktxp export``, to be used as a context manager."""

    def __init__(self, folder: Path, targets: Iterable[Target], reads: Collection[str] = SAME_AS_MTD) -> None:
        self.port = free_port()
        write_config(folder, targets, listen_port=self.port, reads=reads)
        # The reports of what it connects to would wait in a buffer until it ends.
        self.process = Process(
            "mktxp",
            [str(PROGRAM), "--cfg-dir", str(folder), "export"],
            folder / "mktxp.log",
            {"PYTHONUNBUFFERED": "1"},
        )

    def scrape(self, timeout_s: float = 30.0) -> str:
        """Return the page for Prometheus; mktxp polls its routers meanwhile."""
        url = f"http://127.0.0.1:{self.port}/metrics"
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            body: bytes = answer.read()
        return body.decode()

    def wait_until_up(self, timeout_s: float = 30.0) -> None:
        """Wait for its first answer."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self.scrape()
            except OSError:
                self.process.check()
                if time.monotonic() > deadline:
                    raise HarnessFailed(f"mktxp did not come up:\n{self.process.tail()}") from None
                time.sleep(0.1)  # noqa: TID251 - a script's own wait, no reactor here
            else:
                return

    def __enter__(self) -> Self:
        self.process.start()
        try:
            self.wait_until_up()
        except BaseException:
            self.process.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()
