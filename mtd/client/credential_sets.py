"""Sets of credentials: give what a function here returns to a client's ``ask``.

made = client.ask(credential_sets.create_set("noc", "readonly", username="monitor", secrets={"password": "..."}))
client.update_device("core-1", readonly_credentials="noc")
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.client.errors import MtdClientError
from mtd.client.requests import Call
from mtd.client.values import moment, number_of, word
from mtd.pb.inventory.v1 import credential_service_pb2 as pb

CREDENTIALS = "credentials"
KINDS = ("password", "snmp_community", "snmp_auth_password", "snmp_priv_password")
PURPOSES = ("readonly", "diagnostics", "config-audit")


@dataclass(frozen=True, slots=True)
class CredentialSet:
    """A set. ``secrets``: the reference of each secret that it has; empty where the daemon holds it, encrypted."""

    id: str
    name: str
    purpose: str
    username: str
    notes: str
    secrets: Mapping[str, str]
    used_by: int
    revision: int
    created_at: dt.datetime
    updated_at: dt.datetime


@dataclass(frozen=True, slots=True)
class CredentialSets:
    """A page of sets; an empty token ends the list."""

    sets: Sequence[CredentialSet]
    next_page_token: str


def create_set(
    name: str,
    purpose: str,
    *,
    username: str = "",
    notes: str = "",
    request_id: str = "",
    secrets: Mapping[str, str] | None = None,
    references: Mapping[str, str] | None = None,
) -> Call[CredentialSet]:
    """Build CreateCredentialSet: secrets by their kinds, or ``references`` to where they are kept."""
    request = pb.CreateCredentialSetRequest(
        settings=pb.CredentialSetSettings(
            name=name, purpose=_purpose(purpose), username=username, notes=notes
        ),
        secrets=_secrets(secrets or {}, references or {}),
        request_id=request_id,
    )
    return Call(CREDENTIALS, "CreateCredentialSet", request, lambda answer: _set(answer.credential_set))


def get_set(name: str) -> Call[CredentialSet]:
    """Build GetCredentialSet."""
    request = pb.GetCredentialSetRequest(credential_set=name)
    return Call(CREDENTIALS, "GetCredentialSet", request, lambda answer: _set(answer.credential_set))


def sets(page_size: int = 0, page_token: str = "") -> Call[CredentialSets]:
    """Build ListCredentialSets."""
    request = pb.ListCredentialSetsRequest(page_size=page_size, page_token=page_token)
    return Call(
        CREDENTIALS,
        "ListCredentialSets",
        request,
        lambda answer: CredentialSets(tuple(map(_set, answer.credential_sets)), answer.next_page_token),
    )


def update_set(
    name: str,
    changes: Mapping[str, str],
    *,
    revision: int = 0,
    secrets: Mapping[str, str] | None = None,
    references: Mapping[str, str] | None = None,
) -> Call[CredentialSet]:
    """Build UpdateCredentialSet for ``name``, ``username`` and ``notes``; an empty secret takes it from the set."""
    try:
        settings = pb.CredentialSetSettings(**changes)
    except (ValueError, TypeError) as error:
        raise _unsendable(str(error)) from None
    request = pb.UpdateCredentialSetRequest(
        credential_set=name,
        settings=settings,
        secrets=_secrets(secrets or {}, references or {}),
        revision=revision,
    )
    request.update_mask.paths.extend(sorted(changes))
    return Call(CREDENTIALS, "UpdateCredentialSet", request, lambda answer: _set(answer.credential_set))


def delete_set(name: str) -> Call[None]:
    """Build DeleteCredentialSet. It fails with FAILED_PRECONDITION while devices use the set."""
    request = pb.DeleteCredentialSetRequest(credential_set=name)
    return Call(CREDENTIALS, "DeleteCredentialSet", request, lambda _: None)


def _purpose(text: str) -> Any:
    return number_of(pb.CredentialPurpose, text.replace("-", "_"), "CREDENTIAL_PURPOSE_")


def _secrets(secrets: Mapping[str, str], references: Mapping[str, str]) -> list[pb.CredentialSecret]:
    unknown = sorted((secrets.keys() | references.keys()) - set(KINDS))
    if unknown:
        raise _unsendable(f"a set has no {', '.join(unknown)}; there are {', '.join(KINDS)}")
    found = [pb.CredentialSecret(kind=kind, secret=secret) for kind, secret in secrets.items()]
    return found + [pb.CredentialSecret(kind=kind, reference=text) for kind, text in references.items()]


def _unsendable(why: str) -> MtdClientError:
    return MtdClientError(f"settings that can't be sent: {why}", code="INVALID_ARGUMENT", reason="SETTINGS")


def _set(message: Any) -> CredentialSet:
    settings = message.settings
    purpose = word(pb.CredentialPurpose, settings.purpose, "CREDENTIAL_PURPOSE_")
    return CredentialSet(
        id=message.id,
        name=settings.name,
        purpose=purpose.replace("_", "-"),
        username=settings.username,
        notes=settings.notes,
        secrets={one.kind: one.reference for one in message.secrets},
        used_by=message.used_by,
        revision=message.revision,
        created_at=_time(message.create_time),
        updated_at=_time(message.update_time),
    )


def _time(stamp: Timestamp) -> dt.datetime:
    return moment(stamp.seconds * 1_000_000 + stamp.nanos // 1000)
