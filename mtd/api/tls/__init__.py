"""TLS of the doors: where certificates come from, and how doors take new ones without closing a connection."""
