"""What the services of administration share: whose things are meant, pages, roles and times."""

from __future__ import annotations

import datetime as dt
from typing import cast

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.api.access.current import principal
from mtd.api.access.grants import refuse_higher_role
from mtd.core.errors import Refused
from mtd.model.principal import Role
from mtd.model.tenant import NO_TENANT_ID
from mtd.pb.common.v1 import access_pb2

_DEFAULT_PAGE = 100
_MAX_PAGE = 1000
_LATEST = dt.datetime(2200, 1, 1, tzinfo=dt.UTC)


def owner(*, super_admin: bool) -> str:
    """Return the tenant whose users and tokens are meant: the caller's, or none for those of super-admins."""
    caller = principal()
    if not super_admin:
        return caller.tenant_id
    refuse_higher_role(caller, Role.SUPER_ADMIN)
    return NO_TENANT_ID


def page_size_of(asked: int) -> int:
    """Return how many entries a page has."""
    return min(asked or _DEFAULT_PAGE, _MAX_PAGE)


def given_role(number: int) -> Role:
    """Return the role that a request names. Raises Refused."""
    try:
        return Role(number)
    except ValueError:
        words = ", ".join(f"ROLE_{role.name}" for role in Role)
        raise Refused(f"role: name one of {words}") from None


def role_message(role: Role) -> access_pb2.Role:
    """Return a role as the protocol shows it."""
    return cast("access_pb2.Role", access_pb2.Role.Value(f"ROLE_{role.name}"))


def timestamp(moment: dt.datetime | None) -> Timestamp | None:
    """Return a time as the protocol shows it."""
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def future_moment(field: str, stamp: Timestamp, now: dt.datetime) -> dt.datetime:
    """Return a time that a request names, which has to be in the future. Raises Refused."""
    try:
        moment = stamp.ToDatetime(tzinfo=dt.UTC)
    except (ValueError, OverflowError):
        raise Refused(f"{field} is no time") from None
    if not now < moment <= _LATEST:
        raise Refused(f"{field} isn't in the future, or too far in it: leave it out for no end")
    return moment
