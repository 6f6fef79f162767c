from setuptools import setup

setup(
    name="mtd-collector-timing",
    version="0.1.0",
    description="mtd: clock, NTP and GPS of MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_timing"],
    package_data={"mtd_collector_timing": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["timing = mtd_collector_timing"]},
)
