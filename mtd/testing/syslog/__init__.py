"""Syslog measured and witnessed: programs of others that send and store lines, and how fast mtd is beside them."""
