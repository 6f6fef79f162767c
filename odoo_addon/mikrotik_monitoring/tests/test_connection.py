import inspect
import stat
from unittest.mock import patch

import odoo
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests.common import new_test_user, tagged
from psycopg2 import IntegrityError

from ..gateway import clients, secrets
from ..hooks import uninstall_hook
from .common import SECRET, FakeMtd, MtdCase, failure


@tagged("post_install", "-at_install")
class TestConnection(MtdCase):
    def test_fake_has_the_signatures_of_the_client(self):
        from mtd.client import MtdClient

        names = [name for name in vars(FakeMtd) if not name.startswith("_") and name != "called"]
        self.assertIn("create_device", names)
        for name in names:
            real, fake = (inspect.signature(getattr(one, name)) for one in (MtdClient, FakeMtd))
            real, fake = (
                [(p.name, p.kind, p.default) for p in one.parameters.values()] for one in (real, fake)
            )
            self.assertEqual(fake, real, name)

    def test_secrets_are_files_that_others_cannot_read(self):
        folder = self.connection._folder()
        self.assertEqual(folder.text(secrets.TOKEN), SECRET)
        self.assertEqual(stat.S_IMODE(folder.file(secrets.TOKEN).stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(folder.path.stat().st_mode), 0o700)

    def test_secrets_are_nowhere_in_the_database(self):
        self.connection.write({"client_key": SECRET, "sql_dsn": SECRET, "ca_pem": SECRET})
        self.env.flush_all()
        self.env.cr.execute("SELECT * FROM mikrotik_connection")
        self.assertNotIn(SECRET, str(self.env.cr.fetchall()))
        self.assertNotIn(SECRET, str(self.connection.read()))
        self.assertNotIn(SECRET, str(self.connection.export_data(["name", "token", "sql_dsn"])))

    def test_a_saved_secret_does_not_come_back_to_the_form(self):
        told = self.connection.web_save({"token": SECRET + "2"}, {"token": {}, "has_token": {}})
        self.assertEqual((told[0]["token"], told[0]["has_token"]), (False, True))
        self.assertEqual(self.connection._folder().text(secrets.TOKEN), SECRET + "2")

    def test_an_empty_secret_keeps_the_present_one(self):
        self.connection.write({"token": "", "ca_pem": False})
        self.assertEqual(self.connection._folder().text(secrets.TOKEN), SECRET)

    def test_a_database_login_is_for_those_who_run_the_server(self):
        admin = self._user("connection-admin", "admin")
        connection = self.connection.with_user(admin)
        connection.write({"token": SECRET})
        for values in ({"sql_dsn": "host=elsewhere"}, {"metric_source": "sql"}):
            with self.assertRaises(AccessError):
                connection.write(values)
        self.assertFalse(self.connection.has_sql_dsn)

    def test_a_rolled_back_secret_is_put_back(self):
        self.env.cr.postrollback.clear()  # as at the start of a transaction
        for token in ("another", "a third"):
            self.connection.write({"token": token})
        self.env.cr.postrollback.run()
        self.assertEqual(self.connection._folder().text(secrets.TOKEN), SECRET)

    def test_secrets_of_a_dropped_database_are_not_taken_over(self):
        self.connection.unlink()
        self.env.cr.execute("SELECT last_value + 1 FROM mikrotik_connection_id_seq")
        [number] = self.env.cr.fetchone()
        root = self.env["mikrotik.connection"]._secrets_root()
        secrets.Folder(root, self.env.cr.dbname, number).keep(secrets.TOKEN, SECRET)
        again = self.env["mikrotik.connection"].create({"company_id": self.company.id, "target": "mtd:50051"})
        self.assertEqual((again.id, again.has_token), (number, False))

    def test_a_token_only_goes_where_it_was_given_for(self):
        connection = self.connection.with_user(self._user("redirect-admin", "admin"))
        for values in ({"target": "evil:443"}, {"tls": "none"}, {"ca_pem": "an own CA"}):
            with self.assertRaises(UserError):
                connection.write(values)
        self.assertEqual(self.connection._folder().text(secrets.TOKEN), SECRET)
        connection.write({"target": "mtd2:443", "token": "another"})
        self.assertEqual(self.connection._folder().text(secrets.TOKEN), "another")
        with self.assertRaises(UserError):
            connection.company_id = self.other_company

    def _kept(self):
        folder = self.connection._folder()
        return {name: folder.text(name) for name in secrets.NAMES if folder.has(name)}

    def test_blanks_are_no_token_for_another_address(self):
        connection = self.connection.with_user(self._user("blank-admin", "admin"))
        connection.write({"client_pem": "C", "client_key": "K"})
        for blanks in ({"token": " "}, {"client_pem": "C2", "client_key": " "}, {"client_key": "K2"}):
            with self.assertRaisesRegex(UserError, "given again"):
                connection.write({"target": "evil:443", **blanks})
        self.assertEqual(self._kept(), {"token": SECRET, "client.pem": "C", "client.key": "K"})

    def test_a_certificate_takes_the_place_of_the_token(self):
        connection = self.connection.with_user(self._user("certificate-admin", "admin"))
        connection.write({"target": "mtd2:443", "client_pem": "C", "client_key": "K"})
        self.assertEqual(self._kept(), {"client.pem": "C", "client.key": "K"})
        with self.assertRaisesRegex(UserError, "given again"):
            connection.write({"target": "evil:443"})
        connection.write({"target": "mtd3:443", "client_pem": "C3", "token": "another"})
        self.assertEqual(self._kept(), {"client.pem": "C3", "token": "another"}, "the key isn't for mtd3")

    def test_a_connection_without_secrets_may_be_moved(self):
        self.connection._forget_secrets((secrets.TOKEN,))
        self.connection.write({"tls": "none", "client_pem": "C", "client_key": "K"})
        connection = self.connection.with_user(self._user("empty-admin", "admin"))
        connection.write({"target": "mtd2:443", "tls": "public"})
        self.assertEqual(self._kept(), {})

    def test_another_ca_comes_with_the_token(self):
        self.connection.write({"client_pem": "C", "client_key": "K"})
        connection = self.connection.with_user(self._user("ca-admin", "admin"))
        connection.write({"ca_pem": "CA", "token": "another"})
        kept = {"ca.pem": "CA", "token": "another", "client.pem": "C", "client.key": "K"}
        self.assertEqual(self._kept(), kept)
        connection.write({"name": "mtd 2", "target": connection.target, "tls": connection.tls})
        self.assertEqual(self._kept(), kept, "nothing moved")

    def test_who_runs_the_server_moves_it_with_its_token(self):
        groups = "base.group_system,mikrotik_monitoring.group_admin"
        own = {"company_id": self.company.id, "company_ids": [(6, 0, self.company.ids)]}
        owner = new_test_user(self.env, login="root-admin", groups=groups, **own)
        self.connection.with_user(owner).target = "mtd2:443"
        self.assertEqual(self._kept(), {"token": SECRET})
        with self.assertRaises(AccessError):
            elsewhere = self.env["res.company"].create({"name": "Elsewhere"})
            self.connection.with_user(owner).company_id = elsewhere
        code_of_ours = self.connection.with_user(self._user("sudo-admin", "admin")).sudo()
        code_of_ours.target = "mtd3:443"
        self.assertEqual(self._kept(), {"token": SECRET})

    def test_what_was_changed_is_not_tested(self):
        for values in ({"target": "mtd2:443"}, {"tls": "none"}, {"token": "another"}, {"ca_pem": "CA"}):
            self.connection.write({"state": "failed", "last_error": "x"})
            self.connection.write(values)
            self.assertEqual((self.connection.state, self.connection.last_error), ("unknown", False))
        self.connection.write({"state": "failed", "last_error": "x"})
        self.connection.write({"name": "mtd 2", "token": " "})
        self.assertEqual(self.connection.last_error, "x")

    def test_much_that_was_asked_for_is_no_mtd_that_is_away(self):
        def late(_client):
            raise failure("DEADLINE_EXCEEDED", "too late")

        for is_small in (False, True):
            with self.assertRaises(UserError):
                self.connection._ask(late, is_small=is_small)
            self.assertEqual(self.connection._is_away(), is_small)

    def test_secrets_go_with_the_connection(self):
        path = self.connection._folder().path
        self.connection.unlink()
        self.assertTrue(path.exists(), "before the commit it may still be rolled back")
        self.env.cr.postcommit.run()
        self.assertFalse(path.exists())

    def test_uninstalling_removes_the_secrets_of_this_database(self):
        path = self.connection._folder().path.parent
        uninstall_hook(self.env)
        self.env.cr.postcommit.run()
        self.assertFalse(path.exists())

    def test_forget_secrets(self):
        self.connection.action_forget_secrets()
        self.assertFalse(self.connection.has_token)
        with self.assertRaisesRegex(UserError, "Connections"):
            self.connection._client()

    def test_without_a_connection_the_error_says_what_to_do(self):
        company = self.env["res.company"].create({"name": "New"})
        with self.assertRaisesRegex(UserError, "Configuration ▸ Connections"):
            self.env["mikrotik.connection"]._of_company(company)._client()

    def test_never_from_the_process_of_the_websockets(self):
        with patch.object(odoo, "evented", True), self.assertRaises(RuntimeError):
            self.connection._client()

    def test_options_show_the_token_of_the_moment(self):
        options = self.connection._client_options()
        self.assertEqual(options["token"](), SECRET)
        self.connection._folder().keep(secrets.TOKEN, "rotated")
        self.assertEqual(options["token"](), "rotated")
        self.assertTrue(options["tls"])

    def test_certificates_are_named_as_files(self):
        self.connection.write({"tls": "ca", "ca_pem": "CA", "client_pem": "C", "client_key": "K"})
        options = self.connection._client_options()
        for name, file in (
            ("ca_file", "ca.pem"),
            ("certificate_file", "client.pem"),
            ("key_file", "client.key"),
        ):
            self.assertTrue(options[name].endswith(file))

    def test_own_ca_without_its_certificate(self):
        self.connection.tls = "ca"
        with self.assertRaisesRegex(UserError, "CA certificate"):
            self.connection._client()

    def test_client_is_kept_until_settings_or_files_change(self):
        made = []

        def make(options, timeout_s):
            made.append(timeout_s)
            return FakeMtd()

        with patch.object(clients, "make_client", make):
            first = self.connection._client()
            self.assertIs(self.connection._client(), first)
            self.connection._client(1)
            self.assertIs(self.connection._client(), first, "another deadline doesn't close it")
            self.connection.write({"token": "another"})
            self.assertIsNot(self.connection._client(), first)
            second = self.connection._client()
            self.connection.target = "elsewhere:50051"
            self.assertIsNot(self.connection._client(), second)
        self.assertEqual(made, [5.0, 1, 5.0, 5.0])

    def test_client_is_made_anew_after_a_fork(self):
        first = self.connection._client()
        self.mtd = FakeMtd()
        self.assertIs(self.connection._client(), first)
        with patch.object(clients.os, "getpid", lambda: -1):
            self.assertIs(self.connection._client(), self.mtd)

    def test_ask_turns_errors_into_words(self):
        self.mtd.error = failure("PERMISSION_DENIED", "not for you", "ask an administrator")
        with self.assertRaisesRegex(UserError, r"not for you \[PERMISSION_DENIED\]\nask an administrator"):
            self.connection._ask(lambda client: client.list_metrics())

    def test_test_notes_what_came_of_it(self):
        self.assertEqual(self.connection.action_test()["params"]["type"], "success")
        self.assertEqual((self.connection.state, self.connection.tenant_name), ("ok", "acme"))
        self.mtd.error = failure("UNAVAILABLE", "can't reach mtd")
        self.assertEqual(self.connection.action_test()["params"]["type"], "danger")
        self.assertEqual(self.connection.state, "failed")
        self.assertIn("can't reach mtd", self.connection.last_error)

    def test_breaker_opens_when_mtd_is_away_and_closes_with_an_answer(self):
        self.mtd.error = failure("PERMISSION_DENIED")
        self.connection._test()
        self.assertFalse(self.connection._is_away(), "mtd answered")
        self.mtd.error = failure("DEADLINE_EXCEEDED")
        self.connection._test()
        self.assertTrue(self.connection._is_away())
        self.assertFalse(self.other_connection._is_away())
        self.mtd.error = None
        self.connection._test()
        self.assertFalse(self.connection._is_away())

    def test_breaker_closes_after_half_a_minute(self):
        now = [100.0]
        breaker = clients.Breaker(lambda: now[0])
        breaker.note("c", "UNAVAILABLE")
        self.assertTrue(breaker.is_open("c"))
        now[0] += clients.AWAY_S
        self.assertFalse(breaker.is_open("c"))

    def test_one_connection_for_a_company(self):
        with (
            self.assertRaises(IntegrityError),
            self.env.cr.savepoint(),
            odoo.tools.mute_logger("odoo.sql_db"),
        ):
            self._connect(self.company)
            self.env.flush_all()

    def test_address_is_checked(self):
        for target in ("a b:1", "a:1,,b:2", ","):
            with self.assertRaises(ValidationError):
                self.connection.target = target
        self.connection.target = "hub-1:50051, hub-2:50051"

    def test_only_administrators_read_connections(self):
        viewer = self._user("connection-viewer", "viewer")
        with self.assertRaises(AccessError):
            self.connection.with_user(viewer).read(["target"])
        with self.assertRaises(AccessError):
            self.connection.with_user(viewer).action_test()
        with self.assertRaises(AccessError):
            self.other_connection.with_user(self._user("connection-admin", "admin")).action_test()

    def test_open_connection(self):
        self.assertEqual(
            self.env["mikrotik.connection"].action_open_connection()["res_id"], self.connection.id
        )
