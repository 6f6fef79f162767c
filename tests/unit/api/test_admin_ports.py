"""What stands behind the doors of administration has the signatures that they ask for."""

from __future__ import annotations

from typing import Any

import pytest

from mtd.api.access.rules import rules_of
from mtd.api.admin_interfaces import TenantBackend, TokenBackend, UserBackend
from mtd.api.grpc.repeats import is_secret
from mtd.api.grpc.server import DESCRIPTORS
from mtd.api.http.access import ROUTES
from mtd.app.administration import TenantAdmin, UserAdmin, known_scopes
from mtd.pb.admin.v1 import token_service_pb2, user_service_pb2
from mtd.storage.stores.tokens import TokenStore
from tests.unit.api.fakes import assert_same_signatures


@pytest.mark.parametrize(
    ("port", "backend"),
    [(TenantBackend, TenantAdmin), (UserBackend, UserAdmin), (TokenBackend, TokenStore)],
)
def test_backends_have_the_signatures_of_their_ports(port: type, backend: type) -> None:
    assert_same_signatures(port, backend)


def test_a_token_may_be_given_the_scope_of_every_method_and_page() -> None:
    scopes = known_scopes(rules_of(DESCRIPTORS).values())
    wanted = {rule.scope for rule in rules_of(DESCRIPTORS).values()} | {
        access.rule.scope for access in ROUTES.values()
    }
    assert wanted - {""} <= scopes
    assert "ingest.write" in scopes


@pytest.mark.parametrize(
    ("message", "names"),
    [
        (token_service_pb2.CreateTokenResponse, {"secret"}),
        (token_service_pb2.RotateTokenResponse, {"secret"}),
        (user_service_pb2.CreateUserRequest, {"password"}),
        (user_service_pb2.SetPasswordRequest, {"password", "old_password"}),
    ],
)
def test_the_protocol_marks_what_is_secret(message: Any, names: set[str]) -> None:
    """So that it is neither kept for a repeated request nor shown."""
    assert {field.name for field in message.DESCRIPTOR.fields if is_secret(field)} == names
