from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests.common import tagged

from .common import MtdCase, device_of

SECRET_NAME = "theirs-secret-name"
NAMED = {"display_name": {}}


class TwoCompanies(MtdCase):
    """A device in each company, and users of the first."""

    def setUp(self):
        super().setUp()
        self.mine = self._device(name="mine")
        self.other_mtd.devices["x"] = device_of(id="x", name=SECRET_NAME, site="")
        self.other_connection._reconcile()
        self.theirs = self.env["mikrotik.device"].sudo().search([("mtd_id", "=", "x")])
        self.viewer = self._user("company-viewer", "viewer")
        self.admin = self._user("company-admin", "admin")
        self.other_mtd.calls.clear()

    def _their_set(self):
        theirs = self.env["mikrotik.credential.set"].with_company(self.other_company)
        return theirs.create({"name": SECRET_NAME, "password": "p", "company_id": self.other_company.id})


@tagged("post_install", "-at_install")
class TestCompanyStays(TwoCompanies):
    def _rows(self):
        """Return a row of each model that is my company's."""
        test = self.env["mikrotik.connection.test"].with_user(self.admin)
        test = test.create({"device_id": self.mine.id, "outcome": "ok"})
        step = {"test_id": test.id, "step": "other", "way": "api"}
        event = {"company_id": self.company.id, "connection_id": self.connection.id, "severity": "info"}
        aim = {"device_id": self.mine.id, "address": "192.0.2.1"}
        removal = {"name": "r", "mtd_id": "r", "company_id": self.company.id}
        return [
            self.mine,
            self.connection,
            self.mine.credential_set_id,
            self.mine.capability_ids[0],
            self.env["mikrotik.site"].with_user(self.admin).create({"name": "graz"}),
            self.env["mikrotik.device.removal"].create(removal),
            self.env["mikrotik.event"].create({**event, "position": 1, "time": fields.Datetime.now()}),
            self.env["mikrotik.diagnostic"].with_user(self.admin).create(aim),
            test,
            test.step_ids.create(step),
            self.env["mikrotik.metric.latest"].browse(1),
            self.env["mikrotik.metric.point"].browse(1),
        ]

    def test_my_row_does_not_move_to_another_company(self):
        rows = {row._name: row for row in self._rows()}
        names = {
            name
            for name, model in self.env.items()
            if name.startswith("mikrotik.") and not model._abstract and "company_id" in model._fields
        }
        self.assertEqual(rows.keys(), names, "every model with a company is tried")
        both = self._user("company-both", "admin")
        both.company_ids += self.other_company
        for user in (self.admin, both):
            for name, row in rows.items():
                mine = row.with_user(user).with_context(allowed_company_ids=user.company_ids.ids)
                refused = self.assertRaises(UserError)
                with self.subTest(name, user=user.login), refused, self.env.cr.savepoint():
                    mine.write({"company_id": self.other_company.id})
                    self.env.flush_all()
        for name in names - {"mikrotik.metric.latest", "mikrotik.metric.point"}:
            self.assertEqual(rows[name].sudo().company_id, self.company, name)

    def test_a_new_device_does_not_take_their_login_along(self):
        theirs = self._their_set()
        evil = self._new_device(name="evil", host="198.51.100.6").with_user(self.admin)
        with self.assertRaises(UserError), self.env.cr.savepoint():
            evil.write({"company_id": self.other_company.id, "credential_set_id": theirs.id})
        evil.sudo()._push_ids(evil.ids)
        self.assertFalse(self.other_mtd.called("create_device"))

    def test_nothing_is_made_in_another_company(self):
        for name, values in {
            "mikrotik.site": {"name": "s"},
            "mikrotik.device": {"name": "d", "host": "192.0.2.1"},
            "mikrotik.credential.set": {"name": "c", "password": "p"},
        }.items():
            with self.subTest(name), self.assertRaises(AccessError), self.env.cr.savepoint():
                self.env[name].with_user(self.admin).create({**values, "company_id": self.other_company.id})
        self.assertFalse(self.other_mtd.calls)

    def test_a_row_does_not_come_to_name_their_device(self):
        tests = self.env["mikrotik.connection.test"].with_user(self.admin)
        with self.assertRaises(AccessError), self.env.cr.savepoint():
            tests.create({"device_id": self.theirs.id, "outcome": "ok"})
        test = tests.create({"device_id": self.mine.id, "outcome": "ok"})
        with self.assertRaises(AccessError), self.env.cr.savepoint():
            test.write({"device_id": self.theirs.id})

    def test_server_code_may_move_what_mtd_does_not_know(self):
        site = self.env["mikrotik.site"].create({"name": "graz"})
        site.company_id = self.other_company
        self.assertEqual(site.company_id, self.other_company)


@tagged("post_install", "-at_install")
class TestOnchange(TwoCompanies):
    """Core tells the name of any id that a form holds."""

    def _told(self, model, values, spec, user=None, **context):
        model = self.env[model].with_user(user or self.viewer).with_context(**context)
        return str([model.onchange(values, names, spec) for names in ([], list(values))])

    def test_names_of_their_devices(self):
        spec = {"device_id": {"fields": NAMED}, "company_id": {"fields": NAMED}, "display_name": {}}
        for name, model in sorted(self.env.items()):
            if not name.startswith("mikrotik.") or model._abstract or "device_id" not in model._fields:
                continue
            if name == "mikrotik.viewing":
                continue  # no user has rights on it
            for values, context in (
                ({"device_id": self.theirs.id}, {}),
                ({}, {"default_device_id": self.theirs.id}),
                ({"device_id": {"id": self.theirs.id}}, {}),
            ):
                with self.subTest(name, values=values):
                    told = self._told(name, values, spec, **context)
                    self.assertNotIn(SECRET_NAME, told)
                    self.assertNotIn(self.other_company.name, told)

    def test_what_is_mine_is_shown(self):
        spec = {"device_id": {"fields": NAMED}}
        told = self._told("mikrotik.diagnostic", {"device_id": self.mine.id}, spec)
        self.assertIn("'display_name': 'mine'", told)
        context = {"default_device_id": self.mine.id}
        self.assertIn("'display_name': 'mine'", self._told("mikrotik.diagnostic", {}, spec, **context))

    def test_names_of_their_sites_and_logins(self):
        theirs = self._their_set()
        site = self.env["mikrotik.site"].create({"name": SECRET_NAME, "company_id": self.other_company.id})
        values = {"site_id": site.id, "credential_set_id": theirs.id}
        spec = {"site_id": {"fields": NAMED}, "credential_set_id": {"fields": NAMED}}
        self.assertNotIn(SECRET_NAME, self._told("mikrotik.device", values, spec, self.admin))

    def test_names_within_lines(self):
        spec = {"capability_ids": {"fields": {"device_id": {"fields": NAMED}}}}
        lines = [(0, "virtual_1", {"device_id": self.theirs.id})]
        told = self._told("mikrotik.device", {"capability_ids": lines}, spec)
        self.assertNotIn(SECRET_NAME, told)
