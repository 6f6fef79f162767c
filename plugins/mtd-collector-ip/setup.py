from setuptools import setup

setup(
    name="mtd-collector-ip",
    version="0.1.0",
    description="mtd: addresses, neighbours and routes of MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_ip"],
    package_data={"mtd_collector_ip": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["ip = mtd_collector_ip"]},
)
