"""The bridge: carries live values, events and diagnostics from mtd to Odoo, in a process of its own.

Only ``odoo_store`` and ``writer`` know Odoo; the rest knows the port, and mtd's client.
"""
