"""CredentialSetService: logins that devices share. Their secrets go in, and never come out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.api.access.current import tenant_id
from mtd.api.grpc.inventory import DEFAULT_PAGE, MAX_PAGE
from mtd.api.grpc.server import ServicePart
from mtd.api.grpc.types import Context
from mtd.api.interfaces import CredentialsBackend
from mtd.core.errors import Refused
from mtd.model.credentials import Purpose
from mtd.model.pb_enums import CREDENTIAL_PURPOSE
from mtd.pb.inventory.v1 import credential_service_pb2 as pb
from mtd.pb.inventory.v1.credential_service_pb2_grpc import (
    CredentialSetServiceServicer,
    add_CredentialSetServiceServicer_to_server,
)
from mtd.storage.stores.credential_sets import SET_FIELDS, CredentialSet, SetSecret, SetSettings


class CredentialSetServicer(CredentialSetServiceServicer):
    """Checks what callers say and asks the backend."""

    def __init__(self, backend: CredentialsBackend) -> None:
        self._backend = backend

    async def CreateCredentialSet(
        self, request: pb.CreateCredentialSetRequest, context: Context
    ) -> pb.CreateCredentialSetResponse:
        """Add a set."""
        given = request.settings
        if not CREDENTIAL_PURPOSE.knows(given.purpose):
            raise Refused(f"say what the set is for: {', '.join(CREDENTIAL_PURPOSE.words)}")
        made = await self._backend.create(tenant_id(), _settings(given), _secrets(request.secrets))
        return pb.CreateCredentialSetResponse(credential_set=set_message(made))

    async def GetCredentialSet(
        self, request: pb.GetCredentialSetRequest, context: Context
    ) -> pb.GetCredentialSetResponse:
        """Read a set."""
        found = await self._backend.get(tenant_id(), _named(request.credential_set))
        return pb.GetCredentialSetResponse(credential_set=set_message(found))

    async def ListCredentialSets(
        self, request: pb.ListCredentialSetsRequest, context: Context
    ) -> pb.ListCredentialSetsResponse:
        """Read a page of the sets."""
        size = min(request.page_size or DEFAULT_PAGE, MAX_PAGE)
        found = await self._backend.list(tenant_id(), after_name=request.page_token, limit=size + 1)
        page = found[:size]
        return pb.ListCredentialSetsResponse(
            credential_sets=map(set_message, page),
            next_page_token=page[-1].settings.name if len(found) > size else "",
        )

    async def UpdateCredentialSet(
        self, request: pb.UpdateCredentialSetRequest, context: Context
    ) -> pb.UpdateCredentialSetResponse:
        """Change a set."""
        mask = sorted(set(request.update_mask.paths))
        secrets = _secrets(request.secrets)
        if not mask and not secrets:
            raise Refused("nothing to change: name fields in the update mask, or give secrets")
        unknown = sorted(set(mask) - SET_FIELDS)
        if unknown:
            raise Refused(f"{', '.join(unknown)} can't be changed; there are {', '.join(sorted(SET_FIELDS))}")
        changed = await self._backend.update(
            tenant_id(),
            _named(request.credential_set),
            _settings(request.settings),
            mask,
            secrets,
            revision=request.revision,
        )
        return pb.UpdateCredentialSetResponse(credential_set=set_message(changed))

    async def DeleteCredentialSet(
        self, request: pb.DeleteCredentialSetRequest, context: Context
    ) -> pb.DeleteCredentialSetResponse:
        """Remove a set."""
        await self._backend.delete(tenant_id(), _named(request.credential_set))
        return pb.DeleteCredentialSetResponse()


def credential_part(backend: CredentialsBackend) -> ServicePart:
    """Return the service."""
    return ServicePart(add_CredentialSetServiceServicer_to_server, CredentialSetServicer(backend))


def set_message(found: CredentialSet) -> pb.CredentialSet:
    """Return a set as the protocol shows it."""
    settings = found.settings
    return pb.CredentialSet(
        id=found.credential_id,
        settings=pb.CredentialSetSettings(
            name=settings.name,
            purpose=CREDENTIAL_PURPOSE.to_pb(settings.purpose),
            username=settings.username,
            notes=settings.notes,
        ),
        secrets=[
            pb.CredentialSecretState(kind=kind, reference=reference)
            for kind, reference in sorted(found.secrets.items())
        ],
        used_by=found.used_by,
        revision=found.revision,
        create_time=_timestamp(found.created_at),
        update_time=_timestamp(found.updated_at),
    )


def _settings(given: pb.CredentialSetSettings) -> SetSettings:
    purpose = CREDENTIAL_PURPOSE.from_pb(given.purpose, Purpose.READONLY)
    return SetSettings(given.name.strip(), purpose, given.username, given.notes)


def _secrets(given: Iterable[pb.CredentialSecret]) -> Mapping[str, SetSecret]:
    found: dict[str, SetSecret] = {}
    for one in given:
        if one.kind in found:
            raise Refused(f"{one.kind} is given twice")
        found[one.kind] = SetSecret(one.secret, one.reference.strip())
    return found


def _named(name: str) -> str:
    if not name:
        raise Refused("say which set of credentials, by name or id")
    return name


def _timestamp(moment: dt.datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
