"""``mtd snapshots``: what a router is set to, since when, and what changed (X-04, X-05)."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from mtd.cli.connection import Connection
from mtd.cli.output import (
    console,
    explain_errors,
    json_option,
    plain,
    print_json,
    progress_console,
    server_option,
)
from mtd.client import MtdClient, SnapshotInfo, SnapshotVersion
from mtd.model.documents import difference, fingerprints, lines_of

_SHOWN_DIGITS = 12


@click.command()
@click.argument("device")
@click.option("--kind", "-k", default="*", help="Only documents of this kind, or of a pattern of kinds.")
@click.option("--diff", "-d", is_flag=True, help="Show what changed from each version to the next.")
@click.option(
    "--versions",
    "-n",
    type=click.IntRange(1, 99),
    default=1,
    show_default=True,
    help="With --diff: how many changes to go back. Without: which version to show, the newest is 1.",
)
@click.option(
    "--write",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write each document into this folder, a file for each kind: equal documents are equal files.",
)
@server_option
@json_option
@explain_errors
def snapshots(
    device: str, kind: str, diff: bool, versions: int, folder: Path | None, server: Connection, as_json: bool
) -> None:
    """Show the documents of DEVICE: its configuration section by section, its inventory, since when they are so.

    \b
    mtd snapshots core-1                                   which documents there are
    mtd snapshots core-1 -k config.firewall.filter         the filter rules
    mtd snapshots core-1 -k 'config.*' --diff              what changed last, in each
    mtd snapshots core-1 -k 'config.*' --write configs/    files for git

    Passwords, keys and the text of scripts are never read, so they aren't in there.
    """
    with server.client() as client:
        found = [one for one in client.snapshots(device) if fnmatchcase(one.kind, kind)]
        if not found:
            (progress_console if as_json else console).print(plain(_none(client, device, kind)))
            if as_json and not diff:
                _list(found, as_json=True)
        elif folder is not None:
            _write(client, device, found, folder, as_json=as_json)
        elif diff:
            _show_changes(client, device, found, versions, as_json=as_json)
        elif len(found) == 1 and kind == found[0].kind:
            _show_document(client, device, found[0], versions, as_json=as_json)
        else:
            _list(found, as_json=as_json)


def _none(client: MtdClient, device: str, kind: str) -> str:
    known = ", ".join(one.kind for one in client.snapshots(device))
    if known:
        return f"No document of {device} matches {kind}. There are: {known}."
    return f"No document of {device} is stored yet: they come with the first slow poll, within a quarter of an hour."


def _list(found: Sequence[SnapshotInfo], *, as_json: bool) -> None:
    prints = fingerprints({one.kind: bytes.fromhex(one.sha256) for one in found})
    if as_json:
        print_json({"documents": found, "fingerprint": prints.pop("", ""), "sections": prints})
        return
    table = Table("Document", "Since")
    for name in ("Versions", "Bytes"):
        table.add_column(name, justify="right")
    table.add_column("SHA-256")
    for one in found:
        size = f"{one.size_bytes:,}"
        table.add_row(plain(one.kind), _when(one), str(one.versions), size, one.sha256[:_SHOWN_DIGITS])
    console.print(table)
    if prints:
        sections = Table("Configuration", "Fingerprint")
        for section, digest in prints.items():
            sections.add_row(plain(section or "all of it"), digest[:_SHOWN_DIGITS])
        console.print(sections)


def _show_document(
    client: MtdClient, device: str, info: SnapshotInfo, version: int, *, as_json: bool
) -> None:
    found = client.snapshot_versions(device, info.kind, limit=version)
    if len(found) < version:
        raise click.ClickException(f"{info.kind} of {device} has {info.versions} version(s), not {version}")
    shown = found[version - 1]
    if as_json:
        print_json(_described(info.kind, shown) | {"document": shown.document()})
        return
    console.print(f"[dim]{plain(info.kind)}, as it is since {_when(shown)}[/]")
    for line in lines_of(shown.document()):
        console.print(plain(line), soft_wrap=True)


def _show_changes(
    client: MtdClient, device: str, found: Sequence[SnapshotInfo], count: int, *, as_json: bool
) -> None:
    told = 0
    for info in found:
        if info.versions < 2:
            continue
        versions = client.snapshot_versions(device, info.kind, limit=count + 1)
        for new, old in zip(versions, versions[1:], strict=False):
            told += 1
            lines = difference(old.document(), new.document())
            if as_json:
                print_json(_described(info.kind, new) | {"before": old.sha256, "changes": lines})
                continue
            console.print(f"[bold]{plain(info.kind)}[/], {_when(old)} → {_when(new)}")
            for line in lines:
                style = {"-": "red", "+": "green"}.get(line[0], "yellow")
                console.print(f"[{style}]{plain(line)}[/]", soft_wrap=True)
    if not told:
        told_to = progress_console if as_json else console
        told_to.print(plain(f"Nothing of it changed on {device} since mtd reads it."))


def _write(
    client: MtdClient, device: str, found: Sequence[SnapshotInfo], folder: Path, *, as_json: bool
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for info in found:
        for newest in client.snapshot_versions(device, info.kind, limit=1):
            # Kinds are words with dots: never a path.
            file = folder / f"{info.kind.replace('/', '_')}.txt"
            text = "".join(f"{line}\n" for line in lines_of(newest.document()))
            if not file.is_file() or file.read_text(encoding="utf-8") != text:
                file.write_text(text, encoding="utf-8")
                written.append(file.name)
    if as_json:
        print_json({"folder": folder, "documents": len(found), "written": written})
    else:
        console.print(plain(f"{len(found)} document(s) in {folder}, {len(written)} of them new or changed."))


def _described(kind: str, version: SnapshotVersion) -> dict[str, Any]:
    return {"kind": kind, "changed_at": version.changed_at.isoformat(), "sha256": version.sha256}


def _when(one: SnapshotInfo | SnapshotVersion) -> str:
    return f"{one.changed_at:%Y-%m-%d %H:%M:%S} UTC"
