from setuptools import setup

setup(
    name="mtd-collector-interfaces",
    version="0.1.0",
    description="mtd: interfaces of MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_interfaces"],
    package_data={"mtd_collector_interfaces": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["interfaces = mtd_collector_interfaces"]},
)
