from setuptools import setup

setup(
    name="mtd-collector-services",
    version="0.1.0",
    description="mtd: services, certificates and netwatch of MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_services"],
    package_data={"mtd_collector_services": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["services = mtd_collector_services"]},
)
