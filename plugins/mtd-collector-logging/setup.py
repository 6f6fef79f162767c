from setuptools import setup

setup(
    name="mtd-collector-logging",
    version="0.1.0",
    description="mtd: log settings of MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_logging"],
    package_data={"mtd_collector_logging": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["logging = mtd_collector_logging"]},
)
