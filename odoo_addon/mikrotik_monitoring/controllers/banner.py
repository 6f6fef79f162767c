from markupsafe import Markup
from odoo import _, http
from odoo.http import request

_ADMIN = "mikrotik_monitoring.group_admin"


class Banner(http.Controller):
    """What stands above lists while what they show may not be right."""

    @http.route("/mikrotik_monitoring/banner", type="json", auth="user")
    def banner(self, context=None):
        """Return the banner as HTML; nothing if all is well, or if the user sees no devices.

        ``context`` says which companies the user works in; others than the user's own are refused.
        """
        if not request.env.user.has_group("mikrotik_monitoring.group_viewer"):
            return {}
        request.update_context(**(context or {}))
        lines = [line for company in request.env.companies for line in self._lines(company)]
        if not lines:
            return {}
        # A click beside a link must not reach the handler of links.
        html = Markup('<div class="alert alert-warning mb-0 py-2 pe-none" role="alert">%s</div>')
        return {"html": html % Markup("<br/>").join(lines)}

    def _lines(self, company):
        connection = request.env["mikrotik.connection"]._of_company(company)
        if connection and connection._secrets_trouble():
            return [
                _("%s: the token for mtd can't be read on this server; see the connection.", company.name)
            ]
        if not connection._is_set_up():
            text = _("%s has no connection to mtd yet: nothing is monitored.", company.name)
            if not request.env.user.has_group(_ADMIN):
                return [text]
            link = Markup('<a href="#" type="action" class="pe-auto" data-model="%s" data-method="%s">%s</a>')
            return [
                Markup("%s %s")
                % (text, link % ("mikrotik.connection", "action_open_connection", _("Set it up")))
            ]
        if connection.state == "failed":
            return [self._failure(connection, company)]
        if connection.bridge_is_late:
            return [
                _(
                    "%s: the bridge hasn't been heard of for two minutes; status may be old.",
                    company.name,
                )
            ]
        return []

    def _failure(self, connection, company):
        """Say that what is shown may be old; why is for those who can mend it."""
        if not request.env.user.has_group(_ADMIN) or not connection.last_error:
            return _("%s: the connection to mtd has failed; status may be old.", company.name)
        return _(
            "%(company)s: the connection to mtd has failed; status may be old. %(why)s",
            company=company.name,
            why=connection.last_error.splitlines()[0],
        )
