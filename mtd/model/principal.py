"""Who calls, and what they may do."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Role(enum.IntEnum):
    """What a caller may do within a tenant; each role may do what those before it may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3
    SUPER_ADMIN = 4

    @property
    def word(self) -> str:
        """The role as people write it: ``super-admin``."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def of_word(cls, word: str) -> Role:
        """Return the role of a word. Raises ValueError."""
        for role in cls:
            if role.word == word:
                return role
        raise ValueError(f"{word!r} is no role: use {', '.join(role.word for role in cls)}")


class CallerKind(enum.StrEnum):
    """How a caller proved who it is."""

    LOCAL = "local"
    """A program on the daemon's own machine, trusted as the operator who started it."""
    USER = "user"
    TOKEN = "token"  # noqa: S105
    COLLECTOR = "collector"
    UNKNOWN = "unknown"
    """It proved nothing: only methods that are open take it."""


ANY_SCOPE = "*"


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller that is known, working for one tenant.

    ``caller_id`` is stable where ``name`` may change. ``scopes`` bound what an API token may be used for;
    others have all of them. ``role`` is None for collectors. ``proof`` names what it showed, so that its calls
    end when that does; empty where nothing ends them.
    """

    kind: CallerKind
    name: str
    tenant_id: str
    role: Role | None
    peer: str = ""
    caller_id: str = ""
    scopes: frozenset[str] = frozenset((ANY_SCOPE,))
    proof: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" if self.name else str(self.kind)

    def has_role(self, least: Role) -> bool:
        """Return whether the role suffices."""
        return self.role is not None and self.role >= least

    def has_scope(self, scope: str) -> bool:
        """Return whether the caller may be used for this."""
        return not scope or ANY_SCOPE in self.scopes or scope in self.scopes

    @property
    def crosses_tenants(self) -> bool:
        """Whether the caller may choose the tenant that it works for."""
        return self.role is Role.SUPER_ADMIN
