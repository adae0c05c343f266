"""The packages of the wheel, which pyproject.toml cannot say: the firmware, and models/ as edge/models."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["edge", "edge.*"]), "edge.models"],
    package_dir={"edge.models": "models"},
)
