import dataclasses
from concurrent.futures import ThreadPoolExecutor

from odoo import _, api, models
from odoo.exceptions import UserError

MOST_AT_ONCE = 20
DEADLINE_S = 20
"""A router may take its time to refuse; the user waits for it. mtd itself has to answer as soon as for any page."""


class MikrotikDevice(models.Model):
    """What operators do with routers."""

    _inherit = "mikrotik.device"

    def action_test_connection(self):
        """Try to reach the routers, and show how far it got."""
        self._check_may_run()
        return self.env["mikrotik.connection.test"]._run(self)

    def action_refresh_capabilities(self):
        """Probe now what the routers can do."""
        from mtd.client import requests

        self._check_may_run()
        self._push_new()

        def refresh(client, mtd_id):
            return client.ask(_bounded(requests.refresh_capabilities(mtd_id)))

        answers = self._at_once(refresh)
        self._take_answers(answers)
        return self._told(answers, _("Capabilities were probed."))

    def action_poll_now(self):
        """Poll the routers now instead of when they are due, and take over what mtd says of them then."""
        from mtd.client import requests

        self._check_may_run()
        self._push_new()

        def poll(client, mtd_id):
            client.ask(_bounded(requests.poll_now(mtd_id, ())))
            return client.get_device(mtd_id)

        answers = self._at_once(poll)
        self._take_answers(answers)
        return self._told(answers, _("Polled."))

    def _check_may_run(self):
        self.check_access_rights("write")
        self.check_access_rule("write")
        if not self:
            raise UserError(_("Select a device first."))
        if len(self) > MOST_AT_ONCE:
            raise UserError(_("Select at most %s devices: somebody waits for each of them.", MOST_AT_ONCE))
        self._check_mtd_answers()

    def _check_mtd_answers(self):
        """Raise UserError if mtd is away. It is asked each time, so that buttons work as soon as it is back."""
        for company in self.company_id:
            connection = self.env["mikrotik.connection"]._of_company(company)
            connection._probe()
            if connection._is_away():
                raise UserError(_("mtd doesn't answer at the moment. Try again in half a minute."))

    def _push_new(self):
        """Let mtd know devices that it doesn't know yet."""
        self.filtered(lambda record: not record.mtd_id)._push_now()
        unknown = self.filtered(lambda record: not record.mtd_id)
        if unknown:
            first = unknown[0]
            connection = self.env["mikrotik.connection"]._of_company(first.company_id)
            connection._client()  # says so itself if it isn't set up
            raise UserError(
                _(
                    "mtd doesn't know %(name)s yet: %(why)s",
                    name=first.name,
                    why=first.sync_error
                    or _("it can't be reached at the moment. Try again in half a minute."),
                )
            )

    def _at_once(self, ask):
        """Ask mtd about all of these at the same time. Returns the answer or the error for each."""
        from mtd.client import MtdClientError

        clients = {company: self._client_of(company) for company in self.company_id}
        answers = {}
        for company, client in clients.items():
            records = self.filtered(lambda one, company=company: one.company_id == company)

            def one(mtd_id, client=client):
                # In a thread of its own: nothing of Odoo is touched here.
                try:
                    return ask(client, mtd_id), None
                except MtdClientError as error:
                    return None, error

            ids = records.mapped("mtd_id")
            with ThreadPoolExecutor(max_workers=len(ids)) as pool:
                answers.update(zip(records, pool.map(one, ids), strict=True))
        return answers

    @api.model
    def _client_of(self, company):
        """Return a company's client, once it is known that it leads to the company's own tenant."""
        from mtd.client import MtdClientError

        connection = self.env["mikrotik.connection"]._of_company(company)
        try:
            # What mtd says of a router doesn't tell whether mtd is away: that was asked before.
            return connection._line().client
        except MtdClientError as error:
            raise UserError(connection._words(error)) from error

    @api.model
    def _take_answers(self, answers):
        """Take over what mtd says of devices, company by company: ids of mtd count within a tenant."""
        told = {}
        for record, (answer, _error) in answers.items():
            if answer is not None:
                told.setdefault(record.company_id, []).append(answer)
        for company, remotes in told.items():
            self._take_facts(company, remotes)

    def _told(self, answers, done):
        """Return a notice: that it was done, or for which devices it wasn't."""
        words = self.env["mikrotik.connection"]._words
        failed = [f"{record.name}: {words(error)}" for record, (_answer, error) in answers.items() if error]
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "warning" if failed else "success",
                "message": "\n".join(failed) or done,
                "sticky": bool(failed),
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    # -- ways to the router itself ---------------------------------------------------

    def action_open_webfig(self):
        """Open the router's own web page."""
        scheme = "http" if self.tls_mode == "off" else "https"
        return self._opened(lambda host: f"{scheme}://{host}/webfig/", target="new")

    def action_open_ssh(self):
        """Open a terminal on the router, with whatever the user's machine has for ssh links."""
        # sudo: the name of the login is needed, not the set; it holds no secret.
        user = self.sudo().credential_set_id.username or self.username
        return self._opened(lambda host: f"ssh://{user}@{host}" if user else f"ssh://{host}")

    def action_open_winbox(self):
        """Open WinBox on the router, where the user's machine knows winbox links."""
        return self._opened(lambda host: f"winbox://{host}")

    def _opened(self, url, target="self"):
        self.ensure_one()
        self.check_access_rights("read")
        self.check_access_rule("read")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return {"type": "ir.actions.act_url", "url": url(host), "target": target}

    def action_diagnostics(self):
        """Run a tool on the router: ping, traceroute or torch."""
        self.ensure_one()
        self.check_access_rights("write")
        self.check_access_rule("write")
        return {
            "type": "ir.actions.act_window",
            "res_model": "mikrotik.diagnostic",
            "views": [(False, "form")],
            "target": "new",
            "name": _("Diagnostics of %s", self.name),
            "context": {"default_device_id": self.id, "mikrotik_dialog": True},
        }


def _bounded(call):
    """Return a call that doesn't hold a user's request longer than we want to wait."""
    return dataclasses.replace(call, min_timeout_s=DEADLINE_S)
