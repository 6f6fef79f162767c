from setuptools import setup

setup(
    name="mtd-collector-firewall",
    version="0.1.0",
    description="mtd: firewall rules and connections of MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_firewall"],
    package_data={"mtd_collector_firewall": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["firewall = mtd_collector_firewall"]},
)
