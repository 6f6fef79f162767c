"""Syslog: listeners, and lines on their way from a socket to the recorder."""
