from setuptools import setup

setup(
    name="mtd-collector-routing",
    version="0.1.0",
    description="mtd: routing protocols and their neighbours on MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_routing"],
    package_data={"mtd_collector_routing": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["routing = mtd_collector_routing"]},
)
