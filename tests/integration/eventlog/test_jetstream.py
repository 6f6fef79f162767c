from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from mtd.eventlog.jetstream.log import JetStreamEventLog
from mtd.testing.nats import NatsServers
from tests.contract.event_log_machine import EventLogMachine
from tests.contract.event_log_suite import EventLogSuite
from tests.integration.eventlog.jetstream_logs import new_log


class TestJetStreamEventLog(EventLogSuite):
    servers: NatsServers

    @pytest.fixture(autouse=True)
    def _use(self, nats_server: NatsServers) -> None:
        self.servers = nats_server

    def new_log(self, folder: Path, **limits: int) -> JetStreamEventLog:
        # Batches of some size take several messages, of which few are on their way at once.
        return new_log(self.servers, folder, {"chunk_bytes": 1024, "max_in_flight_messages": 4}, **limits)


class JetStreamMachine(EventLogMachine):
    servers: NatsServers

    def new_log(self, folder: Path) -> JetStreamEventLog:
        return new_log(self.servers, folder, tail_bytes=600)


@pytest.fixture(autouse=True, scope="module")
def _machine_servers(nats_server: NatsServers) -> None:
    JetStreamMachine.servers = nats_server


TestJetStreamHistories = JetStreamMachine.TestCase
TestJetStreamHistories.settings = settings(max_examples=6, stateful_step_count=20, deadline=None)
