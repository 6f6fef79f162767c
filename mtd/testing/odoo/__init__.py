"""A real Odoo 17 for the tests and benches of its addon: database, servers, bridge, and clients as browsers are."""
