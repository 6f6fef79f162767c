from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests.common import tagged

from ..gateway import clients
from .common import MtdCase, failure


@tagged("post_install", "-at_install")
class TestMtdAway(MtdCase):
    """An mtd that hangs costs a page a few seconds once, and after that nobody waits for it."""

    def setUp(self):
        super().setUp()
        self.now = 100.0
        self.startPatcher(patch.object(clients, "BREAKER", clients.Breaker(lambda: self.now)))
        self.asked = []
        self.connection._test()

    def _much(self, client):
        """Ask for much. A function of the client, as pages have it."""
        self.asked.append("much")
        return client.list_devices()

    def _ask(self):
        return self.connection._ask(self._much, is_small=False)

    def _small_questions(self):
        return len(self.mtd.called("WhoAmI"))

    def test_what_hangs_is_asked_once(self):
        self.mtd.error = failure("DEADLINE_EXCEEDED", "too late")
        with self.assertRaisesRegex(UserError, "too late"):
            self._ask()
        self.assertTrue(self.connection._is_away(), "a small question came too late as well")
        before = len(self.mtd.calls)
        for _again in range(3):
            with self.assertRaisesRegex(UserError, "doesn't answer"):
                self._ask()
        self.assertEqual((self.asked, len(self.mtd.calls)), (["much"], before), "nobody waits")

    def test_what_was_too_much_is_no_mtd_that_is_away(self):
        def late(_client):
            raise failure("DEADLINE_EXCEEDED", "too late")

        before = self._small_questions()
        with self.assertRaisesRegex(UserError, "too late"):
            self.connection._ask(late, is_small=False)
        self.assertEqual(self._small_questions(), before + 1)
        self.assertFalse(self.connection._is_away())

    def test_the_small_question_is_a_short_one(self):
        deadlines = []

        def client(_connection, deadline_s=5.0):
            deadlines.append(deadline_s)
            return self.mtd

        self.mtd.error = failure("DEADLINE_EXCEEDED")
        with patch.object(type(self.connection), "_client", client), self.assertRaises(UserError):
            self._ask()
        self.assertEqual(deadlines, [5.0, 1])

    def test_half_a_minute_later_a_small_question_comes_first(self):
        self.mtd.error = failure("UNAVAILABLE")
        with self.assertRaises(UserError):
            self._ask()
        self.now += clients.AWAY_S
        with self.assertRaisesRegex(UserError, "doesn't answer"):
            self._ask()
        self.assertEqual(self.asked, ["much"])
        self.mtd.error = None
        with self.assertRaises(UserError):
            self._ask()
        self.now += clients.AWAY_S
        self.assertEqual(self._ask(), [])
        before = self._small_questions()
        self.assertEqual(self._ask(), [])
        self.assertEqual(self._small_questions(), before, "it has answered since")

    def test_what_a_user_presses_is_tried(self):
        self.mtd.error = failure("UNAVAILABLE")
        self.connection._test()
        self.assertTrue(self.connection._is_away())
        self.mtd.error = None
        self.assertEqual(self.connection.action_test()["params"]["type"], "success")
        self.assertEqual(self._ask(), [])
