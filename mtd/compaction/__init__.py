"""Closed hours of telemetry become blocks and rollups.

Takes in the frames of hours that are over, gives out axes, blocks and rollups,
and takes the frames away in the same transaction. All of it runs in a process
of its own, which the daemon starts and watches. It never touches an hour that
is still being written, and never deletes a frame that it didn't read back.
"""
