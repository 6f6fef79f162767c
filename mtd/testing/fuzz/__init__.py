"""Malformed requests, very many of them: what must never bring a daemon down, nor out of its composure."""
