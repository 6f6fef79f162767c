"""What a request is about, for the audit log: names, never values that may be secret."""

from __future__ import annotations

from google.protobuf.message import Message

_NAMING = (
    *("device", "proposal", "subnet", "address", "interface", "table", "kind", "tenant", "site"),
    *("device_group", "user", "token", "collector", "serial", "name", "credential_set", "settings.name"),
)
_MOST = 200


def target_of(request: object) -> str:
    """Return ``device=edge-1 table=dhcp_lease``: those fields that name something, as far as they are set."""
    if not isinstance(request, Message):
        return ""
    found = []
    for path in _NAMING:
        value: object = request
        for part in path.split("."):
            value = getattr(value, part, "")
        if isinstance(value, str) and value:
            found.append(f"{path.rpartition('.')[2]}={value[:_MOST]}")
    return " ".join(found)


def changes_of(request: object) -> dict[str, str]:
    """Return which fields a request changes, by an update mask or by secrets that it brings."""
    if not isinstance(request, Message):
        return {}
    names = {field.name for field, _ in request.ListFields()}
    changed = list(getattr(getattr(request, "update_mask", None), "paths", ()))
    changed += sorted(name for name in names if name in ("password", "secrets"))
    return {"changed": ", ".join(changed)[: _MOST * 5]} if changed else {}
