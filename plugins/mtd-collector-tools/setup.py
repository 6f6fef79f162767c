from setuptools import setup

setup(
    name="mtd-collector-tools",
    version="0.1.0",
    description="mtd: traffic tools of MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_tools"],
    package_data={"mtd_collector_tools": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["tools = mtd_collector_tools"]},
)
