"""What the tests of the addon share: a company with a connection, and an mtd that is only made up."""

import dataclasses
import shutil
import tempfile
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from unittest.mock import patch

from odoo import SUPERUSER_ID, api
from odoo.tests.common import TransactionCase, new_test_user
from odoo.tools import SQL, config

from ..gateway import clients, clocks, secrets
from ..models.connection_sync import MikrotikConnection
from ..models.sync import PULLED
from ..models.sync_push import MikrotikSync

SEEN = datetime(2026, 3, 1, 12, 0, 0, 250000, tzinfo=UTC)
SECRET = "a-secret-nobody-may-see"


def failure(code, message="it failed", hint="do something"):
    """Return an error as the client raises it."""
    from mtd.client import MtdClientError

    return MtdClientError(message, code=code, hint=hint)


class FakeMtd:
    """One tenant of mtd, in memory. Its methods have the signatures of the client's."""

    def __init__(self, tenant="acme"):
        self.tenant, self.tenant_id, self.role = tenant, "", "admin"
        self.devices, self.sites, self.sets = {}, {}, {}
        self.requests, self.calls, self.secrets = {}, [], {}
        self.error = None

    def close(self):
        """Nothing is open."""

    # -- devices

    def create_device(self, *, password="", request_id="", **settings):
        self._note("create_device", settings)
        if request_id in self.requests:
            return self.devices[self.requests[request_id]]
        if any(one.name == settings["name"] for one in self.devices.values()):
            raise failure("ALREADY_EXISTS", f"there is a device {settings['name']!r} already")
        device = device_of(**self._named(settings))
        self.devices[device.id] = device
        self.requests[request_id] = device.id
        return device

    def get_device(self, device):
        self._note("get_device", device)
        for one in self.devices.values():
            if device in (one.id, one.name):
                return one
        raise failure("NOT_FOUND", f"there is no device {device!r}")

    def list_devices(self, *, site="", group=""):
        self._note("list_devices")
        return sorted(self.devices.values(), key=lambda one: one.name)

    def update_device(self, device, *, password=None, revision=0, **settings):
        self._note("update_device", settings)
        found = self.devices.get(device)
        if not found:
            raise failure("NOT_FOUND", f"there is no device {device!r}")
        if revision and found.revision != revision:
            raise failure("ABORTED", f"it is at revision {found.revision}, not {revision}")
        changed = dataclasses.replace(found, revision=found.revision + 1, **self._named(settings))
        self.devices[device] = changed
        return changed

    def delete_device(self, device):
        self._note("delete_device", device)
        if not self.devices.pop(device, None):
            raise failure("NOT_FOUND", f"there is no device {device!r}")

    # -- telemetry

    def query_latest(self, devices=(), metrics=(), *, page_size=0, page_token=""):
        self._note("query_latest", list(devices))
        values = [SimpleNamespace(device_id=one, collected_at=SEEN) for one in devices]
        return SimpleNamespace(values=values, next_token="", age_s=0.0)

    def list_metrics(self):
        self._note("list_metrics")
        return SimpleNamespace(version="1+test", metrics=())

    # -- what functions of mtd.client return

    def ask(self, call):
        self._note(call.method, call.request)
        return getattr(self, f"_{call.method}")(call.request)

    def _WhoAmI(self, request):
        from mtd.client.identity import Caller

        tenant_id = self.tenant_id or f"id of {self.tenant}"
        return Caller("token", "odoo", self.role, tenant_id, self.tenant, ("*",))

    def _PollDevice(self, request):
        return SimpleNamespace(device=request.device)

    def _RefreshCapabilities(self, request):
        return self.devices[request.device]

    def _TestConnection(self, request):
        from mtd.client import ConnectionTest, TestStep

        steps = (
            TestStep("connect", True, 900, "127.0.0.1 port 8728"),
            TestStep("login", True, 3100, "plain"),
        )
        return ConnectionTest("ok", "it works", steps, "7.16.2", "CCR2004", "lab", "ab" * 32, "api")

    def _ListDevices(self, request):
        return sorted(self.devices.values(), key=lambda one: one.name), ""

    def _ListSites(self, request):
        return SimpleNamespace(places=list(self.sites.values()), next_page_token="")

    def _CreateSite(self, request):
        site_id = self.requests.setdefault(request.request_id, str(uuid.uuid4()))
        return self.sites.setdefault(site_id, self._place(request.settings, site_id, 1))

    def _UpdateSite(self, request):
        before = self.sites[request.site]
        changes = {path: getattr(request.settings, path) for path in request.update_mask.paths}
        self.sites[request.site] = dataclasses.replace(before, revision=before.revision + 1, **changes)
        return self.sites[request.site]

    def _GetSite(self, request):
        return next(one for one in self.sites.values() if request.site in (one.id, one.name))

    def _DeleteSite(self, request):
        if any(one.site == self.sites[request.site].name for one in self.devices.values()):
            raise failure("FAILED_PRECONDITION", "devices are there")
        del self.sites[request.site]

    def _ListCredentialSets(self, request):
        return SimpleNamespace(sets=list(self.sets.values()), next_page_token="")

    def _CreateCredentialSet(self, request):
        if request.request_id not in self.requests:
            self.requests[request.request_id] = str(uuid.uuid4())
        return self._keep_set(self.requests[request.request_id], request, 1)

    def _UpdateCredentialSet(self, request):
        before = self.sets[request.credential_set]
        if request.revision != before.revision:
            raise failure("ABORTED", f"it is at revision {before.revision}")
        return self._keep_set(before.id, request, before.revision + 1)

    def _DeleteCredentialSet(self, request):
        if not self.sets.pop(request.credential_set, None):
            raise failure("NOT_FOUND", "there is no such set")

    # -- underneath

    def _note(self, method, argument=None):
        self.calls.append((method, argument))
        if self.error is not None:
            raise self.error

    def called(self, method):
        """Return what a method was called with, each time."""
        return [argument for name, argument in self.calls if name == method]

    def _named(self, settings):
        settings = {name: value for name, value in settings.items()}
        if settings.get("site"):
            settings["site"] = self.sites[settings["site"]].name
        if "port" in settings and not settings["port"]:
            settings["port"] = 8728 if settings.get("tls_mode", "off") == "off" else 8729
        return settings

    @staticmethod
    def _place(settings, place_id, revision):
        from mtd.client.places import Place

        return Place(place_id, settings.name, {}, settings.notes, settings.address, revision, SEEN, SEEN, 0)

    def _keep_set(self, set_id, request, revision):
        from mtd.client.credential_sets import CredentialSet

        settings, before = request.settings, self.sets.get(set_id)
        kept = self.secrets.setdefault(set_id, {})
        kept.update({one.kind: one.secret for one in request.secrets})
        changed = set(getattr(request, "update_mask", SimpleNamespace(paths=())).paths)
        names = ("name", "username", "notes")
        values = {
            name: getattr(before if before and name not in changed else settings, name) for name in names
        }
        purpose = (
            before.purpose if before else ("readonly", "diagnostics", "config-audit")[settings.purpose - 1]
        )
        told = dict.fromkeys(kept, "")
        self.sets[set_id] = CredentialSet(
            set_id,
            values["name"],
            purpose,
            values["username"],
            values["notes"],
            told,
            0,
            revision,
            SEEN,
            SEEN,
        )
        return self.sets[set_id]


def device_of(**settings):
    """Return a device as the client does."""
    from mtd.client import Device

    values = {
        "id": str(uuid.uuid4()),
        "tenant_id": "t",
        "name": "core-1",
        "host": "192.0.2.1",
        "port": 8728,
        "username": "",
        "tls_mode": "off",
        "tls_fingerprint": "",
        "enabled": True,
        "interface_naming": "name",
        "code_page": "latin-1",
        "connect_timeout_s": 0.0,
        "command_timeout_s": 0.0,
        "intervals_s": {},
        "labels": {},
        "notes": "",
        "revision": 1,
        "created_at": SEEN,
        "updated_at": SEEN,
        "status": "up",
        "status_reason": "polled in time",
        "last_seen_at": SEEN,
        "routeros_version": "7.16.2",
        "board_name": "CCR2004",
        "identity": "lab",
        "capabilities": {"bgp": "3", "health": "1"},
        "absent_capabilities": {"lte": "no such command"},
        "snmp_port": 161,
        "snmp_auth": "none",
        "snmp_priv": "none",
        "routeros_major": 7,
    }
    return Device(**(values | settings))


class MtdCase(TransactionCase):
    """Two companies, each with an mtd of its own, and users of both groups in each."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        root = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, root, ignore_errors=True)
        cls.enterClassContext(patch.dict(config.options, {"mtd_secrets_dir": root}))
        cls.company = cls.env["res.company"].create({"name": "Acme"})
        cls.other_company = cls.env["res.company"].create({"name": "North"})
        cls.env = cls.env(context={**cls.env.context, "allowed_company_ids": [cls.company.id]})
        cls.connection = cls._connect(cls.company)
        cls.other_connection = cls._connect(cls.other_company)

    def setUp(self):
        super().setUp()
        for connection in self.connection | self.other_connection:
            connection._folder().remove()  # files aren't rolled back with a test
            connection._folder().keep(secrets.TOKEN, SECRET)
        self.mtd, self.other_mtd = FakeMtd(), FakeMtd("north")
        self.startPatcher(patch.object(clients, "make_client", self._make_client))
        self.startPatcher(patch.object(clients, "CLIENTS", clients.Clients()))
        self.startPatcher(patch.object(clients, "BREAKER", clients.Breaker()))
        self.startPatcher(patch.object(clients, "VERIFIED", {}))
        self.startPatcher(patch.object(clocks, "CLOCKS", clocks.Clocks()))
        self.startPatcher(patch.object(MikrotikSync, "_transaction", _same_transaction))
        self.startPatcher(patch.object(MikrotikSync, "_alone", _alone))
        self.startPatcher(patch.object(MikrotikConnection, "_transaction", _same_transaction_of_superuser))

    def _make_client(self, options, timeout_s):
        return self.other_mtd if "other" in options["target"] else self.mtd

    @classmethod
    def _connect(cls, company):
        name = "other" if company == cls.other_company else "mtd"
        return cls.env["mikrotik.connection"].create(
            {"company_id": company.id, "target": f"{name}:50051", "token": SECRET, "tls": "public"}
        )

    @classmethod
    def _user(cls, login, groups, company=None):
        company = company or cls.company
        groups = ",".join(f"mikrotik_monitoring.group_{group}" for group in groups.split(","))
        return new_test_user(
            cls.env, login=login, groups=groups, company_id=company.id, company_ids=[(6, 0, company.ids)]
        )

    def _set(self, **values):
        values = {"name": "noc", "username": "monitor", "password": "p", **values}
        return self.env["mikrotik.credential.set"].create(values)

    def _device(self, **values):
        """Return a device that mtd has."""
        device = self._new_device(**values)
        device._push_ids(device.ids)
        self.assertEqual(device.sync_state, "synced", device.sync_error)
        return device

    def _new_device(self, **values):
        if "credential_set_id" not in values:
            sets = self.env["mikrotik.credential.set"].search([("company_id", "=", self.env.company.id)])
            values["credential_set_id"] = (sets[:1] or self._set()).id
        return self.env["mikrotik.device"].create({"name": "core-1", "host": "192.0.2.1", **values})


class CommittedCase(TransactionCase):
    """A device that waits to be sent to mtd. All is committed, so that transactions are those of a server."""

    def setUp(self):
        super().setUp()
        root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, root, ignore_errors=True)
        self.startPatcher(patch.dict(config.options, {"mtd_secrets_dir": root}))
        self.mtd = FakeMtd()
        self.startPatcher(patch.object(clients, "make_client", lambda options, timeout_s: self.mtd))
        self.startPatcher(patch.object(clients, "CLIENTS", clients.Clients()))
        self.startPatcher(patch.object(clients, "BREAKER", clients.Breaker()))
        self.startPatcher(patch.object(clients, "VERIFIED", {}))
        with self._committed() as env:
            connection = env["mikrotik.connection"].create(
                {"target": "mtd:50051", "tls": "public", "token": SECRET}
            )
            login = env["mikrotik.credential.set"].create(
                {"name": "noc", "username": "monitor", "password": "p"}
            )
            site = env["mikrotik.site"].create({"name": "graz"})
            device = env["mikrotik.device"].create(
                {"name": "core-1", "host": "192.0.2.1", "credential_set_id": login.id, "site_id": site.id}
            )
            self.site_id, self.device_id = site.id, device.id
            self.addCleanup(self._remove, device, site, login, connection)

    @contextmanager
    def _committed(self):
        """Give an environment whose transaction is committed, and after which nothing is pushed."""
        with self.registry.cursor() as cr:
            yield api.Environment(cr, SUPERUSER_ID, {})
            cr.flush()
            cr.postcommit.clear()

    def _remove(self, *made):
        with self.registry.cursor() as cr:
            for record in made:
                cr.execute(SQL("DELETE FROM %s WHERE id = %s", SQL.identifier(record._table), record.id))


@contextmanager
def _same_transaction(records):
    yield records.env(user=SUPERUSER_ID, su=True, context=PULLED)


@contextmanager
def _same_transaction_of_superuser(records):
    yield records.env(user=SUPERUSER_ID, su=True, context={})


@contextmanager
def _alone(_records, _record_id):
    yield True
