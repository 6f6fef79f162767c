from setuptools import setup

setup(
    name="mtd-collector-lte",
    version="0.1.0",
    description="mtd: LTE and 5G modems of MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_lte"],
    package_data={"mtd_collector_lte": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["lte = mtd_collector_lte"]},
)
