"""The whole configuration: one section for each component, and the daemon's own."""

from __future__ import annotations

import enum
import os
import socket
from collections.abc import Mapping, Set
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, field_validator, model_validator

from mtd.api.config import GrpcConfig, HttpConfig
from mtd.api.console.config import ConsoleConfig
from mtd.api.login.config import ENVIRONMENT as LOGIN_NAMES
from mtd.api.login.config import LoginConfig, LoginMode, OidcConfig
from mtd.api.tls.config import TlsMode
from mtd.app.auditing.config import AuditConfig
from mtd.app.doctor_config import DoctorConfig
from mtd.app.neighbours_config import NeighboursConfig
from mtd.app.slo.config import SloConfig
from mtd.coordination.config import CoordinationConfig
from mtd.core.report import ENVIRONMENT as LOG_NAMES
from mtd.core.report import LogConfig
from mtd.core.tracing.config import TracingConfig
from mtd.diagnostics.config import DiagnosticsConfig
from mtd.discovery.config import DiscoveryConfig
from mtd.eventlog.config import Backend, EventLogConfig
from mtd.forwarding.config import ForwardConfig, HubConfig
from mtd.ingest.config import ENVIRONMENT as INGEST_NAMES
from mtd.ingest.config import IngestConfig
from mtd.ingest.pressure.config import PressureConfig
from mtd.link.config import LinkConfig
from mtd.listeners.flows.config import FlowsConfig
from mtd.listeners.syslog.config import SyslogConfig
from mtd.listeners.traps.config import TrapsConfig
from mtd.model.tenant import NAME_CHARACTERS, name_problem
from mtd.plugin.config import PluginConfig, T0Config
from mtd.projections.config import ProjectionsConfig
from mtd.queries.config import QueriesConfig
from mtd.scheduler.config import SchedulerConfig
from mtd.security.config import CertificatesConfig, PrivacyConfig, SecurityConfig
from mtd.sources.rest.config import RestConfig
from mtd.sources.routeros_api.config import RouterOsApiConfig
from mtd.sources.snmp.config import SnmpConfig
from mtd.storage.config import ENVIRONMENT as DATABASE_NAMES
from mtd.storage.config import StorageConfig

HUBS_ONLY = frozenset(
    {"slo", "database", "projections", "queries", "grpc", "login", "oidc", "console", "privacy"}
)
"""Sections that a collector has no use for."""

COLLECTORS_ONLY = frozenset({"hub", "forward"})
"""Sections that others have no use for."""

MASTER_KEY_FILE_VARIABLE = "ENCRYPTION_MASTER_KEY_FILE"


class RoleName(enum.StrEnum):
    """What a process of mtd does."""

    ALL = "all"
    HUB = "hub"
    COLLECTOR = "collector"


class DaemonConfig(BaseModel):
    """The process as a whole."""

    model_config = ConfigDict(extra="forbid")

    role: RoleName = Field(
        default=RoleName.ALL,
        description="all: polls routers and serves what they told. hub: serves, and leaves polling to others. collector: "
        "polls at the edge, without a database, and sends what routers told to its hub; see docs/edges.md.",
    )
    data_dir: Path = Field(
        default=Path("var/mtd"),
        description="Folder of everything that the daemon keeps: event log, master key, embedded PostgreSQL.",
    )
    collector_id: str = Field(
        default_factory=socket.gethostname,
        description="Name of this collector, stamped on all that it observes; the host's name by default.",
    )
    tenant: str = Field(
        default="",
        max_length=NAME_CHARACTERS,
        description="Name of the only tenant that this daemon serves, for a database of its own; it is made if there is"
        " none of this name. All tenants if empty.",
    )
    drain_timeout_s: PositiveFloat = Field(
        default=4.0, description="Time that SIGTERM leaves to write down what was observed, seconds."
    )

    @field_validator("tenant")
    @classmethod
    def _a_name(cls, name: str) -> str:
        if name and (problem := name_problem(name)):
            raise ValueError(problem)
        return name


class Settings(BaseModel):
    """The configuration file: each field is a section."""

    model_config = ConfigDict(extra="forbid")

    environment_names: ClassVar[Mapping[str, str]] = {
        **LOG_NAMES,
        **DATABASE_NAMES,
        **LOGIN_NAMES,
        **INGEST_NAMES,
    }
    """Names of the environment beside MTD__SECTION__KEY, and which settings they are."""

    daemon: DaemonConfig = Field(default_factory=DaemonConfig, description="The process as a whole.")
    log: LogConfig = Field(default_factory=LogConfig, description="What the process writes about itself.")
    tracing: TracingConfig = Field(
        default_factory=TracingConfig, description="Traces of mtd itself, over OpenTelemetry."
    )
    scheduler: SchedulerConfig = Field(default_factory=SchedulerConfig, description="How routers are polled.")
    routeros_api: RouterOsApiConfig = Field(
        default_factory=RouterOsApiConfig, description="Sessions over the RouterOS API."
    )
    t0: T0Config = Field(default_factory=T0Config, description="What is read of a router at the live tier.")
    rest: RestConfig = Field(default_factory=RestConfig, description="REST of routers, as a second way.")
    snmp: SnmpConfig = Field(default_factory=SnmpConfig, description="SNMP of routers, as the last way.")
    plugins: PluginConfig = Field(default_factory=PluginConfig, description="Collector plugins.")
    ingest: IngestConfig = Field(default_factory=IngestConfig, description="The door into the event log.")
    pressure: PressureConfig = Field(
        default_factory=PressureConfig,
        description="What is polled less while PostgreSQL, or the hub, is behind.",
    )
    event_log: EventLogConfig = Field(default_factory=EventLogConfig, description="The event log.")
    database: StorageConfig = Field(default_factory=StorageConfig, description="PostgreSQL.")
    projections: ProjectionsConfig = Field(
        default_factory=ProjectionsConfig, description="From the event log to PostgreSQL."
    )
    queries: QueriesConfig = Field(
        default_factory=QueriesConfig, description="What readers of one tenant may ask for."
    )
    coordination: CoordinationConfig = Field(
        default_factory=CoordinationConfig, description="Who polls what, and how soon others take over."
    )
    link: LinkConfig = Field(
        default_factory=LinkConfig, description="The link between edges and hubs, of either end."
    )
    neighbours: NeighboursConfig = Field(
        default_factory=NeighboursConfig, description="Other hubs on the same database; see docs/hubs.md."
    )
    discovery: DiscoveryConfig = Field(
        default_factory=DiscoveryConfig, description="Devices that the inventory may not have."
    )
    syslog: SyslogConfig = Field(
        default_factory=SyslogConfig, description="Lines of routers' logs, as they send them."
    )
    flows: FlowsConfig = Field(
        default_factory=FlowsConfig, description="NetFlow, IPFIX and sFlow, as routers send them."
    )
    traps: TrapsConfig = Field(
        default_factory=TrapsConfig, description="SNMP traps and informs, as routers send them."
    )
    diagnostics: DiagnosticsConfig = Field(
        default_factory=DiagnosticsConfig, description="Tools that routers run on demand."
    )
    security: SecurityConfig = Field(default_factory=SecurityConfig, description="Keys.")
    slo: SloConfig = Field(
        default_factory=SloConfig, description="What is promised of mtd as a service, and how it is measured."
    )
    audit: AuditConfig = Field(default_factory=AuditConfig, description="The audit log: who did what.")
    doctor: DoctorConfig = Field(
        default_factory=DoctorConfig, description="What `mtd doctor` takes for good."
    )
    privacy: PrivacyConfig = Field(default_factory=PrivacyConfig, description="What is kept of subscribers.")
    certificates: CertificatesConfig = Field(
        default_factory=CertificatesConfig, description="The internal CA, and what it signs."
    )
    grpc: GrpcConfig = Field(default_factory=GrpcConfig, description="The gRPC door.")
    http: HttpConfig = Field(default_factory=HttpConfig, description="Health and metrics.")
    login: LoginConfig = Field(default_factory=LoginConfig, description="How people log in to the console.")
    oidc: OidcConfig = Field(
        default_factory=OidcConfig, description="The identity provider: OpenID Connect, for login.mode oidc."
    )
    console: ConsoleConfig = Field(default_factory=ConsoleConfig, description="The browser console.")
    hub: HubConfig = Field(default_factory=HubConfig, description="Collectors: where the hub is.")
    forward: ForwardConfig = Field(
        default_factory=ForwardConfig, description="Collectors: how the log is copied to the hub."
    )

    @model_validator(mode="after")
    def _queries_have_connections(self) -> Settings:
        most, connections = self.queries.max_concurrent, self.database.query_pool_size
        if most > connections:
            if "max_concurrent" in self.queries.model_fields_set:
                raise ValueError(
                    f"queries.max_concurrent is {most}, but database.query_pool_size is {connections}: no more run"
                    " at a time than there are connections"
                )
            self.queries = self.queries.model_copy(update={"max_concurrent": connections})
        return self

    def _set_of(self, sections: Set[str]) -> list[str]:
        """Return those of some sections in which something isn't as it is by default."""
        fields = type(self).model_fields
        return sorted(
            name
            for name in sections & self.model_fields_set
            if getattr(self, name) != fields[name].get_default(call_default_factory=True)
        )

    @model_validator(mode="after")
    def _roles_have_what_they_need(self) -> Settings:
        if self.daemon.role is RoleName.COLLECTOR:
            if misplaced := self._set_of(HUBS_ONLY):
                raise ValueError(
                    f"a collector (daemon.role) has no database and serves no callers: remove [{'], ['.join(misplaced)}]"
                )
            if self.event_log.backend is not Backend.SQLITE:
                raise ValueError("a collector keeps its log in a file: event_log.backend is sqlite there")
            if self.http.tls.mode is TlsMode.INTERNAL:
                raise ValueError(
                    "a collector has no CA of its own: http.tls.mode can't be internal, files can"
                )
        elif misplaced := self._set_of(COLLECTORS_ONLY):
            raise ValueError(
                f"[{'], ['.join(misplaced)}] is for collectors, but daemon.role is {self.daemon.role.value}"
            )
        return self

    @model_validator(mode="after")
    def _logins_have_a_provider(self) -> Settings:
        if self.login.mode is LoginMode.OIDC and not self.oidc.issuer:
            raise ValueError("login.mode is oidc: set oidc.issuer and oidc.client_id")
        return self

    def of_tenant(self, tenant_id: str) -> Settings:
        """Return the settings of a daemon that serves one tenant: what it tells of itself is that tenant's."""
        return self.model_copy(update={"ingest": self.ingest.model_copy(update={"own_tenant_id": tenant_id})})

    @property
    def event_log_path(self) -> Path:
        """Return the file of the event log: below the data folder unless it is absolute."""
        return self.daemon.data_dir / self.event_log.path

    @property
    def authority_path(self) -> Path:
        """Return the folder of the internal CA: below the data folder unless it is absolute."""
        return self.daemon.data_dir / self.certificates.folder

    @property
    def identity_path(self) -> Path:
        """Return the folder with the certificate by which this collector is known to its hub."""
        return self.daemon.data_dir / "identity"

    @property
    def master_key_path(self) -> Path:
        """Return the file of the master keys: the one that is set, else the one that the environment names."""
        named = os.environ.get(MASTER_KEY_FILE_VARIABLE)
        return self.security.master_key_file or (
            Path(named) if named else self.daemon.data_dir / "master.key"
        )
