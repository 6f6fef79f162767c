"""SiteService and DeviceGroupService at a real door."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from mtd.api.grpc.places import DeviceGroupServicer, SiteServicer
from mtd.pb.inventory.v1 import device_group_service_pb2 as group_pb
from mtd.pb.inventory.v1 import site_service_pb2 as site_pb
from mtd.pb.inventory.v1.device_group_service_pb2_grpc import DeviceGroupServiceStub
from mtd.pb.inventory.v1.site_service_pb2_grpc import SiteServiceStub
from mtd.testing import run_async
from tests.integration.api.door import CODE, Door, fails, metadata_of, opened


class Kind:
    """One of both services, in the words that they share."""

    def __init__(self, word: str, field: str, messages: Any, stub: Any, servicer: type) -> None:
        self.word, self.field, self._messages, self._stub, self._servicer = (
            word,
            field,
            messages,
            stub,
            servicer,
        )

    async def call(self, door: Door, verb: str, **fields: Any) -> Any:
        name = f"{verb}{self.word}{'s' if verb == 'List' else ''}"
        request = getattr(self._messages, f"{name}Request")(**fields)
        return await getattr(self._stub(door.channel), name)(request, timeout=10)

    def of(self, answer: Any) -> Any:
        return getattr(answer, self.field)

    def backend(self, door: Door) -> Any:
        return next(p.servicer._backend for p in door.api.parts if isinstance(p.servicer, self._servicer))


KINDS = [
    Kind("Site", "site", site_pb, SiteServiceStub, SiteServicer),
    Kind("DeviceGroup", "device_group", group_pb, DeviceGroupServiceStub, DeviceGroupServicer),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.word)
def test_places_are_made_read_changed_and_removed(kind: Kind) -> None:
    async def main() -> None:
        async with opened() as door:
            once = str(uuid.uuid4())
            fields = {"settings": {"name": "a", "labels": {"x": "1"}, "notes": "n"}, "request_id": once}
            made = kind.of(await kind.call(door, "Create", **fields))
            assert kind.of(await kind.call(door, "Create", **fields)) == made
            assert (made.settings.labels["x"], made.revision, made.device_count) == ("1", 1, 0)
            assert made.create_time.seconds > 0
            assert kind.of(await kind.call(door, "Get", **{kind.field: made.id})) == made
            twice = await fails(kind.call(door, "Create", settings={"name": "a"}))
            assert twice.code() is CODE.ALREADY_EXISTS
            change = {
                kind.field: "a",
                "settings": {"name": "b", "notes": "m"},
                "update_mask": FieldMask(paths=["notes"]),
                "revision": 1,
            }
            changed = kind.of(await kind.call(door, "Update", **change))
            assert (changed.settings.name, changed.settings.notes, changed.revision) == ("a", "m", 2)
            assert (await fails(kind.call(door, "Update", **change))).code() is CODE.ABORTED
            idle = await fails(kind.call(door, "Update", **{kind.field: "a"}))
            assert "nothing to change" in idle.details()
            kind.backend(door).used.add("a")
            used = await fails(kind.call(door, "Delete", **{kind.field: "a"}))
            assert used.code() is CODE.FAILED_PRECONDITION
            assert "core-1" in used.details()
            assert metadata_of(used)["mtd-reason"] == "IN_USE"
            kind.backend(door).used.clear()
            await kind.call(door, "Delete", **{kind.field: "a"})
            for verb in ("Get", "Delete"):
                gone = await fails(kind.call(door, verb, **{kind.field: "a"}))
                assert gone.code() is CODE.NOT_FOUND
                nameless = await fails(kind.call(door, verb))
                assert nameless.code() is CODE.INVALID_ARGUMENT

    run_async(main())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.word)
def test_places_are_listed_in_pages(kind: Kind) -> None:
    async def main() -> None:
        async with opened() as door:
            for name in ("c", "a", "b"):
                await kind.call(door, "Create", settings={"name": name})
            names, token = [], ""
            while True:
                page = await kind.call(door, "List", page_size=2, page_token=token)
                names += [place.settings.name for place in getattr(page, f"{kind.field}s")]
                token = page.next_page_token
                if not token:
                    break
            assert names == ["a", "b", "c"]

    run_async(main())
