"""mtd: ISP-grade monitoring for MikroTik RouterOS."""

__version__ = "0.1.0"
