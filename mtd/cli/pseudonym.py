"""``mtd pseudonym``: what a subscriber is called where names are hashed."""

from __future__ import annotations

import uuid
from pathlib import Path

import click
from rich.table import Table

from mtd.cli.config import load_settings
from mtd.cli.output import config_option, console, explain_errors, json_option, plain, print_json
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.security.config import Personal, PrivacyConfig
from mtd.security.pseudonyms import Pseudonyms


@click.command()
@click.argument("texts", nargs=-1, required=True, metavar="TEXT...")
@click.option(
    "--tenant", type=click.UUID, default=DEFAULT_TENANT_ID, show_default=True, help="Whose subscriber it is."
)
@config_option
@json_option
@explain_errors
def pseudonym(texts: tuple[str, ...], tenant: uuid.UUID, config_path: Path | None, as_json: bool) -> None:
    """Print the pseudonym of a login, an address or a host name, to look a subscriber up.

    \b
    mtd pseudonym joe@isp.example                        prints ~bqztiz7bl2zbnod3, say
    mtd table bng-1 ppp_session -c '~bqztiz7bl2zbnod3'   his session

    It takes the daemon's master key, so it needs the right to read that file. There
    is no way back from a pseudonym to the text but to try texts. That somebody was looked up,
    and by whom, stands in the audit log.
    """
    from mtd.app.secrets import master_keys

    settings = load_settings(config_path)
    masters = master_keys(settings, may_make=False)
    make = Pseudonyms(masters.oldest, PrivacyConfig(subscribers=Personal.HASHED)).of(str(tenant))
    assert make is not None
    found = {text: make(text) for text in texts}
    from mtd.app.audit_direct import audit_direct
    from mtd.app.auditing.local import local_entry

    # Who was looked up, in the words of the database: never the texts.
    detail = {"pseudonyms": " ".join(found.values())}
    audit_direct(settings, local_entry("subscriber.look_up", tenant_id=str(tenant), detail=detail))
    if as_json:
        print_json(found)
        return
    table = Table(box=None)
    table.add_column("text")
    table.add_column("pseudonym", no_wrap=True)
    for text, made in found.items():
        table.add_row(plain(text), made)
    console.print(table)
    if settings.privacy.of(str(tenant)) is Personal.KEPT:
        console.print("[dim]Subscribers of this tenant are kept as they are: look for the text itself.[/]")
