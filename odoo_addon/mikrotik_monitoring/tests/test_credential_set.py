from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests.common import Form, tagged
from odoo.tools import mute_logger
from psycopg2 import IntegrityError

from .common import SECRET, MtdCase, failure

KINDS = ("password", "snmp_community", "snmp_auth_password", "snmp_priv_password")


@tagged("post_install", "-at_install")
class TestCredentialSet(MtdCase):
    def test_secrets_go_to_mtd_and_stay_nowhere_else(self):
        made = self._set(**{kind: f"{SECRET}-{kind}" for kind in KINDS})
        self.assertEqual(self.mtd.secrets[made.mtd_id], {kind: f"{SECRET}-{kind}" for kind in KINDS})
        self.assertTrue(all(made[f"has_{kind}"] for kind in KINDS))
        self.env.flush_all()
        self.env.cr.execute("SELECT * FROM mikrotik_credential_set")
        self.assertNotIn(SECRET, str(self.env.cr.fetchall()))
        self.assertNotIn(SECRET, str(made.read()))
        self.assertNotIn(SECRET, str(made.export_data(["name", *KINDS])))

    def test_no_column_could_hold_a_secret(self):
        self.env.cr.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'mikrotik_credential_set'"
        )
        self.assertFalse({name for (name,) in self.env.cr.fetchall()} & set(KINDS))

    def test_a_saved_secret_does_not_come_back_to_the_form(self):
        told = self.env["mikrotik.credential.set"].web_save(
            {"name": "noc", "password": SECRET}, {"password": {}, "has_password": {}}
        )
        self.assertEqual((told[0]["password"], told[0]["has_password"]), (False, True))

    def test_form(self):
        form = Form(self.env["mikrotik.credential.set"])
        form.name, form.username, form.password = "noc", "monitor", SECRET
        made = form.save()
        self.assertEqual(self.mtd.secrets[made.mtd_id], {"password": SECRET})

    def test_change(self):
        made = self._set(password="old")
        made.write({"password": "new"})
        made.write({"notes": "for all"})
        self.assertEqual(self.mtd.secrets[made.mtd_id], {"password": "new"})
        self.assertEqual((self.mtd.sets[made.mtd_id].notes, made.mtd_revision), ("for all", 3))

    def test_an_empty_secret_keeps_the_present_one(self):
        made = self._set(password="old")
        made.write({"password": "", "username": "other"})
        self.assertEqual(self.mtd.secrets[made.mtd_id], {"password": "old"})

    def test_what_mtd_refuses_is_not_done_here(self):
        self.mtd.error = failure("PERMISSION_DENIED", "not with this token")
        with self.assertRaisesRegex(UserError, "not with this token"), self.env.cr.savepoint():
            self._set()
        self.assertFalse(self.env["mikrotik.credential.set"].search([]))
        self.mtd.error = None
        made = self._set()
        self.mtd.error = failure("UNAVAILABLE", "can't reach mtd")
        with self.assertRaisesRegex(UserError, "can't reach mtd"), self.env.cr.savepoint():
            made.username = "other"
        self.env.invalidate_all()
        self.assertEqual(made.username, "monitor")
        with self.assertRaisesRegex(UserError, "can't reach mtd"), self.env.cr.savepoint():
            made.unlink()
        self.assertTrue(made.exists())

    def test_needs_a_secret(self):
        with self.assertRaisesRegex(UserError, "password"):
            self._set(password="")

    def test_the_same_request_run_again_is_done_once(self):
        made = self.env["mikrotik.credential.set"].new(
            {"name": "noc", "purpose": "readonly", "company_id": self.company.id}
        )
        first = made._request_id({"password": SECRET})
        self.assertEqual(made._request_id({"password": SECRET}), first)
        self.assertNotEqual(made._request_id({"password": "other"}), first)

    def test_what_the_database_refuses_mtd_is_not_asked_for(self):
        self._set()
        self.mtd.calls.clear()
        with self.assertRaises(IntegrityError), self.env.cr.savepoint(), mute_logger("odoo.sql_db"):
            self._set()
        self.assertFalse(self.mtd.calls)

    def test_removal(self):
        made = self._set()
        mtd_id = made.mtd_id
        made.unlink()
        self.assertNotIn(mtd_id, self.mtd.sets)

    def test_a_set_in_use_is_not_asked_to_go(self):
        made = self._set()
        self._new_device(credential_set_id=made.id)
        with self.assertRaises(IntegrityError), self.env.cr.savepoint(), mute_logger("odoo.sql_db"):
            made.unlink()
        self.assertIn(made.mtd_id, self.mtd.sets)

    def test_purpose_and_company_are_fixed(self):
        made = self._set()
        with self.assertRaises(ValidationError):
            made.purpose = "diagnostics"
        with self.assertRaises(ValidationError):
            made.company_id = self.other_company

    def test_what_mtd_says_is_not_written_by_users(self):
        made = self._set()
        admin = self._user("set-admin", "admin")
        with self.assertRaisesRegex(UserError, "come from mtd"):
            made.with_user(admin).with_context(mtd_pulled=True).write({"has_password": False})

    def test_only_administrators_of_the_company_see_sets(self):
        made = self._set()
        for user in (
            self._user("set-viewer", "viewer"),
            self._user("set-other", "admin", self.other_company),
        ):
            with self.assertRaises(AccessError):
                made.with_user(user).read(["name"])

    def test_reconciliation(self):
        made = self._set()
        self.mtd.ask(self._other_set())
        self.connection._reconcile()
        found = self.env["mikrotik.credential.set"].search([("name", "=", "tools")])
        self.assertEqual((found.purpose, found.has_password), ("diagnostics", True))
        self.mtd.sets.clear()
        self.connection._reconcile()
        self.assertEqual((made.in_mtd, found.in_mtd), (False, False))
        made.write({"password": "again"})
        self.assertTrue(made.in_mtd)
        self.assertIn(made.mtd_id, self.mtd.sets)

    def _other_set(self):
        from mtd.client import credential_sets

        return credential_sets.create_set("tools", "diagnostics", request_id="1", secrets={"password": "x"})
