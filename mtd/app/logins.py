"""People at the console: their logins, sessions, and who of them the gate knows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mtd.api.http.access import Doorkeeper, Starting
from mtd.api.http.cookies import Cookies
from mtd.api.http.visits import OpenPages
from mtd.api.login.local import LocalLogins
from mtd.api.login.oidc.files import read_oidc_files
from mtd.api.login.oidc.flow import OidcLogins
from mtd.api.login.oidc.provider import Provider
from mtd.api.login.oidc.web import WebClient
from mtd.api.login.pages import LoginPages, LoginParts
from mtd.api.login.sessions import Sessions
from mtd.api.login.throttle import Throttle
from mtd.core.clock import SYSTEM_CLOCK
from mtd.storage.stores.sessions import CHANNEL, SessionStore

if TYPE_CHECKING:
    from mtd.api.access.interfaces import Auditor
    from mtd.app.config import Settings
    from mtd.app.identity import Identity
    from mtd.app.tenancy import Tenancy
    from mtd.storage.pool import Database, Listening
    from mtd.storage.stores.users import UserStore


class Logins:
    """What the HTTP door needs to know people by. The door opens before PostgreSQL is there, and asks for patience."""

    def __init__(self, settings: Settings) -> None:
        self._config = settings.login
        self._oidc = settings.oidc
        where = urlsplit(settings.login.public_base_url)
        self.public_host = where.netloc
        self.cookies = Cookies(https=where.scheme == "https")
        self.pages = LoginPages(settings.login, self.cookies)
        self.doorkeeper = Doorkeeper(
            Starting(trust_loopback=settings.security.trust_loopback), cookies=self.cookies
        )
        self.visits = OpenPages(self.cookies)
        self.sessions: Sessions | None = None
        self._listening: Listening | None = None

    async def start(self, writer: Database, identity: Identity, auditor: Auditor) -> None:
        """Let people log in, and the gate know them. Raises Misconfigured for files that can't be read."""
        tenancy, users, config = identity.tenancy, identity.users, self._config
        store = SessionStore(writer)
        self.sessions = sessions = Sessions(store, config)
        throttle = Throttle(config.free_failures, config.first_wait_s, config.longest_wait_s, SYSTEM_CLOCK)
        local = LocalLogins(users, store, identity.passwords, tenancy.directory, sessions, throttle, auditor)
        oidc = await self._provider_logins(tenancy, users, sessions, auditor)
        self._listening = await writer.listen(CHANNEL, sessions.heard)
        tenancy.forgetful.append(lambda: sessions.heard(None))
        tenancy.forgetful.append(self.visits.heard)
        tenancy.verifiers.append(sessions)
        sessions.start()
        self.doorkeeper.auditor = auditor
        self.doorkeeper.gate = gate = tenancy.gate
        self.visits.start(gate, sessions)
        self.pages.serve(LoginParts(local, oidc, sessions, tenancy.directory, auditor, self.doorkeeper.knows))

    async def stop(self) -> None:
        """Watch no session any more."""
        if self._listening is not None:
            await self._listening.stop()
        await self.visits.stop()
        if self.sessions is not None:
            await self.sessions.stop()

    async def _provider_logins(
        self, tenancy: Tenancy, users: UserStore, sessions: Sessions, auditor: Auditor
    ) -> OidcLogins | None:
        config = self._oidc
        if not config.issuer:
            return None
        secret, ca_pem = await asyncio.to_thread(read_oidc_files, config)
        provider = Provider(config, secret, WebClient(config.timeout_s, ca_pem), SYSTEM_CLOCK)
        return OidcLogins(config, provider, users, tenancy.directory, sessions, auditor, SYSTEM_CLOCK)
