"""The shipped models are found wherever the software lies: checkout, wheel, release on a node."""

import hashlib
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from repository import REPOSITORY

from edge.learn.lstm.shipped import models_folder, read_model, shipped_models
from edge.learn.model import DamagedFile
from host_tools.deploy.release import build_release

SHIPPED = {path.stem: path.read_bytes() for path in (REPOSITORY / "models").glob("*.tflite")}


def test_a_checkout_has_them_by_name():
    assert shipped_models() == sorted(SHIPPED)
    assert {name: read_model(name) for name in shipped_models()} == SHIPPED


@pytest.mark.parametrize("folder", ["models", "edge/models"])
def test_they_are_found_beside_the_package_and_inside(tmp_path, folder):
    """Beside it in a checkout, also if installed as editable; inside it in a wheel and in a release."""
    shutil.copytree(REPOSITORY / "edge", tmp_path / "edge", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(REPOSITORY / "models", tmp_path / folder)
    code = (
        "from edge.learn.lstm import shipped; print(shipped.__file__); print(shipped.models_folder());"
        "print(*shipped.shipped_models())"
    )
    command = [sys.executable, "-c", code]
    env = {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    said = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True).stdout
    file, found, names = said.splitlines()
    assert Path(file).is_relative_to(tmp_path)
    assert Path(found) == tmp_path / folder
    assert names.split() == sorted(SHIPPED)


def test_a_release_for_a_node_has_them_inside(tmp_path):
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    release = build_release(platform.machine(), python, releases=tmp_path)
    folder = models_folder(release.folder / "lib" / "edge")
    assert folder == release.folder / "lib" / "edge" / "models"
    assert {path.stem: path.read_bytes() for path in folder.glob("*.tflite")} == SHIPPED
    assert "lib/edge/models/house.tflite" in release.files


def test_an_installed_package_ignores_a_folder_of_that_name_beside_it(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "edge/models").mkdir(parents=True)
    assert models_folder(tmp_path / "edge") == tmp_path / "edge/models"


def test_a_file_may_be_given_by_path(tmp_path):
    (tmp_path / "own.tflite").write_bytes(b"weights")
    assert read_model(str(tmp_path / "own.tflite")) == b"weights"


def test_a_file_given_by_path_is_compared_with_its_card_if_it_has_one(tmp_path):
    path = tmp_path / "own.tflite"
    path.write_bytes(b"weights")
    path.with_suffix(".md").write_text(f"- sha256 `{hashlib.sha256(b'weights').hexdigest()}`\n")
    assert read_model(str(path)) == b"weights"
    path.write_bytes(b"weightz")
    with pytest.raises(DamagedFile, match="sha256"):
        read_model(str(path))


@pytest.mark.parametrize("name", ["hous", "", "../models/house", "no/such.tflite"])
def test_an_unknown_name_is_refused_with_those_that_exist(name):
    with pytest.raises(ValueError, match=r"start = .*: not a shipped model \(house, living_lab\)"):
        read_model(name)
