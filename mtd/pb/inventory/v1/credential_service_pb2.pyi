import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from mtd.pb.common.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CredentialPurpose(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CREDENTIAL_PURPOSE_UNSPECIFIED: _ClassVar[CredentialPurpose]
    CREDENTIAL_PURPOSE_READONLY: _ClassVar[CredentialPurpose]
    CREDENTIAL_PURPOSE_DIAGNOSTICS: _ClassVar[CredentialPurpose]
    CREDENTIAL_PURPOSE_CONFIG_AUDIT: _ClassVar[CredentialPurpose]
CREDENTIAL_PURPOSE_UNSPECIFIED: CredentialPurpose
CREDENTIAL_PURPOSE_READONLY: CredentialPurpose
CREDENTIAL_PURPOSE_DIAGNOSTICS: CredentialPurpose
CREDENTIAL_PURPOSE_CONFIG_AUDIT: CredentialPurpose

class CredentialSetSettings(_message.Message):
    __slots__ = ("name", "purpose", "username", "notes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    purpose: CredentialPurpose
    username: str
    notes: str
    def __init__(self, name: _Optional[str] = ..., purpose: _Optional[_Union[CredentialPurpose, str]] = ..., username: _Optional[str] = ..., notes: _Optional[str] = ...) -> None: ...

class CredentialSecret(_message.Message):
    __slots__ = ("kind", "secret", "reference")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    secret: str
    reference: str
    def __init__(self, kind: _Optional[str] = ..., secret: _Optional[str] = ..., reference: _Optional[str] = ...) -> None: ...

class CredentialSecretState(_message.Message):
    __slots__ = ("kind", "reference")
    KIND_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    reference: str
    def __init__(self, kind: _Optional[str] = ..., reference: _Optional[str] = ...) -> None: ...

class CredentialSet(_message.Message):
    __slots__ = ("id", "settings", "secrets", "used_by", "revision", "create_time", "update_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    USED_BY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    settings: CredentialSetSettings
    secrets: _containers.RepeatedCompositeFieldContainer[CredentialSecretState]
    used_by: int
    revision: int
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., settings: _Optional[_Union[CredentialSetSettings, _Mapping]] = ..., secrets: _Optional[_Iterable[_Union[CredentialSecretState, _Mapping]]] = ..., used_by: _Optional[int] = ..., revision: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateCredentialSetRequest(_message.Message):
    __slots__ = ("settings", "secrets", "request_id")
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    settings: CredentialSetSettings
    secrets: _containers.RepeatedCompositeFieldContainer[CredentialSecret]
    request_id: str
    def __init__(self, settings: _Optional[_Union[CredentialSetSettings, _Mapping]] = ..., secrets: _Optional[_Iterable[_Union[CredentialSecret, _Mapping]]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateCredentialSetResponse(_message.Message):
    __slots__ = ("credential_set",)
    CREDENTIAL_SET_FIELD_NUMBER: _ClassVar[int]
    credential_set: CredentialSet
    def __init__(self, credential_set: _Optional[_Union[CredentialSet, _Mapping]] = ...) -> None: ...

class GetCredentialSetRequest(_message.Message):
    __slots__ = ("credential_set",)
    CREDENTIAL_SET_FIELD_NUMBER: _ClassVar[int]
    credential_set: str
    def __init__(self, credential_set: _Optional[str] = ...) -> None: ...

class GetCredentialSetResponse(_message.Message):
    __slots__ = ("credential_set",)
    CREDENTIAL_SET_FIELD_NUMBER: _ClassVar[int]
    credential_set: CredentialSet
    def __init__(self, credential_set: _Optional[_Union[CredentialSet, _Mapping]] = ...) -> None: ...

class ListCredentialSetsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCredentialSetsResponse(_message.Message):
    __slots__ = ("credential_sets", "next_page_token")
    CREDENTIAL_SETS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    credential_sets: _containers.RepeatedCompositeFieldContainer[CredentialSet]
    next_page_token: str
    def __init__(self, credential_sets: _Optional[_Iterable[_Union[CredentialSet, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateCredentialSetRequest(_message.Message):
    __slots__ = ("credential_set", "settings", "update_mask", "secrets", "revision")
    CREDENTIAL_SET_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    credential_set: str
    settings: CredentialSetSettings
    update_mask: _field_mask_pb2.FieldMask
    secrets: _containers.RepeatedCompositeFieldContainer[CredentialSecret]
    revision: int
    def __init__(self, credential_set: _Optional[str] = ..., settings: _Optional[_Union[CredentialSetSettings, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., secrets: _Optional[_Iterable[_Union[CredentialSecret, _Mapping]]] = ..., revision: _Optional[int] = ...) -> None: ...

class UpdateCredentialSetResponse(_message.Message):
    __slots__ = ("credential_set",)
    CREDENTIAL_SET_FIELD_NUMBER: _ClassVar[int]
    credential_set: CredentialSet
    def __init__(self, credential_set: _Optional[_Union[CredentialSet, _Mapping]] = ...) -> None: ...

class DeleteCredentialSetRequest(_message.Message):
    __slots__ = ("credential_set",)
    CREDENTIAL_SET_FIELD_NUMBER: _ClassVar[int]
    credential_set: str
    def __init__(self, credential_set: _Optional[str] = ...) -> None: ...

class DeleteCredentialSetResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
