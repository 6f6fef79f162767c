"""What a request is about, for the audit log: names, never values that may be secret."""

from __future__ import annotations

from google.protobuf.message import Message

_NAMING = (
    *("device", "proposal", "subnet", "address", "interface", "table", "kind", "tenant", "site"),
    *("device_group", "user", "token", "key", "collector", "serial", "name", "credential_set"),
    *("settings.name", "host", "settings.host"),
    *("filter.address", "filter.src_address", "filter.dst_address"),  # of flows: whom somebody looks at
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
            value = "" if _is_secret(value, part) else getattr(value, part, "")
        if isinstance(value, str) and value:
            found.append(f"{path.rpartition('.')[2]}={value[:_MOST]}")
    return " ".join(found)


def _is_secret(message: object, name: str) -> bool:
    """Return whether the protocol says that a field is never to be shown: by ``debug_redact``."""
    if not isinstance(message, Message):
        return False
    field = message.DESCRIPTOR.fields_by_name.get(name)
    return field is not None and bool(field.GetOptions().debug_redact)


def changes_of(request: object) -> dict[str, str]:
    """Return which fields a request changes, by an update mask or by secrets that it brings."""
    if not isinstance(request, Message):
        return {}
    names = {field.name for field, _ in request.ListFields()}
    changed = list(getattr(getattr(request, "update_mask", None), "paths", ()))
    changed += sorted(name for name in names if name in ("password", "secrets"))
    return {"changed": ", ".join(changed)[: _MOST * 5]} if changed else {}
