"""An integration with `mtd.client`: `pip install mtd` is all that it needs.

    MTD_SERVER=mtd.example:50051 MTD_CA_FILE=ca.pem MTD_TOKEN_FILE=token python python_client.py

Puts a router into the inventory, reads what is known of it, and takes it out again.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from mtd.client import MtdClient, MtdClientError, places


def token() -> str:
    """Return the API token: asked for at each call, so that a new one in the file counts at once."""
    file = os.environ.get("MTD_TOKEN_FILE")
    return Path(file).read_text(encoding="ascii") if file else os.environ.get("MTD_TOKEN", "")


def main() -> None:
    """Show what an integration does."""
    server = os.environ.get("MTD_SERVER", "127.0.0.1:50051")
    with MtdClient(server, token=token, ca_file=os.environ.get("MTD_CA_FILE")) as client:
        site = client.ask(places.create_site("example-site", address="Somewhere 1"))
        try:
            add_and_read(client, site.name)
        finally:
            client.ask(places.delete_site(site.id))


def add_and_read(client: MtdClient, site: str) -> None:
    """Add a router at a site, read, and remove it."""
    # Sent again with the same id, it is done once: nobody has to know whether the first try got through.
    once = str(uuid.uuid4())
    for _ in range(2):
        device = client.create_device(
            name="example-router",
            host="192.0.2.1",
            username="monitor",
            password="example",  # noqa: S106 - goes in, and never comes out
            enabled=False,
            site=site,
            labels={"role": "example"},
            request_id=once,
        )
    print(f"added {device.name} at {device.site}, revision {device.revision}")
    try:
        print("routers there:", [found.name for found in client.list_devices(site=site)])
        changed = client.update_device(device.id, revision=device.revision, notes="seen by an example")
        try:
            client.update_device(device.id, revision=device.revision, notes="too late")
        except MtdClientError as error:
            print(f"refused: {error.code} {error.reason}")
        print(f"changed to revision {changed.revision}")
        page = client.query_latest([device.name])
        print(f"{len(page.values)} value(s) so far")
        events = list(client.events(until_now=True, devices=[device.name]))
        print(f"{len(events)} event(s) so far")
    finally:
        client.delete_device(device.id)
    print(f"removed {device.name}")


if __name__ == "__main__":
    main()
