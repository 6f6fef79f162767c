"""Secrets that are kept elsewhere: files, the environment, HashiCorp Vault, and what plugins bring.

Takes references and gives secrets, to what polls routers only. Never writes a secret down.
"""
