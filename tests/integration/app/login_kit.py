"""A console that trusts nobody, before a database: logins as in the daemon, and two tenants to look at."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import websockets
from prometheus_client import CollectorRegistry

from mtd.api.access.gate import Gate
from mtd.api.console.drops import DropsPage
from mtd.api.console.flows import FlowPages
from mtd.api.console.pages import ConsolePages
from mtd.api.console.parts import ConsoleParts
from mtd.api.console.reading import Reading
from mtd.api.console.static import Assets
from mtd.api.console.worlds import Worlds
from mtd.api.http.device_metrics import DeviceMetrics
from mtd.api.http.prometheus_pages import PrometheusPages
from mtd.api.http.roster import Rosters
from mtd.api.http.server import HttpServer
from mtd.api.interfaces import DevicePage
from mtd.app.config import Settings
from mtd.app.identity import Identity
from mtd.app.logins import Logins
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import NotFound
from mtd.model.audit import AuditEntry
from mtd.model.device import DEFAULT_TENANT_ID, DeviceStatus
from mtd.model.metric import DEFAULT_INTERVAL_S
from mtd.model.principal import Role
from mtd.model.tenant import NO_TENANT_ID
from mtd.queries.logs import LogFilter, LogLineView
from mtd.queries.records import DeviceDetail, DeviceView, FleetRow, HealthHistory, RangeAnswer, StoredEvent
from mtd.storage.pool import Database
from mtd.storage.stores.device_settings import DeviceSettings
from mtd.storage.stores.tokens import NewToken
from mtd.storage.stores.users import NewUser
from tests.integration.app.identity_kit import CHEAP
from tests.integration.app.pushed_kit import TenantFlows, TenantPushed
from tests.unit.api.console.kit import ROUTER, process, row
from tests.unit.api.fakes import (
    CATALOGUE,
    FakeReadiness,
    FakeTelemetry,
    context,
    declared,
    device,
    event,
    frame,
    numbered,
)

PASSWORD = "correct horse battery"
A_DEVICE, B_DEVICE = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000001"
A_NAME, B_NAME = "router-of-alpha", "router-of-beta"


class Audit:
    """Keeps entries."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    def ready(self) -> None:
        """Take whatever comes."""

    def record(self, entry: AuditEntry) -> asyncio.Future[None]:
        self.entries.append(entry)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def of(self, action: str) -> list[AuditEntry]:
        """Return the entries of an action."""
        return [entry for entry in self.entries if entry.action == action]


class TenantReads:
    """What PostgreSQL would say of two tenants, each with one device."""

    def __init__(self) -> None:
        self.owner = {A_DEVICE: "", B_DEVICE: ""}

    def _check(self, tenant_id: str, device_id: str) -> None:
        if self.owner.get(device_id) != tenant_id:
            raise NotFound(f"there is no device {device_id!r}")

    def _ids(self, tenant_id: str) -> list[str]:
        return [one for one, owner in self.owner.items() if owner == tenant_id]

    def view(self, device_id: str) -> DeviceView:
        name = A_NAME if device_id == A_DEVICE else B_NAME
        settings = DeviceSettings(name, f"{name}.example.net", "mtd")
        return DeviceView(
            device_id, self.owner[device_id], settings, 1, 1, 1, DeviceStatus.UP, "polled in time"
        )

    async def list_page(self, tenant_id: str, page_size: int, page_token: str) -> DevicePage:
        return DevicePage([self.view(one) for one in self._ids(tenant_id)])

    async def fleet(self, tenant_id: str) -> Sequence[FleetRow]:
        return [row(one, A_NAME if one == A_DEVICE else B_NAME) for one in self._ids(tenant_id)]

    async def device(self, tenant_id: str, device_id: str) -> DeviceDetail:
        self._check(tenant_id, device_id)
        return DeviceDetail(self.view(device_id), "", "", (), ())

    async def events_before(
        self, tenant_id: str, before: int | None, limit: int, device_id: str | None = None
    ) -> Sequence[StoredEvent]:
        if device_id is not None:
            self._check(tenant_id, device_id)
        found = [
            replace(event(7, device_id=one), device_name=self.view(one).settings.name)
            for one in self._ids(tenant_id)
        ]
        return found[:limit]

    async def history(
        self,
        tenant_id: str,
        device_id: str,
        metrics: Sequence[str],
        start_us: int,
        end_us: int,
        max_points: int,
    ) -> RangeAnswer:
        self._check(tenant_id, device_id)
        return RangeAnswer((), 0)

    async def log_lines(
        self, tenant_id: str, wanted: LogFilter, after: str, limit: int
    ) -> Sequence[LogLineView]:
        for one in wanted.devices:
            self._check(tenant_id, one)
        return []

    async def health(self, tenant_id: str, device_id: str, start_us: int, end_us: int) -> HealthHistory:
        self._check(tenant_id, device_id)
        return HealthHistory(start_us, end_us, [], [])


@dataclass
class Answer:
    """An answer of the door."""

    status: int
    headers: dict[str, str]
    body: bytes
    cookies: list[str] = field(default_factory=list)

    def json(self) -> Any:
        """Return its body, which is JSON."""
        return json.loads(self.body)


class Browser:
    """Keeps cookies, and sends what browsers send. ``headers`` go along with each request."""

    def __init__(self, port: int, **headers: str) -> None:
        self.port = port
        self.jar: dict[str, str] = {}
        self.headers = headers
        self.csrf = ""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """Send a request; take the cookies that come back."""
        given_too = {name.replace("_", "-"): value for name, value in {**self.headers, **headers}.items()}
        lines = {"host": self.host, "connection": "close", **given_too}
        if self.jar:
            lines["cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        if body:
            lines["content-length"] = str(len(body))
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
        writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        raw = await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        top, _, content = raw.partition(b"\r\n\r\n")
        status, *given = top.decode().split("\r\n")
        pairs = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in given)]
        answer = Answer(int(status.split()[1]), dict(pairs), content)
        for name, value in pairs:
            if name == "set-cookie":
                answer.cookies.append(value)
                self._keep(value)
        return answer

    def _keep(self, cookie: str) -> None:
        name, _, value = cookie.partition(";")[0].partition("=")
        if "max-age=0" in cookie.lower():
            self.jar.pop(name, None)
        else:
            self.jar[name] = value

    async def get(self, path: str, **headers: str) -> Answer:
        """Ask for a page."""
        return await self.ask("GET", path, **headers)

    async def post(self, path: str, given: Any, **headers: str) -> Answer:
        """Send JSON as a page of ours does."""
        ours = {"origin": f"http://{self.host}", "content-type": "application/json", "x-mtd-csrf": self.csrf}
        given_too = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("POST", path, json.dumps(given).encode(), **{**ours, **given_too})

    async def log_in(self, name: str, password: str = PASSWORD, tenant: str = "") -> Answer:
        """Log in as the login page does."""
        self.csrf = (await self.get("/console/api/v1/login")).json()["csrf"]
        answer = await self.post(
            "/console/api/v1/login", {"name": name, "password": password, "tenant": tenant}
        )
        if answer.status == 200:
            self.csrf = (await self.me())["csrf"]
        return answer

    async def me(self) -> Any:
        """Return who one is."""
        answer = await self.get("/console/api/v1/me")
        assert answer.status == 200, answer
        return answer.json()

    def live(self) -> websockets.connect:
        """Open the live channel."""
        shown = (
            {"Cookie": "; ".join(f"{name}={value}" for name, value in self.jar.items())} if self.jar else {}
        )
        shown |= {name.replace("_", "-"): value for name, value in self.headers.items()}
        return websockets.connect(f"ws://{self.host}/console/live", additional_headers=shown, max_size=None)


class House:
    """A console with two tenants: ``alpha`` is the first one, ``beta`` another. Each has a device, and users."""

    def __init__(self, identity: Identity, logins: Logins, writer: Database) -> None:
        self.identity = identity
        self.logins = logins
        self.writer = writer
        self.audit = Audit()
        self.reads = TenantReads()
        self.server: HttpServer
        self.worlds: Worlds
        self.beta = ""

    def browser(self, **headers: str) -> Browser:
        """Return a new browser."""
        return Browser(self.server.port, **headers)

    async def user(self, tenant_id: str, name: str, role: Role = Role.VIEWER) -> str:
        """Add a user; return its id."""
        hashed = await self.identity.passwords.hash(PASSWORD)
        return (await self.identity.users.create(tenant_id, NewUser(name, role), hashed)).user_id

    async def token(self, tenant_id: str, role: Role, *scopes: str) -> str:
        """Add a token; return its secret."""
        new = NewToken(f"{role.word} {' '.join(scopes) or 'all'}", role, scopes or ("*",), "test")
        return (await self.identity.tenancy.tokens.create(tenant_id, new))[1].text

    async def furnish(self) -> None:
        """Add tenants, users and devices."""
        self.beta = (await self.identity.tenancy.tenants.create("beta")).tenant_id
        await self.identity.tenancy.welcome_new()
        self.reads.owner = {A_DEVICE: DEFAULT_TENANT_ID, B_DEVICE: self.beta}
        await self.user(DEFAULT_TENANT_ID, "ann")
        await self.user(self.beta, "ben")
        await self.user(NO_TENANT_ID, "root", Role.SUPER_ADMIN)

    def build(self, stored: FakeTelemetry) -> None:
        """Join the parts as the daemon does."""
        api = context(stored)
        config = self.logins_settings.console
        hub = api.hub
        hub.apply_devices(
            [
                replace(device(one, name), tenant_id=self.reads.owner[one])
                for one, name in ((A_DEVICE, A_NAME), (B_DEVICE, B_NAME))
            ]
        )
        for one, tenant_id in self.reads.owner.items():
            told: dict[str, Any] = {"device_id": one, "tenant_id": tenant_id}
            values: dict[str, Any] = {
                "counters": (1, 2, 3),
                "rates": (1.0,) * 9,
                "gauges": (7.0, 1.0, 2.0, 3.0),
            }
            at = SYSTEM_CLOCK.now_us()
            hub.publish(
                numbered(
                    declared(ROUTER, **told),
                    frame(at, layout=ROUTER, **values, **told),
                )
            )
        self.feeds = api.feeds
        self.pages = ConsolePages(config, Assets())
        parts = ConsoleParts(hub, api.feeds, stored, self.reads, process(), dict)
        self.worlds = Worlds(parts, config)
        intervals = {tier.value: seconds for tier, seconds in DEFAULT_INTERVAL_S.items()}
        names = {A_DEVICE: A_NAME, B_DEVICE: B_NAME}
        flows, pushed = (kind(self.reads.owner, names) for kind in (TenantFlows, TenantPushed))
        more = {
            **FlowPages(flows, self.reads, self.logins_settings.database.retention).pages,
            **DropsPage(pushed, "here").pages,
        }
        reading = Reading(
            self.reads, CATALOGUE, self.worlds.own, lambda: intervals, config.deadline_s, more=more
        )
        self.server = HttpServer(
            FakeReadiness(),
            self.logins_settings.http,
            CollectorRegistry(),
            self.logins.doorkeeper,
            self.logins.public_host,
        )
        self.server.mount(self.logins.pages)
        self.server.mount(self.pages)
        metrics = DeviceMetrics(
            hub, CATALOGUE, self.logins_settings.http, SYSTEM_CLOCK, lambda: dict(DEFAULT_INTERVAL_S)
        )
        self.server.mount(PrometheusPages(Rosters(self.reads, SYSTEM_CLOCK), metrics))  # type: ignore[arg-type]
        self.serve = lambda: self.pages.serve(self.worlds, reading, self.logins.visits.visit)

    logins_settings: Settings


@asynccontextmanager
async def house(dsn: str, **sections: Any) -> AsyncIterator[House]:
    """Open a console on a database."""
    security = {"trust_loopback": False, "passwords": CHEAP, **sections.pop("security", {})}
    settings = Settings.model_validate({"security": security, "http": {"port": 0}, **sections})
    doors, writer = Database.for_queries(dsn), Database.for_writing(dsn)
    await doors.start()
    await writer.start()
    identity = Identity(doors, writer, settings, CATALOGUE)
    await identity.start()
    made = House(identity, Logins(settings), writer)
    made.logins_settings = settings
    await made.furnish()
    made.build(FakeTelemetry())
    await made.pages.start()
    await made.server.start()
    await made.logins.start(writer, identity, made.audit)
    made.worlds.start()
    made.serve()
    assert isinstance(made.logins.doorkeeper.gate, Gate)
    try:
        yield made
    finally:
        await made.worlds.stop()
        await made.logins.stop()
        await made.feeds.stop()
        await made.server.stop()
        await identity.stop()
        await doors.stop()
        await writer.stop()
