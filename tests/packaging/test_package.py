"""What the wheel and the sdist contain. `make package-test` installs the wheel and uses it."""

import gzip
import socket
import tarfile
import tomllib
import zipfile
from email import message_from_bytes

import pytest
from repository import REPOSITORY

from edge import __version__
from host_tools.package.build import PackageError, build, output
from host_tools.page.pack import served


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(wheel, sdist)"""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def wheel(built):
    """The files of the wheel by name."""
    with zipfile.ZipFile(built[0]) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(wheel):
    (found,) = (content for name, content in wheel.items() if name.endswith("/METADATA"))
    return message_from_bytes(found)


def checked_out(*patterns):
    found = {path for pattern in patterns for path in REPOSITORY.glob(pattern) if path.is_file()}
    return {str(path.relative_to(REPOSITORY)): path.read_bytes() for path in found}


def test_the_wheel_contains_the_whole_firmware_with_its_models_and_nothing_else(wheel):
    firmware = {name: content for name, content in wheel.items() if ".dist-info/" not in name}
    wanted = checked_out("edge/**/*.py", "edge/py.typed", "edge/meter/profiles/*.toml")
    pages = checked_out("edge/api/static/*")
    assert "edge/api/static/index.html" in pages
    models = checked_out("models/*")
    assert {"models/house.tflite", "models/house.md"} <= set(models)
    made = served({name.rpartition("/")[2]: content for name, content in pages.items()})
    packed = {f"edge/api/static/{name}.gz": content for name, content in made.items()}
    assert {name: gzip.decompress(firmware[name]) for name in packed} == packed
    assert firmware == wanted | {f"edge/{name}": content for name, content in models.items()} | {
        name: firmware[name] for name in packed
    }


def test_there_is_one_version(built, metadata):
    assert metadata["Version"] == __version__
    assert all(f"-{__version__}" in path.name for path in built)
    assert "version" not in tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert f"## [{__version__}]" in (REPOSITORY / "CHANGELOG.md").read_text()


def test_the_wheel_has_the_command(wheel):
    (points,) = (content.decode() for name, content in wheel.items() if name.endswith("/entry_points.txt"))
    assert "microgrid-edge = edge.__main__:main" in points


def test_the_wheel_describes_itself(metadata):
    labels = {each.partition(",")[0] for each in metadata.get_all("Project-URL")}
    assert {"Homepage", "Documentation", "Changelog", "Issues"} <= labels
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Author"]
    assert metadata["Keywords"]
    assert "Typing :: Typed" in metadata.get_all("Classifier")
    assert {"learn", "host", "dev", "cluster"} == set(metadata.get_all("Provides-Extra"))
    header = "\n".join(f"{key}: {value}" for key, value in metadata.items())
    assert str(REPOSITORY) not in header
    assert socket.gethostname() not in header


def test_the_sdist_has_what_the_wheel_is_built_from(built):
    """`build` makes the wheel from the sdist alone, so this is what is left to check."""
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "setup.py",
        "pack_pages.py",
        "pyproject.toml",
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "models/house.tflite",
    } <= names
    assert not {name.partition("/")[0] for name in names} & {"host_tools", "tests", "deploy"}


def test_a_failing_command_is_reported_with_its_messages(tmp_path):
    with pytest.raises(PackageError, match=r"(?s)exit code 3.*out of paper"):
        output(["/bin/sh", "-c", "echo out of paper >&2; exit 3"], tmp_path)
