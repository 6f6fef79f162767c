"""What callers may give to others: never more than they have."""

from __future__ import annotations

from collections.abc import Collection

from mtd.core.errors import Forbidden, Refused
from mtd.model.principal import ANY_SCOPE, Principal, Role


def refuse_higher_role(caller: Principal, role: Role) -> None:
    """Raise Forbidden for a role above the caller's own: to give it, or to touch who has it."""
    if not caller.has_role(role):
        own = "no role" if caller.role is None else f"the role {caller.role.word}"
        raise Forbidden(f"{caller} has {own}, and may not give or change the role {role.word}")


def refuse_users(caller: Principal) -> None:
    """Raise Forbidden for callers that are bound to scopes: users have all of them, and so would they through one."""
    if ANY_SCOPE not in caller.scopes:
        raise Forbidden(
            f"{caller} is bound to scopes: who makes or changes users needs the scope {ANY_SCOPE!r},"
            " as users may be used for everything that their role allows"
        )


def checked_scopes(caller: Principal, scopes: Collection[str], known: Collection[str]) -> list[str]:
    """Return the scopes that a token gets, sorted. Raises Refused for unknown ones, Forbidden for those above the caller's."""
    wanted = sorted(set(scopes))
    if not wanted:
        raise Refused(
            f"scopes: name what the token is for, of {', '.join(sorted(known))}, or {ANY_SCOPE!r} for all"
        )
    unknown = [scope for scope in wanted if scope not in known and scope != ANY_SCOPE]
    if unknown:
        raise Refused(
            f"scopes: {unknown[0][:100]!r} is none of {', '.join(sorted(known))}, or {ANY_SCOPE!r} for all"
        )
    refuse_more_scopes(caller, wanted)
    return wanted


def refuse_more_scopes(caller: Principal, scopes: Collection[str]) -> None:
    """Raise Forbidden for scopes that the caller doesn't have: to give them, or to get at a token that has them."""
    if ANY_SCOPE in caller.scopes:
        return
    more = sorted(set(scopes) - caller.scopes)
    if more:
        raise Forbidden(f"{caller} lacks the scope {more[0]!r}, and may not give it")
