"""Who a person of the identity provider is here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtd.api.login.config import ClaimRule
from mtd.model.principal import Role
from mtd.model.tenant import NAME_CHARACTERS


@dataclass(frozen=True, slots=True)
class Place:
    """What somebody gets: a role, in a tenant by its name or id; none for super-admins."""

    role: Role
    tenant: str


def place_of(claims: Mapping[str, Any], rules: Sequence[ClaimRule]) -> Place | None:
    """Return what the first rule gives that fits; None if none does."""
    for rule in rules:
        if _fits(_claim(claims, rule.claim), rule.value):
            return Place(Role.of_word(rule.role), rule.tenant)
    return None


def name_of(claims: Mapping[str, Any], wanted: Sequence[str]) -> str:
    """Return what somebody is called here."""
    for name in (*wanted, "sub"):
        value = claims.get(name)
        if name == "email" and claims.get("email_verified") is False:
            continue
        if isinstance(value, str):
            shown = "".join(one for one in value if one.isprintable()).strip()[:NAME_CHARACTERS].strip()
            if shown:
                return shown
    return "unnamed"


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """Return a claim: by its whole name, for names may be addresses with dots, or by its parts."""
    if path in claims:
        return claims[path]
    value: Any = claims
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def _fits(given: Any, wanted: str) -> bool:
    if isinstance(given, list):
        return any(_fits(one, wanted) for one in given if not isinstance(one, list))
    if isinstance(given, bool):
        given = "true" if given else "false"
    if isinstance(given, int):
        given = str(given)
    return isinstance(given, str) and given != "" and wanted in (given, "*")
