"""Makes ``twistd mtd`` known to Twisted; nothing else."""

from twisted.application.service import ServiceMaker

mtd = ServiceMaker("mtd", "mtd.app.tap", "Monitoring for MikroTik RouterOS networks.", "mtd")
