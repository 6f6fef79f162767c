from setuptools import setup

setup(
    name="mtd-collector-users",
    version="0.1.0",
    description="mtd: users and logins of MikroTik routers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["mtd_collector_users"],
    package_data={"mtd_collector_users": ["py.typed"]},
    install_requires=["mtd"],
    entry_points={"mtd": ["users = mtd_collector_users"]},
)
