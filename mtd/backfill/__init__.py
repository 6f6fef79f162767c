"""History that never was: generated telemetry, written as closed hours are kept.

Takes in what devices there are and a seed, gives out months of traffic, sensors
and their gaps, as arrays, as frames, or straight as blocks and rollups. For
demos, benches and tests. Never touches an hour in which something real is stored.
"""
