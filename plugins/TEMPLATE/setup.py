from setuptools import setup

setup(
    name="mtd-collector-DISTRIBUTION",
    version="0.1.0",
    description="mtd: NAME of MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_NAME"],
    package_data={"mtd_collector_NAME": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["NAME = mtd_collector_NAME"]},
)
