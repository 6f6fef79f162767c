"""``mtd ca``: the hub's own certificate authority."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from mtd.cli.config import load_settings
from mtd.cli.connection import Connection
from mtd.cli.output import (
    config_option,
    console,
    explain_errors,
    json_option,
    plain,
    print_json,
    server_option,
)
from mtd.client import collectors as calls
from mtd.client.collectors import Certificate, Collector

if TYPE_CHECKING:
    from mtd.app.config import Settings
    from mtd.security.ca_store import AuthorityFacts, AuthorityStore

_NAME = "mtd internal CA"
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def ca() -> None:
    """The hub's own CA: it signs the certificates of doors and of collectors.

    \b
    mtd ca init                        make it; a door with tls = "internal" does so by itself
    mtd ca show --pem > hub-ca.pem     what clients trust: mtd --ca-file hub-ca.pem ...
    mtd ca issue --server odoo.example a certificate for another server of yours
    mtd ca list                        certificates of collectors
    mtd ca revoke 5f3a9c...            end one of them, at once
    mtd ca rotate                      a new CA; the one before is trusted for a while

    init, issue, rotate and show work on the CA's files: run them on the hub, as its
    user. list and revoke ask the daemon.
    """


@ca.command()
@click.option("--name", default=_NAME, show_default=True, help="What it is called in certificates.")
@config_option
@json_option
@explain_errors
def init(name: str, config_path: Path | None, as_json: bool) -> None:
    """Make the CA. Back its folder up: without it every collector has to enrol again."""
    settings = load_settings(config_path)
    store = _store_of(settings)
    store.refuse_existing()
    with written_down(settings, "ca.init", {"name": name}):
        made = store.init(name)
    if as_json:
        print_json(_as_json(made))
        return
    console.print(f"[green]The CA is made[/], in {plain(settings.authority_path)}. Back that folder up.")
    console.print(_authorities([made]))


@ca.command()
@click.option("--name", default=_NAME, show_default=True, help="What the new one is called in certificates.")
@config_option
@json_option
@explain_errors
def rotate(name: str, config_path: Path | None, as_json: bool) -> None:
    """Make a new CA. The one before is trusted for certificates.overlap_days, and signs nothing more.

    The daemon may be running: its doors take certificates of the new CA within
    seconds, in a way that those who know only the CA before still accept. Collectors
    get the new one when they renew.
    """
    settings = load_settings(config_path)
    store = _store_of(settings)
    store.pin()  # there has to be one
    with written_down(settings, "ca.rotate", {"name": name}):
        made = store.rotate(name)
    if as_json:
        print_json({"made": _as_json(made), "trusted": [_as_json(one) for one in store.all()]})
        return
    console.print("[green]A new CA signs from now on.[/] Give clients its certificate: mtd ca show --pem")
    console.print(_authorities(store.all()))


@ca.command()
@click.option("--pem", is_flag=True, help="Print the certificates of all that are trusted, and nothing else.")
@config_option
@json_option
@explain_errors
def show(pem: bool, config_path: Path | None, as_json: bool) -> None:
    """Show the CA, and those before it that are still trusted."""
    store = _store_of(load_settings(config_path))
    bundle = store.bundle().decode("ascii")
    if pem:
        click.echo(bundle, nl=False)
    elif as_json:
        print_json([_as_json(one) for one in store.all()])
    else:
        console.print(_authorities(store.all()))


@ca.command()
@click.option(
    "--server",
    "names",
    multiple=True,
    required=True,
    metavar="NAME",
    help="Host name or address of the server; may be given several times.",
)
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="Life of the certificate, days.")
@click.option(
    "--certificate", type=_FILE, default=Path("server.pem"), show_default=True, help="File to make."
)
@click.option("--key", type=_FILE, default=Path("server.key"), show_default=True, help="File to make.")
@config_option
@json_option
@explain_errors
def issue(
    names: tuple[str, ...],
    days: float | None,
    certificate: Path,
    key: Path,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Make a key and a certificate for a server: a proxy, another hub, a door with mode = "files".

    Doors with tls = "internal" need none of this. Collectors get theirs by enrolling:
    mtd collector invite.
    """
    from mtd.security.generations import write_private

    settings = load_settings(config_path)
    store = _store_of(settings)
    for path in (certificate, key):
        if path.exists():
            raise click.ClickException(f"{path} is there already: name another file, or move it away")
    store.pin()
    with written_down(settings, "ca.issue", {"names": ", ".join(names)}):
        signed = store.sign_server(names, days)
    try:
        write_private(key, signed.key)
        certificate.write_bytes(signed.chain)
    except OSError as error:
        raise click.ClickException(f"{error.filename} can't be written: {error.strerror}") from None
    expires = _moment(signed.facts.not_after_us)
    if as_json:
        print_json(
            {
                "serial": signed.facts.serial,
                "names": signed.facts.names,
                "expires_at": expires.isoformat(),
                "certificate": certificate,
                "key": key,
            }
        )
        return
    console.print(
        f"{plain(certificate)} and {plain(key)} are made, good until {expires:%Y-%m-%d} for {plain(', '.join(names))}."
    )
    console.print("It isn't renewed by itself: make another before it expires.")


@ca.command("list")
@click.option("--revoked", is_flag=True, help="Also those that were revoked.")
@server_option
@json_option
@explain_errors
def list_certificates(revoked: bool, server: Connection, as_json: bool) -> None:
    """List the certificates of your tenant's collectors that haven't expired."""
    found = [
        (collector, one)
        for collector in all_collectors(server)
        for one in collector.certificates
        if revoked or one.revoked_at is None
    ]
    if as_json:
        print_json([{"collector": collector.name, **_certificate_json(one)} for collector, one in found])
        return
    table = Table("Collector", "Serial", "Made", "Expires", "State")
    for collector, one in found:
        state = f"[red]revoked[/]: {plain(one.revoke_reason)}" if one.revoked_at else "good"
        table.add_row(plain(collector.name), one.serial, _day(one.issued_at), _day(one.expires_at), state)
    console.print(table)


@ca.command()
@click.argument("serial")
@click.option("--reason", default="", help="Why, for those who look later.")
@server_option
@json_option
@explain_errors
def revoke(serial: str, reason: str, server: Connection, as_json: bool) -> None:
    """End the certificate with this SERIAL number, or enough of its beginning, at once and for good.

    To end all of a collector: mtd collector revoke NAME.
    """
    wanted = serial.lower().lstrip("0")
    found = [
        (collector, one)
        for collector in all_collectors(server)
        for one in collector.certificates
        if one.revoked_at is None and one.serial.startswith(wanted)
    ]
    if len(found) != 1:
        problem = "several certificates begin" if found else "no good certificate begins"
        raise click.ClickException(f"{problem} with {serial!r}: mtd ca list shows them")
    ((collector, one),) = found
    with server.client() as client:
        client.ask(calls.revoke(collector.id, one.serial, reason))
    if as_json:
        print_json({"collector": collector.name, "serial": one.serial})
    else:
        console.print(
            f"The certificate {one.serial} of {plain(collector.name)} is revoked: it is good for nothing now."
        )


def all_collectors(server: Connection) -> list[Collector]:
    """Return all collectors of the caller's tenant."""
    found: list[Collector] = []
    with server.client() as client:
        token = ""
        while True:
            page = client.ask(calls.page(page_size=500, page_token=token))
            found += page.collectors
            token = page.next_page_token
            if not token:
                return found


def _store_of(settings: Settings) -> AuthorityStore:
    from mtd.app.certificates import authority_store

    return authority_store(settings)


@contextmanager
def written_down(
    settings: Settings, action: str, detail: Mapping[str, str], target: str = ""
) -> Iterator[None]:
    """Write into the audit log that something begins here, and how it ended. Not done if it can't be."""
    from mtd.app.audit_direct import audit_direct
    from mtd.app.auditing.local import FAILED, local_entry
    from mtd.model.audit import STARTED

    audit_direct(settings, local_entry(action, STARTED, target=target, detail=detail))
    try:
        yield
    except BaseException:
        audit_direct(settings, local_entry(action, FAILED, target=target, detail=detail))
        raise
    audit_direct(settings, local_entry(action, target=target, detail=detail))


def _authorities(found: list[AuthorityFacts]) -> Table:
    table = Table("CA", "Fingerprint", "Good until", "State")
    for one in found:
        state = "signs" if one.signs else f"trusted until {_moment(one.trusted_until_us):%Y-%m-%d}"
        table.add_row(
            plain(one.facts.subject),
            one.facts.fingerprint.hex(),
            f"{_moment(one.facts.not_after_us):%Y-%m-%d}",
            state + (", key sealed" if one.sealed else ""),
        )
    return table


def _as_json(one: AuthorityFacts) -> dict[str, object]:
    return {
        "subject": one.facts.subject,
        "serial": one.facts.serial,
        "fingerprint_sha256": one.facts.fingerprint.hex(),
        "expires_at": _moment(one.facts.not_after_us).isoformat(),
        "signs": one.signs,
        "trusted_until": None if one.signs else _moment(one.trusted_until_us).isoformat(),
        "sealed": one.sealed,
    }


def _certificate_json(one: Certificate) -> dict[str, object]:
    return {
        "serial": one.serial,
        "fingerprint_sha256": one.fingerprint_sha256,
        "issued_at": one.issued_at,
        "expires_at": one.expires_at,
        "revoked_at": one.revoked_at,
        "revoke_reason": one.revoke_reason,
    }


def _day(moment: dt.datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def _moment(us: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(us / 1e6, dt.UTC)
