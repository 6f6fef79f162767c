from setuptools import setup

setup(
    name="mtd-collector-files",
    version="0.1.0",
    description="mtd: files on MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_files"],
    package_data={"mtd_collector_files": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["files = mtd_collector_files"]},
)
