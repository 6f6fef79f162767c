from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mtd.core.errors import Misconfigured
from mtd.eventlog.config import EventLogConfig, JetStreamConfig
from mtd.eventlog.jetstream.stream import log_name


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"servers": ["10.0.0.1:4222"]}, "nats://"),
        ({"servers": []}, "at least 1"),
        ({"servers": ["nats://me:secret-word@10.0.0.1"]}, "password_file"),
        ({"monitoring": ["10.0.0.1:8222"]}, "http://"),
        ({"user": "mtd"}, "go together"),
        ({"tls_key_file": "key.pem"}, "go together"),
        ({"name": "a.b"}, "pattern"),
        ({"replicas": 9}, "less than or equal to 5"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        JetStreamConfig.model_validate(given)


def test_a_log_has_the_name_of_its_hub() -> None:
    assert log_name(EventLogConfig(), "hub-1") == "hub-1"
    assert log_name(EventLogConfig(jetstream=JetStreamConfig(name="other")), "hub 1") == "other"
    with pytest.raises(Misconfigured, match=r"event_log\.jetstream\.name"):
        log_name(EventLogConfig(), "hub 1")


@pytest.mark.parametrize(("servers", "tls"), [(["nats://a"], False), (["nats://a", "tls://b"], True)])
def test_tls_is_used_where_it_is_asked_for(servers: list[str], tls: bool) -> None:
    assert JetStreamConfig(servers=servers).with_tls is tls
