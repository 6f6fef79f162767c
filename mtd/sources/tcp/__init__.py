"""Connections over TCP and TLS, for whatever service of a router is spoken on them.

What a device's TLS mode asks for is got, or there is no connection. Every
failure has its outcome, and a text that says what to do about it.
"""
