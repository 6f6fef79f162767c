"""Wiring by hand: which parts the process has, and in which order they start and stop."""
