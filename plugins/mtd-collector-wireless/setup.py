from setuptools import setup

setup(
    name="mtd-collector-wireless",
    version="0.1.0",
    description="mtd: wireless networks of MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_wireless"],
    package_data={"mtd_collector_wireless": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["wireless = mtd_collector_wireless"]},
)
