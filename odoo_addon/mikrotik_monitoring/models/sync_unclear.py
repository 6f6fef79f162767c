import uuid

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from .sync_parts import Push

_MAYBE_MADE = frozenset(
    ("ABORTED", "CANCELLED", "DATA_LOSS", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE", "UNKNOWN")
)
"""Errors after which mtd may have made what it was sent."""
_NOT_MADE = frozenset(("ALREADY_EXISTS", "INVALID_ARGUMENT", "NOT_FOUND"))
"""Refusals of what was sent: mtd, which knows a repeated request, says so only if it made nothing of it."""


class MikrotikSync(models.AbstractModel):
    """A new record that mtd was sent, and of which nobody knows yet whether mtd has it.

    Exactly the same is sent again, whatever was changed here meanwhile: mtd makes the same request once only, and
    tells its id. The changes follow.
    """

    _inherit = "mikrotik.sync"

    sync_sent = fields.Json(
        readonly=True, copy=False, help="What mtd was sent when it was new, as long as mtd hasn't answered."
    )

    @api.model
    def _owned_by_mtd(self):
        return super()._owned_by_mtd() | {"sync_sent"}

    def _push_again(self):
        """Return what was sent and not answered, to be sent once more; None if there is nothing like that."""
        if self.mtd_id or not self.sync_sent:
            return None
        settings = dict(self.sync_sent["settings"])
        edits = self.sync_sent["edits"]
        return Push(self.id, settings["name"], "", 0, self.sync_request_id, edits, settings, is_again=True)

    def _keep_sent(self, push):
        """Note what mtd is sent, or was."""
        if not self.mtd_id:
            sent = {"settings": push.settings, "edits": push.edits}
            self._pulled({"sync_sent": sent, "sync_request_id": push.request_id})

    def _forget_sent(self):
        if self.sync_sent:
            self._pulled({"sync_sent": False})

    def _push_end(self, push, answer, error):
        """Keep what came of a push, and what was sent as long as that isn't clear."""
        if push.is_again and error is not None and error.code in _NOT_MADE:
            self._send_anew(error)
            return
        super()._push_end(push, answer, error)
        if push.mtd_id or self.mtd_id or not (push.is_again or error.code in _MAYBE_MADE):
            self._forget_sent()
        else:
            self._keep_sent(push)

    def _push_unsent(self, push, error):
        """Keep why nothing could be sent. What was sent before, and not answered, stays as it is."""
        self._push_failed(push, error)
        if push.is_again:
            self._keep_sent(push)

    def _send_anew(self, error):
        """What was sent first wasn't made: what is here now is sent as another request."""
        self._pulled(
            {
                "sync_sent": False,
                "sync_request_id": str(uuid.uuid4()),
                "sync_state": "pending",
                "sync_error": self.env["mikrotik.connection"]._words(error),
                "sync_next_at": fields.Datetime.now(),
            }
        )

    def _names_sent(self):
        """Return the names under which mtd may have some of these, which the next push tells."""
        return {record.sync_sent["settings"]["name"] for record in self if record.sync_sent}

    @api.ondelete(at_uninstall=False)
    def _unlink_except_unclear(self):
        for record in self.filtered("sync_sent"):
            if self.env["mikrotik.connection"]._of_company(record.company_id)._is_set_up():
                raise UserError(
                    _(
                        "mtd was sent %s and hasn't answered, so it may have it. Send it again, "
                        "or wait until mtd answers; then delete it.",
                        record.name,
                    )
                )
