from . import mtd_bridge
