"""Ground of the process: errors, clocks, services, limits, logs, metrics, settings.

Takes nothing from the layers above; knows nothing of routers or tables.
"""
