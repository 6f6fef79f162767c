"""HTTP for probes, scrapers and browsers: liveness, readiness, metrics of the process and of routers.

Takes in a readiness check, and sets of pages that other parts mount. The pages
here answer from memory: none waits for a router, and only the list of devices
is read from the database, now and then.
"""
