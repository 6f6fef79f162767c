"""REST of RouterOS 7: commands as requests, JSON as rows. Pure: bytes in, bytes out.

JSON is read as it comes, in pieces as large as what was received: nothing
waits for a whole table, and no piece takes long.
"""

from mtd.codec.rest.errors import is_routeros_error, trap_of
from mtd.codec.rest.requests import Request, request_of
from mtd.codec.rest.rows import NotRows, RowReader, TooMuch

__all__ = ["NotRows", "Request", "RowReader", "TooMuch", "is_routeros_error", "request_of", "trap_of"]
