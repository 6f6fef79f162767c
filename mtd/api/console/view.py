"""What a browser asks for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from mtd.core.errors import Refused

MAX_IN_VIEW = 500

DeviceId = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class View(BaseModel):
    """What is in view: replaces what was."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    op: Literal["view"] = "view"
    devices: list[DeviceId] = Field(default=[], max_length=MAX_IN_VIEW)
    detail: DeviceId | None = None
    rank: bool = False
    events: Literal["all", "view", "none"] = "none"
    after: int | None = Field(default=None, ge=0, le=2**63 - 1)
    """Position up to which events were read."""
    look: int = Field(default=0, ge=0, le=2**53 - 1)
    """Which page asks: another number is another page, which knows nothing yet."""
    self_: bool = Field(default=False, alias="self")


class BadView(Refused):
    """A request that can't be used."""

    hint = "the daemon and the page may be of different versions: load the page again"


def parse_view(text: str) -> View:
    """Return what a message asks for. Raises BadView with all that is wrong."""
    try:
        return View.model_validate_json(text)
    except ValidationError as invalid:
        wrong = [
            f"{'.'.join(map(str, one['loc'])) or 'message'}: {one['msg']}" for one in invalid.errors()[:5]
        ]
        raise BadView("the request can't be used: " + "; ".join(wrong)) from None
