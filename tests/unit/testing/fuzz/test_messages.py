"""What is sent to a daemon to see whether it keeps its composure."""

from __future__ import annotations

import ipaddress

import pytest
from google.protobuf.descriptor import MethodDescriptor

from mtd.api.grpc.server import DESCRIPTORS
from mtd.testing.fuzz.messages import random_message, request_bytes
from mtd.testing.fuzz.values import HOSTS, Values

METHODS = [method for service in DESCRIPTORS for method in service.methods]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_each_method_gets_good_and_broken_requests(method: MethodDescriptor) -> None:
    from google.protobuf import message_factory
    from google.protobuf.message import DecodeError

    kind = message_factory.GetMessageClass(method.input_type)
    good = broken = 0
    for seed in range(200):
        try:
            kind.FromString(request_bytes(method, Values(seed)))
        except DecodeError:
            broken += 1
        else:
            good += 1
    assert good > 50
    assert broken > 2


def test_a_seed_gives_the_same_again() -> None:
    for method in METHODS:
        assert request_bytes(method, Values(7)) == request_bytes(method, Values(7))


def test_a_message_has_all_of_its_fields_some_time() -> None:
    kind = METHODS[0].input_type
    seen = {field.name for seed in range(200) for field, _ in random_message(kind, Values(seed)).ListFields()}
    assert seen == {field.name for field in kind.fields}


def test_hosts_are_on_this_machine_or_nowhere() -> None:
    for host in HOSTS:
        try:
            assert ipaddress.ip_network(host).is_loopback
        except ValueError:
            assert not host or not host.isalnum() or len(host) > 253
