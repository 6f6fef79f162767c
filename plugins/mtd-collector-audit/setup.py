from setuptools import setup

setup(
    name="mtd-collector-audit",
    version="0.1.0",
    description="mtd: changes of the configuration of MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_audit"],
    package_data={"mtd_collector_audit": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["audit = mtd_collector_audit"]},
)
