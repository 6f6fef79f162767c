"""What each method of the protocol has to have; those that don't say here why."""

from __future__ import annotations

from typing import Any

import pytest

from mtd.api.grpc.server import DESCRIPTORS

METHODS = [method for service in DESCRIPTORS for method in service.methods]

WITHOUT_PAGES: dict[str, str] = {
    "ListTopFlows": "a ranking: what is beyond its limit comes as one sum",
}
WITHOUT_REQUEST_ID: dict[str, str] = {}
WITHOUT_MASK: dict[str, str] = {}


def named(*beginnings: str) -> list[Any]:
    return [
        pytest.param(method, id=f"{method.containing_service.name}.{method.name}")
        for method in METHODS
        if method.name.startswith(beginnings) and not method.server_streaming
    ]


@pytest.mark.parametrize("method", named("List", "QueryLatest"))
def test_lists_come_in_pages(method: Any) -> None:
    if method.name in WITHOUT_PAGES:
        return
    asked, answered = method.input_type.fields_by_name, method.output_type.fields_by_name
    assert asked["page_size"].cpp_type in (
        asked["page_size"].CPPTYPE_INT32,
        asked["page_size"].CPPTYPE_UINT32,
    )
    assert asked["page_token"].type == asked["page_token"].TYPE_STRING
    assert answered["next_page_token"].type == answered["next_page_token"].TYPE_STRING
    lists = [field for field in method.output_type.fields if field.is_repeated]
    assert lists, "a list has something repeated"


@pytest.mark.parametrize("method", named("Create", "Adopt", "Issue", "Rotate"))
def test_what_makes_something_may_be_sent_again(method: Any) -> None:
    if method.name in WITHOUT_REQUEST_ID:
        return
    assert method.input_type.fields_by_name["request_id"].type == 9


@pytest.mark.parametrize("method", named("Update"))
def test_changes_name_their_fields(method: Any) -> None:
    if method.name in WITHOUT_MASK:
        return
    fields = method.input_type.fields_by_name
    assert fields["update_mask"].message_type.full_name == "google.protobuf.FieldMask"


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_messages_belong_to_one_method(method: Any) -> None:
    assert method.input_type.name == f"{method.name}Request"
    assert method.output_type.name == f"{method.name}Response"


def test_every_paged_method_is_a_list() -> None:
    """The door seals the page tokens of all requests that have one."""
    for method in METHODS:
        if "page_token" in method.input_type.fields_by_name:
            assert not method.client_streaming
            assert not method.server_streaming
            assert "next_page_token" in method.output_type.fields_by_name
            assert "page_size" in method.input_type.fields_by_name
