"""The lab as a service: many routers in one process, one port each."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mtd.core.errors import Misconfigured, NotFound
from mtd.lab.certificates import Authority
from mtd.lab.control import ControlServer
from mtd.lab.router import LabRouter, Place
from mtd.lab.scenario import Door, Fault, FaultKind, Scenario, Tls, load
from mtd.lab.timeline import AppliedFault
from mtd.lab.world import World

STATE_FORMAT = 1
# Descriptors besides those of the routers: logs, control, the loop's own.
_SPARE_FILES = 256
_CLIENT_MODES = {
    Tls.OFF: "off",
    Tls.CA: "verify",
    Tls.SELF_SIGNED: "pinned",
    Tls.ANONYMOUS: "anonymous",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to reach a simulated router.

    ``tls`` is what the port offers; ``client_tls`` the mode that a careful
    client uses with it: "off", "verify" (by ``ca_file``), "pinned" (by
    ``fingerprint_sha256``) or "anonymous". So do those of REST. The ports of
    REST and of SNMP (UDP) are 0 where there are none.
    """

    name: str
    host: str
    port: int
    tls: str
    client_tls: str
    version: str
    username: str
    password: str
    interfaces: int
    fingerprint_sha256: str = ""
    ca_file: str = ""
    rest_port: int = 0
    rest_tls: str = ""
    rest_client_tls: str = ""
    rest_fingerprint_sha256: str = ""
    snmp_port: int = 0
    community: str = ""


class Lab:
    """Runs a scenario's routers on loopback.

    ``base_port`` numbers the ports of routers that have none of their own
    from there on; without it the kernel chooses. A Lab is started once.
    """

    def __init__(
        self,
        scenario: Scenario | str | Path = "steady",
        *,
        base_port: int | None = None,
        host: str = "127.0.0.1",
        epoch_us: int | None = None,
        control_port: int = 0,
    ) -> None:
        self.scenario = scenario if isinstance(scenario, Scenario) else load(scenario)
        self.world = World(self.scenario, epoch_us)
        self.host = host
        self.routers: dict[str, LabRouter] = {}
        self.endpoints: list[Endpoint] = []
        self._base_port = base_port
        self._control = ControlServer(self, host, control_port)
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def control_port(self) -> int:
        """Port of the control door, on loopback."""
        return self._control.port

    async def start(self) -> list[Endpoint]:
        """Open all ports and return how to reach the routers."""
        _allow_files(4 * len(self.world) + _SPARE_FILES)
        self._folder = tempfile.TemporaryDirectory(prefix="mtd-lab-")
        authority = await asyncio.to_thread(Authority, Path(self._folder.name))
        try:
            for number, truth in enumerate(self.world):
                self._open(number, authority, truth.spec.name)
            await self._control.start()
        except OSError as error:
            await self.stop()
            raise Misconfigured(f"the lab can't open a port: {error.strerror}") from error
        return self.endpoints

    def _open(self, number: int, authority: Authority, name: str) -> None:
        truth = self.world.router(name)
        spec = truth.spec
        host = spec.address or self.host
        tls = authority.server(spec.tls, host)
        port = spec.port or (self._base_port + number if self._base_port else 0)
        api, rest, rest_tls = Place(port, tls.context if tls else None), None, None
        if spec.rest_port is not None:
            rest_tls = authority.server(spec.rest_tls, host)
            rest = Place(spec.rest_port, rest_tls.context if rest_tls else None)
        router = LabRouter(truth, self.world.clock, host, api, rest)
        router.start()
        self.routers[name] = router
        self.endpoints.append(
            Endpoint(
                name=name,
                host=host,
                port=router.port(Door.API),
                tls=spec.tls.value,
                client_tls=_CLIENT_MODES[spec.tls],
                version=spec.version,
                username=spec.username,
                password=spec.password,
                interfaces=spec.interfaces,
                fingerprint_sha256=tls.fingerprint_sha256 if tls else "",
                ca_file=str(authority.ca_file) if Tls.CA in (spec.tls, spec.rest_tls) else "",
                rest_port=router.port(Door.REST),
                rest_tls=spec.rest_tls.value if rest else "",
                rest_client_tls=_CLIENT_MODES[spec.rest_tls] if rest else "",
                rest_fingerprint_sha256=rest_tls.fingerprint_sha256 if rest_tls else "",
                snmp_port=router.port(Door.SNMP),
                community=spec.community if spec.snmp_port is not None else "",
            )
        )

    async def stop(self) -> None:
        """Close all ports and sessions."""
        await self._control.stop()
        for router in self.routers.values():
            router.stop()
        # Aborted transports tell their protocols in the loop's next round.
        await asyncio.sleep(0)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def router(self, name: str) -> LabRouter:
        """Return a router by its name; NotFound if there is none."""
        try:
            return self.routers[name]
        except KeyError:
            raise NotFound(f"the lab has no router {name!r}") from None

    def inject(self, router: str, fault: Fault | FaultKind | str, **settings: Any) -> AppliedFault:
        """Let a fault begin now: a Fault, or a kind with its settings."""
        if not isinstance(fault, Fault):
            fault = Fault.model_validate({"kind": fault} | settings)
        return self.router(router).inject(fault)

    def clear(self, router: str, kind: FaultKind | str | None = None) -> int:
        """End a router's faults, or those of a kind; return how many there were."""
        return self.router(router).clear(None if kind is None else FaultKind(kind))

    def stats(self, router: str | None = None) -> dict[str, dict[str, Any]]:
        """Return router name -> what it did, for one router or for all."""
        names = list(self.routers) if router is None else [self.router(router).name]
        return {name: self.routers[name].state.stats.as_dict() for name in names}

    def flows(self, router: str, dimension: str | None = None) -> dict[str, Any]:
        """Return what a router truly sent of flows: sums of all, and by the keys of a dimension if one is given.

        Of a key: octets, packets (each times the sampling) and flows.
        """
        sender = self.router(router).flow_sender
        if sender is None:
            raise NotFound(f"router {router!r} sends no flows")
        truth = sender.generator.truth
        if dimension is None:
            return truth.as_dict()
        keys = {key: (sums.octets, sums.packets, sums.flows) for key, sums in truth.by(dimension).items()}
        return truth.as_dict() | {"keys": keys}

    def timeline(self) -> list[dict[str, Any]]:
        """Return the faults that were injected live, as ``World.replay`` takes them."""
        return [
            {
                "router": name,
                "fault": applied.fault.model_dump(mode="json"),
                "start_tick": applied.start_tick,
                "end_tick": applied.end_tick,
            }
            for name, router in self.routers.items()
            for applied in router.live
        ]

    def state(self) -> dict[str, Any]:
        """Return what another process needs: endpoints, epoch, scenario, control door."""
        return {
            "format": STATE_FORMAT,
            "epoch_us": self.world.clock.epoch_us,
            "seed": self.scenario.seed,
            "scenario": self.scenario.model_dump(mode="json"),
            "control": {"host": self.host, "port": self.control_port},
            "endpoints": [asdict(endpoint) for endpoint in self.endpoints],
        }

    def write_state(self, path: Path) -> None:
        """Write ``state`` as JSON; a reader sees the whole file or none."""
        draft = path.with_name(path.name + ".part")
        draft.write_text(json.dumps(self.state(), ensure_ascii=False), encoding="utf-8")
        draft.replace(path)


def _allow_files(wanted: int) -> None:
    """Raise the limit of open files as far as it may be, if it is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft != unlimited and soft < wanted:
        target = wanted if hard == unlimited else min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
