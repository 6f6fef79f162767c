from setuptools import setup

setup(
    name="mtd-collector-ppp",
    version="0.1.0",
    description="mtd: PPP, hotspot and VPN sessions of MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_ppp"],
    package_data={"mtd_collector_ppp": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["ppp = mtd_collector_ppp"]},
)
