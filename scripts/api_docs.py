"""The reference of the protocol, one page per package, made of proto/ and its comments.

``gen_docs.py`` writes what ``pages`` returns into docs/api.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2 as pb
from grpc_tools import protoc

from mtd.pb.common.v1 import access_pb2

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
FOLDER = "docs/api"
PREFIX = "mtd.pb."
NOTICE = "<!-- Written by scripts/gen_docs.py: change the comments in proto/ instead. -->\n"

_TYPES = {number: name.removeprefix("TYPE_").lower() for name, number in pb.FieldDescriptorProto.Type.items()}
_REPEATED = pb.FieldDescriptorProto.LABEL_REPEATED
# Where things are in a file, as descriptor.proto numbers them.
_MESSAGES, _ENUMS, _SERVICES, _PACKAGE = 4, 5, 6, 2
_FIELDS, _NESTED, _NESTED_ENUMS, _ONEOFS, _VALUES, _METHODS = 2, 3, 4, 8, 2, 2


@dataclass(frozen=True, slots=True)
class File:
    """A file of the protocol, and the comments in it by what they are about."""

    proto: pb.FileDescriptorProto
    comments: Mapping[tuple[int, ...], str]

    @property
    def package(self) -> str:
        """Return the package, such as ``inventory.v1``."""
        return self.proto.package.removeprefix(PREFIX)

    def comment(self, *path: int) -> str:
        """Return what is said of something, as one paragraph each."""
        return self.comments.get(path, "")


def pages() -> dict[str, str]:
    """Return the pages by their paths: one per package, and the list of all methods."""
    packages: dict[str, list[File]] = {}
    for file in files():
        packages.setdefault(file.package, []).append(file)
    written = {f"{FOLDER}/{package}.md": page(package, found) for package, found in packages.items()}
    return {f"{FOLDER}/README.md": index(packages), **written}


def files() -> list[File]:
    """Read proto/ with its comments."""
    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "set")
        arguments = ["protoc", f"-I{PROTO}", f"-I{well_known()}", "--include_source_info"]
        if protoc.main([*arguments, f"--descriptor_set_out={out}", *sources]):
            raise SystemExit("proto/ can't be read: run `scripts/check proto`")
        found = pb.FileDescriptorSet.FromString(out.read_bytes())
    return sorted((File(one, comments_of(one)) for one in found.file), key=lambda file: file.proto.name)


def well_known() -> Path:
    """Return the folder with Google's own files."""
    return Path(protoc.__file__).parent / "_proto"


def comments_of(file: pb.FileDescriptorProto) -> dict[tuple[int, ...], str]:
    """Return the comments of a file by the path of what they are about."""
    return {
        tuple(place.path): paragraphs(place.leading_comments)
        for place in file.source_code_info.location
        if place.leading_comments.strip()
    }


def paragraphs(text: str) -> str:
    """Return a comment with each paragraph on one line."""
    parts = [" ".join(part.split()) for part in text.split("\n\n")]
    return "\n\n".join(part for part in parts if part)


# ------------------------------------------------------------------- pages


def index(packages: Mapping[str, Sequence[File]]) -> str:
    """Return the page that lists all methods, and who may call them."""
    lines = [
        "# The protocol",
        "",
        NOTICE,
        "What holds for all methods is in [The API](../api.md). Packages:",
        "",
    ]
    for package, found in packages.items():
        services = [service.name for file in found for service in file.proto.service]
        told = ", ".join(services) if services else "no services"
        lines.append(f"- [{package}]({package}.md): {told}")
    lines += ["", "## All methods", "", *_METHOD_HEAD]
    for package, found in packages.items():
        for file in found:
            for number, service in enumerate(file.proto.service):
                lines += method_rows(file, number, service, f"{package}.md")
    return "\n".join(lines) + "\n"


_METHOD_HEAD = (
    "| method | takes | gives | least role | scope of tokens | audited | also |",
    "| --- | --- | --- | --- | --- | --- | --- |",
)


def method_rows(
    file: File, number: int, service: pb.ServiceDescriptorProto, page_name: str = ""
) -> Iterator[str]:
    """Yield the rows of a service's methods."""
    for method in service.method:
        options: Any = method.options
        access = options.Extensions[access_pb2.access]
        role = access_pb2.Role.Name(access.role).removeprefix("ROLE_").lower().replace("_", "-")
        also = [*(["collectors"] if access.collectors else []), *(["anybody"] if access.open else [])]
        anchor = anchor_of(f"{service.name}.{method.name}")
        yield (
            f"| [{service.name}/{method.name}]({page_name}#{anchor}) |"
            f" {'stream' if method.client_streaming else 'one'} | {'stream' if method.server_streaming else 'one'} |"
            f" {'' if role == 'unspecified' else role} | {code(access.scope)} |"
            f" {'yes' if access.audited else ''} | {', '.join(also)} |"
        )


def page(package: str, found: Sequence[File]) -> str:
    """Return the page of a package."""
    lines = [f"# {package}", "", NOTICE]
    for file in found:
        about = file.comment(_PACKAGE)
        lines += [f"`proto/{file.proto.name}`{': ' + about if about else ''}", ""]
    for file in found:
        for number, service in enumerate(file.proto.service):
            lines += service_part(file, number, service)
    messages = [part for file in found for part in message_parts(file)]
    enums = [part for file in found for part in enum_parts(file)]
    if messages:
        lines += ["## Messages", "", *messages]
    if enums:
        lines += ["## Enumerations", "", *enums]
    return "\n".join(lines).rstrip("\n") + "\n"


def service_part(file: File, number: int, service: pb.ServiceDescriptorProto) -> list[str]:
    """Return the part of a service."""
    lines = [f"## {service.name}", "", file.comment(_SERVICES, number), "", *_METHOD_HEAD]
    lines += [*method_rows(file, number, service), ""]
    for position, method in enumerate(service.method):
        lines += [f"### {service.name}.{method.name}", ""]
        lines += [file.comment(_SERVICES, number, _METHODS, position), ""]
        takes, gives = link(method.input_type, file), link(method.output_type, file)
        streams = (
            ("stream of " if method.client_streaming else ""),
            ("stream of " if method.server_streaming else ""),
        )
        path = f"/{file.proto.package}.{service.name}/{method.name}"
        lines += [f"`{path}`: {streams[0]}{takes} → {streams[1]}{gives}", ""]
    return lines


def message_parts(file: File) -> Iterator[str]:
    """Yield the lines of a file's messages."""
    for path, name, message in messages_of(file.proto.message_type, (_MESSAGES,)):
        yield from (f"### {name}", "")
        yield from (file.comment(*path), "")
        if not message.field:
            continue
        yield from ("| field | type | |", "| --- | --- | --- |")
        maps = {entry.name: entry for entry in message.nested_type if entry.options.map_entry}
        for number, field in enumerate(message.field):
            about = file.comment(*path, _FIELDS, number)
            if field.HasField("oneof_index") and not field.proto3_optional:
                about = f"One of `{message.oneof_decl[field.oneof_index].name}`. {about}"
            if field.options.debug_redact:
                about = f"{about} **Secret.**"
            yield f"| `{field.name}` = {field.number} | {type_of(field, maps, file)} | {cell(about)} |"
        yield ""


def messages_of(
    messages: Iterable[pb.DescriptorProto], path: tuple[int, ...], prefix: str = ""
) -> Iterator[tuple[tuple[int, ...], str, pb.DescriptorProto]]:
    """Yield messages and those in them, with their paths and names."""
    for number, message in enumerate(messages):
        if message.options.map_entry:
            continue
        here, name = (*path, number), f"{prefix}{message.name}"
        yield here, name, message
        yield from messages_of(message.nested_type, (*here, _NESTED), f"{name}.")


def enum_parts(file: File) -> Iterator[str]:
    """Yield the lines of a file's enumerations."""
    found: list[tuple[tuple[int, ...], str, pb.EnumDescriptorProto]] = [
        ((_ENUMS, number), enum.name, enum) for number, enum in enumerate(file.proto.enum_type)
    ]
    for path, name, message in messages_of(file.proto.message_type, (_MESSAGES,)):
        found += [
            ((*path, _NESTED_ENUMS, number), f"{name}.{enum.name}", enum)
            for number, enum in enumerate(message.enum_type)
        ]
    for path, name, enum in found:
        yield from (f"### {name}", "", file.comment(*path), "", "| value | |", "| --- | --- |")
        for number, value in enumerate(enum.value):
            about = cell(file.comment(*path, _VALUES, number))
            yield f"| `{value.name}` = {value.number} | {about} |"
        yield ""


# ------------------------------------------------------------------- words


def type_of(field: pb.FieldDescriptorProto, maps: Mapping[str, Any], file: File) -> str:
    """Return the type of a field, with a link where it has a part of its own."""
    entry = maps.get(field.type_name.rpartition(".")[2]) if field.type_name else None
    if entry is not None:
        key, value = entry.field
        return f"map of {type_of(key, {}, file)} to {type_of(value, {}, file)}"
    name = link(field.type_name, file) if field.type_name else _TYPES[field.type]
    if field.label == _REPEATED:
        return f"repeated {name}"
    return f"optional {name}" if field.proto3_optional else name


def link(type_name: str, file: File) -> str:
    """Return a link to the part of a message or an enumeration."""
    full = type_name.removeprefix(".")
    if not full.startswith(PREFIX):
        return code(full)
    parts = full.removeprefix(PREFIX).split(".")
    package, name = ".".join(parts[:2]), ".".join(parts[2:])
    where = "" if package == file.package else f"{package}.md"
    return f"[{name}]({where}#{anchor_of(name)})"


def anchor_of(heading: str) -> str:
    """Return the anchor of a heading, as forges make it."""
    return heading.lower().replace(".", "").replace(" ", "-")


def code(text: str) -> str:
    """Return a word as code; nothing for none."""
    return f"`{text}`" if text else ""


def cell(text: str) -> str:
    """Return a text as it may stand in a table."""
    return text.replace("\n\n", "<br>").replace("|", "\\|").strip()
