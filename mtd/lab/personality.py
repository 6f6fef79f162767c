"""What differs between RouterOS versions on the wire."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Old routers take only the challenge login, the others only the plain one.
_PLAIN_LOGIN_SINCE = (6, 43)
_ISO_DATES_SINCE = (7, 10)
_WIFI_SINCE = (7, 13)
_EMPTY_REPLY_SINCE = (7, 18)


@dataclass(frozen=True, slots=True)
class Personality:
    """Behaviour of one RouterOS version."""

    version: tuple[int, ...]
    channel: str
    plain_login: bool
    empty_reply: bool
    tag_first: bool  # .tag right after the reply word, or as the last word
    asked_order: bool  # attributes in .proplist's order, or in the menu's own
    iso_dates: bool
    has_wifi: bool
    login_refusal: bytes

    @property
    def is_v7(self) -> bool:
        """Whether it is RouterOS 7, whose menus differ from 6."""
        return self.version >= (7,)

    @property
    def version_text(self) -> str:
        """Version as ``/system/resource`` shows it."""
        return f"{self.plain_version} ({self.channel})"

    @property
    def plain_version(self) -> str:
        """Version as ``/system/package`` shows it."""
        return ".".join(map(str, self.version))

    def date_time(self, when: datetime.datetime) -> str:
        """Return a time as attributes of rows show it."""
        if self.iso_dates:
            return f"{when:%Y-%m-%d %H:%M:%S}"
        return f"{_MONTHS[when.month - 1]}/{when:%d/%Y %H:%M:%S}"

    def build_time(self, when: datetime.datetime) -> str:
        """Return a time as ``build-time`` shows it: the month is capitalised."""
        text = self.date_time(when)
        return text if self.iso_dates else text.capitalize()


def personality(version: str, tag_first: bool | None = None) -> Personality:
    """Return the behaviour of a version such as "6.49.10".

    Where routers were seen to differ without a known rule (the place of the
    tag, the order of attributes) the two major versions differ, so that
    clients are tried with both.
    """
    number = tuple(int(part) for part in version.split("."))
    plain = number >= _PLAIN_LOGIN_SINCE
    return Personality(
        version=number,
        channel="stable" if number >= (7,) else "long-term",
        plain_login=plain,
        empty_reply=number >= _EMPTY_REPLY_SINCE,
        tag_first=number >= (7,) if tag_first is None else tag_first,
        asked_order=number >= (7,),
        iso_dates=number >= _ISO_DATES_SINCE,
        has_wifi=number >= _WIFI_SINCE,
        login_refusal=b"invalid user name or password (6)" if plain else b"cannot log in",
    )


def duration(seconds: int) -> str:
    """Return a duration as RouterOS prints it, such as "1w2d3h4m5s"; units of nought are left out."""
    parts = []
    for unit, size in (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
