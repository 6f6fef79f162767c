"""What each method asks of its callers: read from the protocol, where each method has to say it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from mtd.api import metrics
from mtd.core.errors import Bug, Forbidden, Unauthenticated
from mtd.model.principal import CallerKind, Principal, Role
from mtd.pb.common.v1 import access_pb2

_ROLES = {getattr(access_pb2, f"ROLE_{role.name}"): role for role in Role}


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call a method; see ``access.proto``."""

    action: str
    role: Role | None
    scope: str
    audited: bool = False
    collectors: bool = False
    open: bool = False

    def check(self, caller: Principal) -> None:
        """Raise Unauthenticated or Forbidden unless the caller may."""
        if self.open:
            return
        if caller.kind is CallerKind.UNKNOWN:
            metrics.ACCESS_REFUSED.labels(reason="unknown").inc()
            raise Unauthenticated("say who you are: with a token, a client certificate or a login")
        refusal = self._refusal(caller)
        if refusal:
            metrics.ACCESS_REFUSED.labels(reason="role").inc()
            raise Forbidden(refusal)

    def _refusal(self, caller: Principal) -> str:
        if caller.kind is CallerKind.COLLECTOR:
            return "" if self.collectors else f"{self.action} isn't for collectors"
        if not caller.has_scope(self.scope):
            return f"{caller} may not do this: it lacks the scope {self.scope!r}"
        if self.role is None or not caller.has_role(self.role):
            needed = "a collector" if self.role is None else f"the role {self.role.word} or a higher one"
            have = "no role" if caller.role is None else f"the role {caller.role.word}"
            return f"{caller} has {have}: {self.action} needs {needed}"
        return ""


def rule_of(method: MethodDescriptor) -> Rule:
    """Return the rule of a method. Bug if the protocol says none: nobody could call it."""
    options: Any = method.GetOptions()
    if not options.HasExtension(access_pb2.access):
        raise Bug(
            f"{method.full_name} doesn't say who may call it: give it the option mtd.pb.common.v1.access"
        )
    access = options.Extensions[access_pb2.access]
    return Rule(
        action_of(method.containing_service.full_name, method.name),
        _ROLES.get(access.role),
        access.scope,
        access.audited,
        access.collectors,
        access.open,
    )


def action_of(service: str, method: str) -> str:
    """Return a method's name in audit logs and messages: ``inventory.v1.InventoryService/GetDevice``."""
    return f"{service.removeprefix('mtd.pb.')}/{method}"


def rules_of(services: Iterable[ServiceDescriptor]) -> dict[str, Rule]:
    """Return the rules by the methods' paths, as gRPC names them."""
    return {
        f"/{service.full_name}/{method.name}": rule_of(method)
        for service in services
        for method in service.methods
    }
