"""Scenarios: which routers there are, and what goes wrong with them when.

Read from TOML; an unknown key or an impossible value is an error that names
the place. A scenario and an epoch are all that the truth depends on.
"""

from __future__ import annotations

import enum
import ipaddress
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mtd.core.errors import Misconfigured

SHIPPED = Path(__file__).parent / "scenarios"
_FIRST_OWN_ADDRESS = ipaddress.IPv4Address("127.64.0.1")


class ScenarioError(Misconfigured):
    """A scenario that can't be read; the message has every error with its place."""


class Tls(enum.StrEnum):
    """What a router's API port offers."""

    OFF = "off"
    CA = "ca"  # a certificate signed by the lab's authority
    SELF_SIGNED = "self-signed"
    ANONYMOUS = "anonymous"  # no certificate: anonymous Diffie-Hellman


class Door(enum.StrEnum):
    """A port of a router, by what is spoken there."""

    API = "api"
    REST = "rest"
    SNMP = "snmp"


class Wifi(enum.StrEnum):
    """The package that a router's radios are in."""

    WIRELESS = "wireless"  # the old one, with /caps-man
    WIFIWAVE2 = "wifiwave2"
    WIFI = "wifi"


class LogForm(enum.StrEnum):
    """How a router writes the lines of its log that it sends."""

    DEFAULT = "default"
    BSD = "bsd"
    CEF = "cef"


class TrapVersion(enum.StrEnum):
    """The version of SNMP in which a router sends its traps."""

    V1 = "1"
    V2C = "2c"


class FlowForm(enum.StrEnum):
    """How a router sends its flows."""

    NETFLOW5 = "netflow5"
    NETFLOW9 = "netflow9"
    IPFIX = "ipfix"
    SFLOW5 = "sflow5"


class FaultKind(enum.StrEnum):
    """What can go wrong. The words after a ``#`` name the settings of ``Fault`` that it heeds."""

    REBOOT = "reboot"  # sessions drop, the port refuses for boot_s, counters and uptime start anew
    COUNTER_RESET = "counter-reset"  # traffic counters start anew, uptime goes on
    WRAP32 = "wrap32"  # 32-bit traffic counters, which wrap at at_s (live: 2 s later)
    LINK_FLAP = "link-flap"  # interfaces go down, for down_s each every_s, or once for for_s
    RENAME = "rename"  # an interface gets another name or comment
    PPPOE_DROP = "pppoe-drop"  # only `sessions` dynamic interfaces are left
    CPU_HIGH = "cpu-high"  # cpu-load is load_pct
    BLACK_HOLE = "black-hole"  # nothing answers; accept = false: not even the handshake of TCP
    REFUSED = "refused"  # the port is closed
    SLOW = "slow"  # each answer waits delay_s, then comes at bytes_per_s
    GARBAGE = "garbage"  # answers are noise
    HALF_OPEN = "half-open"  # sessions of before are dead for ever, without a sign; new ones work
    LOGIN_REFUSED = "login-refused"
    DENIED = "denied"  # the user may log in, but read nothing
    FATAL = "fatal"  # the next command gets !fatal, and the session is closed
    CUT = "cut"  # the connection is reset in the middle of an answer
    HUGE = "huge"  # each print answers with `rows` rows
    HUGELENGTH = "hugelength"  # an answer announces a word of word_bytes
    PLAINHTTP = "plainhttp"  # a web server is on the port
    MENU_SILENT = "menu-silent"  # no command of `menu` is answered; only_counts: none that counts rows
    IGNORE_CANCEL = "ignore-cancel"  # /cancel is neither answered nor heeded
    NO_CATEGORY = "no-category"  # errors come without their category
    STRAY_TAGS = "stray-tags"  # beside each answer, `rows` rows of a tag that nobody gave
    TEMPLATES_WITHHELD = "templates-withheld"  # flows come without their templates for for_s


MOMENTARY = frozenset({FaultKind.REBOOT, FaultKind.COUNTER_RESET, FaultKind.WRAP32, FaultKind.RENAME})


class Fault(BaseModel):
    """One fault, from ``at_s`` after the start, for ``for_s`` or for good."""

    model_config = ConfigDict(extra="forbid")

    kind: FaultKind
    at_s: float = Field(0.0, ge=0, description="When it begins, seconds after the lab's start.")
    for_s: float | None = Field(None, gt=0, description="How long it lasts, seconds; none: for good.")
    doors: list[Door] = Field(
        default_factory=lambda: list(Door),
        min_length=1,
        description="Faults of the wire: which ports are hit.",
    )
    interfaces: list[str] = Field(
        default_factory=lambda: ["*1"], description="Ids of the interfaces that are hit."
    )
    boot_s: float = Field(5.0, ge=0, description="reboot: how long the port refuses, seconds.")
    down_s: float = Field(2.0, gt=0, description="link-flap with every_s: time without link, seconds.")
    every_s: float | None = Field(None, gt=0, description="link-flap: repeat each so many seconds.")
    name: str | None = Field(None, description="rename: the new name.")
    comment: str | None = Field(None, description="rename: the new comment.")
    sessions: int = Field(0, ge=0, description="pppoe-drop: how many stay.")
    load_pct: int = Field(97, ge=0, le=100, description="cpu-high: the load, percent.")
    accept: bool = Field(True, description="black-hole: whether TCP connections are established.")
    delay_s: float = Field(2.0, ge=0, description="slow: wait before each answer, seconds.")
    bytes_per_s: int | None = Field(None, gt=0, description="slow: speed of the answer.")
    message: str = Field("session closed by the router", description="fatal: the reason given.")
    rows: int = Field(10_000_000, gt=0, description="huge, stray-tags: rows of an answer.")
    menu: str = Field("/interface", pattern=r"^(/[a-z0-9-]+)+$", description="menu-silent: which one.")
    only_counts: bool = Field(False, description="menu-silent: only count-only is left unanswered.")
    word_bytes: int = Field(1 << 30, ge=0, lt=1 << 32, description="hugelength: length announced.")

    @model_validator(mode="after")
    def _flap_has_pauses(self) -> Fault:
        if self.every_s is not None and self.every_s <= self.down_s:
            raise ValueError("every_s must be longer than down_s")
        return self


class RouterSpec(BaseModel):
    """One simulated router."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, description="Name, also its /system/identity.")
    version: str = Field("7.16.2", pattern=r"^\d+\.\d+(\.\d+)?$", description="RouterOS version.")
    port: int = Field(0, ge=0, le=65535, description="TCP port; 0: any free one.")
    tls: Tls = Field(Tls.OFF, description="What the API port offers.")
    rest_port: int | None = Field(
        None, ge=0, le=65535, description="TCP port of REST; 0: any free one; none: no web service is on."
    )
    rest_tls: Tls = Field(Tls.OFF, description="What the port of REST offers.")
    snmp_port: int | None = Field(
        None, ge=0, le=65535, description="UDP port of SNMP; 0: any free one; none: SNMP is off."
    )
    community: str = Field("lab-community", description="SNMP: the community that may read.")
    syslog: str | None = Field(
        None, pattern=r"^.+:\d+$", description="HOST:PORT that it sends its log to, over UDP; none: nowhere."
    )
    syslog_form: LogForm = Field(LogForm.BSD, description="How the lines are written.")
    traps: str | None = Field(
        None,
        pattern=r"^.+:\d+$",
        description="HOST:PORT that it sends its SNMP traps to; none: nowhere.",
    )
    trap_version: TrapVersion = Field(TrapVersion.V1, description="The version of SNMP of its traps.")
    address: str | None = Field(
        None,
        description="A loopback address of its own, on which its ports are and from which it sends; none: the lab's.",
    )
    flows: str | None = Field(
        None,
        pattern=r"^.+:\d+$",
        description="HOST:PORT that it sends its flows to, over UDP; none: nowhere.",
    )
    flow_form: FlowForm = Field(FlowForm.NETFLOW9, description="How the flows are sent.")
    flow_rate: float = Field(100.0, gt=0, le=1_000_000, description="Flows a second.")
    flow_sampling: int = Field(
        0,
        ge=0,
        le=16_383,
        description="One of how many packets is looked at; 0: all, and nothing is said of it.",
    )
    username: str = Field("mtd", description="The one user.")
    password: str = Field("lab-password", description="Its password.")
    policies: list[str] = Field(
        default_factory=lambda: ["read", "api", "test", "sniff"],
        description="What the user's group may: ping and the like need test, torch and sniffer need sniff.",
    )
    interfaces: int = Field(30, ge=1, le=4000, description="Lasting interfaces.")
    pppoe: int = Field(0, ge=0, le=20_000, description="Dynamic <pppoe-...> interfaces.")
    sessions: int = Field(
        0, ge=0, le=50_000, description="PPPoE sessions without interfaces, of which some end and begin."
    )
    leases: int = Field(0, ge=0, le=50_000, description="DHCP leases, of which some end and begin.")
    churn_pct: float = Field(
        1.0, ge=0, le=100, description="Sessions and leases that are replaced each time, percent."
    )
    churn_every_s: float = Field(10.0, ge=0.1, description="Seconds between two times.")
    radios: int = Field(0, ge=0, le=2_000, description="Wireless interfaces.")
    caps: int = Field(
        0, ge=0, le=1_000, description="Access points that it controls; then the radios are theirs."
    )
    wireless_clients: int = Field(
        0, ge=0, le=20_000, description="Wireless clients, of which some go and come; with radios."
    )
    wifi: Wifi | None = Field(None, description="The package that its radios are in; none: by version.")
    modems: int = Field(0, ge=0, le=16, description="LTE modems; every second one has 5G.")
    queues: int = Field(0, ge=0, le=20_000, description="Simple queues, and a quarter as many in a tree.")
    hotspot: int = Field(
        0, ge=0, le=20_000, description="Sessions of a hotspot, of which some end and begin."
    )
    vpns: int = Field(0, ge=0, le=1_000, description="Of each kind of tunnel and VPN.")
    tag_first: bool | None = Field(None, description="Whether .tag follows the reply word; none: by version.")
    fault: list[Fault] = Field(default_factory=list, description="What goes wrong, and when.")

    @field_validator("address")
    @classmethod
    def _is_loopback(cls, address: str | None) -> str | None:
        if address is not None and not ipaddress.IPv4Address(address).is_loopback:
            raise ValueError("a router of the lab lives on 127.0.0.0/8")
        return address


class FleetSpec(BaseModel):
    """Many routers alike, in turn of each listed version and TLS mode."""

    model_config = ConfigDict(extra="forbid")

    routers: int = Field(6, ge=0, le=20_000)
    interfaces: int = Field(30, ge=1, le=4000)
    pppoe: int = Field(0, ge=0, le=20_000)
    versions: list[str] = Field(default_factory=lambda: ["6.49.10", "7.16.2"], min_length=1)
    tls: list[Tls] = Field(default_factory=lambda: [Tls.OFF], min_length=1)
    rest_tls: Tls | None = Field(None, description="What a port of REST offers; none: no router has REST.")
    snmp: bool = Field(False, description="Whether the routers have SNMP.")
    syslog: str | None = Field(None, description="HOST:PORT that the routers send their logs to.")
    traps: str | None = Field(None, description="HOST:PORT that the routers send their SNMP traps to.")
    flows: str | None = Field(None, description="HOST:PORT that the routers send their flows to.")
    flow_form: FlowForm = Field(FlowForm.NETFLOW9, description="How the flows are sent.")
    flow_rate: float = Field(100.0, gt=0, le=1_000_000, description="Flows a second, of each router.")
    prefix: str = Field("lab", min_length=1, description="Names are prefix-0001 and so on.")

    def expand(self) -> list[RouterSpec]:
        """Return the routers one by one."""
        return [
            RouterSpec(
                name=f"{self.prefix}-{number + 1:04}",
                version=self.versions[number % len(self.versions)],
                tls=self.tls[number // len(self.versions) % len(self.tls)],
                rest_port=None if self.rest_tls is None else 0,
                rest_tls=self.rest_tls or Tls.OFF,
                snmp_port=0 if self.snmp else None,
                syslog=self.syslog,
                traps=self.traps,
                flows=self.flows,
                flow_form=self.flow_form,
                flow_rate=self.flow_rate,
                interfaces=self.interfaces,
                pppoe=self.pppoe,
            )
            for number in range(self.routers)
        ]


class Scenario(BaseModel):
    """All the routers of a lab run, and the seed of their values."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""
    description: str = ""
    seed: int = Field(1, description="Other seed, other values.")
    own_addresses: bool = Field(
        False, description="Whether each router has a loopback address of its own: 127.64.0.1 and so on."
    )
    fleet: FleetSpec | None = None
    router: list[RouterSpec] = Field(default_factory=list)

    @field_validator("router")
    @classmethod
    def _fixed_ports_differ(cls, routers: list[RouterSpec]) -> list[RouterSpec]:
        ports = [port for router in routers for port in (router.port, router.rest_port) if port]
        if len(set(ports)) != len(ports):
            raise ValueError("two doors have the same port")
        return routers

    @model_validator(mode="after")
    def _names_differ(self) -> Scenario:
        names = [router.name for router in self.routers()]
        if len(set(names)) != len(names):
            raise ValueError("two routers have the same name")
        if not names:
            raise ValueError("no router: give [fleet] or [[router]]")
        return self

    def routers(self) -> list[RouterSpec]:
        """Return the fleet's routers, then those named one by one."""
        found = [*(self.fleet.expand() if self.fleet else []), *self.router]
        if not self.own_addresses:
            return found
        return [
            spec if spec.address else spec.model_copy(update={"address": str(_FIRST_OWN_ADDRESS + number)})
            for number, spec in enumerate(found)
        ]

    def resized(self, routers: int | None, interfaces: int | None) -> Scenario:
        """Return the scenario with another fleet size, or interfaces for all routers."""
        fleet = self.fleet
        if routers is not None or (fleet and interfaces is not None):
            changes = {"routers": routers, "interfaces": interfaces}
            given = {key: value for key, value in changes.items() if value is not None}
            fleet = (fleet or FleetSpec()).model_copy(update=given)
        named = self.router
        if interfaces is not None:
            named = [router.model_copy(update={"interfaces": interfaces}) for router in named]
        return Scenario.model_validate(
            self.model_copy(update={"fleet": fleet, "router": named}).model_dump(mode="json")
        )

    def sending(self, target: str) -> Scenario:
        """Return the scenario with routers that send their logs to HOST:PORT."""
        return self._of_all({"syslog": target})

    def trapping(self, target: str) -> Scenario:
        """Return the scenario with routers that send their SNMP traps to HOST:PORT."""
        return self._of_all({"traps": target})

    def exporting(self, target: str, form: FlowForm | None, rate: float | None) -> Scenario:
        """Return the scenario with routers that send their flows to HOST:PORT, so many a second each."""
        changes = {"flows": target, "flow_form": form, "flow_rate": rate}
        return self._of_all({name: value for name, value in changes.items() if value is not None})

    def _of_all(self, update: dict[str, Any]) -> Scenario:
        fleet = None if self.fleet is None else self.fleet.model_copy(update=update)
        named = [router.model_copy(update=update) for router in self.router]
        return Scenario.model_validate(
            self.model_copy(update={"fleet": fleet, "router": named}).model_dump(mode="json")
        )


def shipped() -> list[str]:
    """Return the names of the scenarios that come with the lab."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load(name_or_path: str | Path) -> Scenario:
    """Read a scenario by its shipped name or from a file."""
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = SHIPPED / f"{name_or_path}.toml"
        if not path.is_file():
            raise ScenarioError(
                f"no scenario {str(name_or_path)!r}: give a .toml file, or one of {', '.join(shipped())}"
            )
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return Scenario.model_validate({"name": path.stem} | data)
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path}: {error}") from error
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ScenarioError("\n".join(lines)) from error
