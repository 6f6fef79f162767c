"""What stands behind the doors of administration has the signatures that they ask for."""

from __future__ import annotations

import pytest

from mtd.api.access.rules import rules_of
from mtd.api.admin_interfaces import TenantBackend, TokenBackend, UserBackend
from mtd.api.grpc.server import DESCRIPTORS
from mtd.api.http.access import ROUTES
from mtd.app.administration import TenantAdmin, UserAdmin, known_scopes
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
