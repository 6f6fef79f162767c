"""Secrets at rest, and later who may see what.

Takes in secrets and gives out ciphertext, and back. Never logs either, and never
keeps a key anywhere but in its file.
"""
