from setuptools import setup

setup(
    name="mtd-collector-containers",
    version="0.1.0",
    description="mtd: containers on MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_containers"],
    package_data={"mtd_collector_containers": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["containers = mtd_collector_containers"]},
)
