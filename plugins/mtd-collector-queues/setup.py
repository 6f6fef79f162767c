from setuptools import setup

setup(
    name="mtd-collector-queues",
    version="0.1.0",
    description="mtd: queues of MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_queues"],
    package_data={"mtd_collector_queues": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["queues = mtd_collector_queues"]},
)
