"""The wheels of a release are exactly those whose SHA-256 is in the repository."""

import hashlib

import pytest

from host_tools.deploy import wheels


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    monkeypatch.setattr(wheels, "PINNED", tmp_path / "wheels.sha256")
    monkeypatch.setattr(wheels, "WHEELS", tmp_path)

    def download(requirements, arch, python, folder):
        folder.mkdir()
        (folder / "good-1-any.whl").write_bytes(b"content")

    monkeypatch.setattr(wheels, "_fetch", download)
    digest = hashlib.sha256(b"content").hexdigest()
    (tmp_path / "wheels.sha256").write_text(f"{digest}  good-1-any.whl\n")
    return tmp_path


def test_a_pinned_wheel_is_used_and_a_changed_or_unknown_one_refused(wheel):
    (found,) = wheels.wheelhouse("aarch64", "3.11")
    found.write_bytes(b"changed")
    with pytest.raises(wheels.WheelError, match="SHA-256"):
        wheels.wheelhouse("aarch64", "3.11")
    found.write_bytes(b"content")
    found.with_name("other-1-any.whl").write_bytes(b"")
    with pytest.raises(wheels.WheelError, match=r"other-1-any\.whl is not in wheels\.sha256"):
        wheels.wheelhouse("aarch64", "3.11")


def test_pinning_writes_what_is_then_accepted(wheel):
    (wheel / "wheels.sha256").unlink()
    assert wheels.pin() == 1
    assert wheels.wheelhouse("aarch64", "3.11")


def test_every_wheel_of_the_constraints_is_pinned_for_both_architectures():
    names = wheels.PINNED.read_text()
    for package in ("numpy", "orjson", "tflite_runtime"):
        for arch in wheels.ARCHITECTURES:
            assert any(f"  {package}-" in line and arch in line for line in names.splitlines()), (
                package,
                arch,
            )
