"""Numbered migrations, ``NNNN_name.sql``. A released one is never edited."""
