from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests.common import tagged

from ..gateway import secrets
from .common import SECRET
from .test_viewing import StoreCase


@contextmanager
def forbidden(below, *names):
    """Refuse these methods of a secret, or of all in a folder, as the system does to who may not use them."""

    def guarded(real):
        def call(path, *arguments, **options):
            if path.is_relative_to(below) and path.name in secrets.NAMES:
                raise PermissionError(13, "Permission denied", str(path))
            return real(path, *arguments, **options)

        return call

    patchers = [patch.object(Path, name, guarded(getattr(Path, name))) for name in names]
    try:
        for one in patchers:
            one.start()
        yield
    finally:
        for one in patchers:
            one.stop()


@tagged("post_install", "-at_install")
class TestConnectionFiles(StoreCase):
    """Files that the server may not use, as after somebody saved a token as root: their company alone suffers."""

    def _unreadable(self):
        return forbidden(self.connection._folder().path, "stat", "open")

    def _check_words(self, text):
        self.assertIn(str(self.connection._folder().path), text)
        self.assertIn("Permission denied", text)
        self.assertIn(f"chown -R {secrets.user()} ", text)

    def test_the_form_says_what_is_wrong(self):
        self.assertFalse(self.connection.secrets_trouble)
        self.connection.invalidate_recordset()
        with self._unreadable():
            own, other = (self.connection | self.other_connection).read(["has_token", "secrets_trouble"])
        self.assertEqual((own["has_token"], other["has_token"]), (False, True))
        self._check_words(own["secrets_trouble"])
        self.assertFalse(other["secrets_trouble"])

    def test_a_file_in_a_readable_folder_counts_too(self):
        with forbidden(self.connection._folder().path, "open"):
            self._check_words(self.connection._secrets_trouble())
            self.assertFalse(self.connection._is_set_up())

    def test_the_bridge_goes_on_with_the_others(self):
        with self._unreadable(), self._store() as store:
            found = {one.id: one for one in store.connections()}
        self._check_words(found[self.connection.id].problem)
        self.assertEqual(found[self.other_connection.id].problem, "")

    def test_the_comparison_goes_on_with_the_others(self):
        both = self.connection | self.other_connection
        with self._unreadable():
            self.assertFalse(both._reconcile())
        self.assertEqual(both.mapped("state"), ["failed", "ok"])
        self._check_words(self.connection.last_error)

    def test_who_needs_mtd_is_told(self):
        with self._unreadable():
            self.assertTrue(self.device.connection_missing)
            with self.assertRaises(UserError) as caught:
                self.device.action_poll_now()
        self._check_words(str(caught.exception))

    def test_it_is_not_moved_with_a_token_that_cannot_be_seen(self):
        connection = self.connection.with_user(self._user("files-admin", "admin"))
        for values in ({"target": "evil:443"}, {"ca_pem": "an own CA"}):
            token = self.connection._folder().file(secrets.TOKEN)
            with forbidden(token, "open"), self.assertRaises(UserError) as caught:
                connection.write(values)
            self._check_words(str(caught.exception))
        self.assertEqual(self.connection._folder().text(secrets.TOKEN), SECRET)
        self.assertFalse(self.connection.has_ca_pem)

    def test_secrets_that_cannot_be_removed_are_not_taken_for_removed(self):
        connection = self.connection.with_user(self._user("forget-admin", "admin"))
        for remove in (connection.action_forget_secrets, connection.unlink):
            with forbidden(self.connection._folder().path, "unlink"), self.assertRaises(UserError) as caught:
                remove()
            self._check_words(str(caught.exception))
            self.assertTrue(connection.exists())
            self.assertEqual(connection.state, "unknown")
        self.assertEqual(self.connection._folder().text(secrets.TOKEN), SECRET)
