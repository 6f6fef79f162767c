from datetime import timedelta
from types import SimpleNamespace

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests.common import tagged

from .common import SEEN, MtdCase

INFO = {
    "device_id": "",
    "device_name": "core-1",
    "event_type": "interface.state_changed",
    "severity": "warning",
    "entity_type": "interface",
    "entity_id": "*1",
    "entity_label": "ether1",
    "field": "running",
    "old_value": "true",
    "new_value": "false",
    "message": "ether1 is down",
    "evidences": (),
    "replaced_positions": (),
}


def event_of(position, **values):
    """Return an event as the client does."""
    now = fields.Datetime.now().replace(tzinfo=SEEN.tzinfo, microsecond=250_000)
    return SimpleNamespace(position=position, **{"collected_at": now, **INFO, **values})


@tagged("post_install", "-at_install")
class TestEvent(MtdCase):
    def setUp(self):
        super().setUp()
        self.device = self._device()
        self.events = self.env["mikrotik.event"]

    def _positions(self):
        return self.events.search([], order="position").mapped("position")

    def test_events_are_kept_with_their_device_and_the_position(self):
        large = 2**53 + 1
        new = self.connection._take_events([event_of(large, device_id=self.device.mtd_id)])
        self.assertEqual(new, 1)
        event = self.events.search([])
        self.assertEqual(event.position, large)
        self.assertEqual(event.device_id, self.device)
        self.assertEqual(event.company_id, self.company)
        self.assertEqual((event.entity, event.old_value, event.new_value), ("ether1", "true", "false"))
        self.assertEqual(self.connection.event_position, str(large))

    def test_the_same_events_again_are_left_out(self):
        told = [event_of(1), event_of(2)]
        self.assertEqual(self.connection._take_events(told), 2)
        self.assertEqual(self.connection._take_events(told), 0)
        self.assertEqual(self.connection._take_events([*told, event_of(3)]), 1)
        self.assertEqual(self._positions(), [1, 2, 3])

    def test_rows_without_the_position_are_no_trouble(self):
        # As after a restore of the connection alone.
        self.connection._take_events([event_of(1), event_of(2)])
        self.connection.event_position = "0"
        self.assertEqual(self.connection._take_events([event_of(1), event_of(2), event_of(3)]), 1)
        self.assertEqual(self._positions(), [1, 2, 3])

    def test_behind_another_position_nothing_is_kept(self):
        self.connection._take_events([event_of(1), event_of(2)], 0)
        self.assertIsNone(self.connection._take_events([event_of(4)], 1))
        self.assertEqual(self.connection._take_events([event_of(3)], 2), 1)
        self.assertEqual(self._positions(), [1, 2, 3])

    def test_another_mtd_counts_from_the_beginning_and_the_same_one_tells_nothing_twice(self):
        one, two = event_of(1), event_of(2)
        self.connection._take_events([one, two])
        self.connection.target = "127.0.0.1:50052"
        self.assertEqual(self.connection.event_position, "0")
        self.assertEqual(self.connection._take_events([one]), 0)
        later = two.collected_at + timedelta(seconds=5)
        self.assertEqual(self.connection._take_events([event_of(2, collected_at=later)]), 1)
        self.assertEqual(self._positions(), [1, 2, 2])

    def test_a_telling_with_more_evidence_takes_the_place_of_those_before(self):
        evidences = [
            SimpleNamespace(source="poll", collected_at=SEEN, after_first_s=0.0, message="ether1 is down"),
            SimpleNamespace(source="syslog", collected_at=SEEN, after_first_s=1.5, message="link down"),
        ]
        self.connection._take_events([event_of(1), event_of(2)])
        self.connection._take_events([event_of(3, replaced_positions=(1,), evidences=evidences)])
        self.assertEqual(self._positions(), [2, 3])
        self.assertEqual(
            self.events.search([("position", "=", 3)]).evidence_text,
            "poll: ether1 is down\nsyslog, 1.5 s later: link down",
        )

    def test_what_is_too_old_moves_the_position_only(self):
        old = event_of(5)
        old.collected_at -= timedelta(days=self.connection.event_days + 1)
        self.assertEqual(self.connection._take_events([old]), 0)
        self.assertEqual(self.connection.event_position, "5")
        self.assertFalse(self._positions())

    def test_old_events_are_removed(self):
        self.connection._take_events([event_of(1), event_of(2)])
        self.env.cr.execute(
            "UPDATE mikrotik_event SET time = time - interval '1 day' * %s WHERE position = 1",
            [self.connection.event_days + 1],
        )
        self.events._gc_events()
        self.assertEqual(self._positions(), [2])

    def test_events_get_their_device_when_it_comes_to_be_known(self):
        self.connection._take_events([event_of(1, device_id="later")])
        self.assertFalse(self.events.search([]).device_id)
        device = self._new_device(name="later")
        device.with_context(mtd_pulled=True).mtd_id = "later"
        self.env.flush_all()
        self.assertEqual(self.events._link_devices(), 1)
        self.assertEqual(self.events.search([]).device_id, device)

    def test_nobody_writes_events(self):
        self.connection._take_events([event_of(1)])
        event = self.events.search([])
        admin = self._user("event-admin", "admin")
        for change in (
            lambda: event.with_user(admin).write({"message": "all is well"}),
            lambda: self.events.with_user(admin).create({"message": "made up"}),
            lambda: event.with_user(admin).unlink(),
        ):
            with self.assertRaises(AccessError):
                change()

    def test_other_companies_and_subscribers_are_not_seen(self):
        self.connection._take_events(
            [event_of(1), event_of(2, event_type="ppp.session.started", message="anna is connected")]
        )
        self.other_connection._take_events([event_of(1, message="theirs")])
        viewer = self._user("event-viewer", "viewer")
        trusted = self._user("event-trusted", "viewer,subscriber_data")
        self.assertEqual(self.events.with_user(viewer).search([]).mapped("position"), [1])
        self.assertEqual(sorted(self.events.with_user(trusted).search([]).mapped("position")), [1, 2])
        theirs = self.events.search([("message", "=", "theirs")])
        self.assertFalse(self.events.with_user(trusted).search([("message", "=", "theirs")]))
        with self.assertRaises(AccessError):
            theirs.with_user(trusted).read(["message"])

    def test_the_newest_are_shown_as_widgets_read_them(self):
        self.connection._take_events([event_of(n, device_id=self.device.mtd_id) for n in range(1, 6)])
        shown = self.connection._recent_events(self.device, 3)
        self.assertEqual([event["position"] for event, _private in shown], [3, 4, 5])
        event, private = shown[-1]
        self.assertFalse(private)
        self.assertEqual(event["t_us"] % 1_000_000, 250_000)
        self.assertEqual(event["entity"], "ether1")
        self.assertEqual((event["evidences"], event["replaces"]), ([], []))
        self.assertNotIn("subscriber", event)
