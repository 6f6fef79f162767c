from setuptools import setup

setup(
    name="mtd-collector-dhcp",
    version="0.1.0",
    description="mtd: DHCP, DNS and address pools of MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_dhcp"],
    package_data={"mtd_collector_dhcp": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["dhcp = mtd_collector_dhcp"]},
)
