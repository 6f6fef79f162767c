from setuptools import setup

setup(
    name="mtd-collector-system",
    version="0.1.0",
    description="mtd: the system itself of MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_system"],
    package_data={"mtd_collector_system": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["system = mtd_collector_system"]},
)
