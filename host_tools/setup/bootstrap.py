"""Set up a machine on which only Python is installed, so that every make target works; standard library only.

The Makefile runs it when pyproject.toml or constraints.txt has changed. It makes a virtual environment,
installs our packages into it and, where it is root, Mosquitto and the tools that the deployment tests use.
Setup fails only if the environment or its packages cannot be installed; for the rest it prints what is
missing.
"""

import shutil
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))  # run as a file, before anything is installed

from host_tools.setup.debs import SetupError, apt_install, run  # noqa: E402 - not found before

VENV = REPOSITORY / ".venv"
OLDEST = (3, 11)
EXTRAS = "host,learn,dev,cluster"
CONSTRAINTS = REPOSITORY / "constraints.txt"
CONSTRAINED = "3.11"  # the Python that constraints.txt is for


def suitable_python() -> str:
    """A Python that is new enough. Raises SetupError if there is none."""
    newer = [f"python3.{minor}" for minor in range(OLDEST[1], OLDEST[1] + 4)]
    for candidate in (sys.executable, *newer):
        test = [candidate, "-c", f"import sys; sys.exit(sys.version_info < {OLDEST})"]
        if shutil.which(candidate) and subprocess.run(test, check=False).returncode == 0:
            return candidate
    raise SetupError(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed")


def make_venv() -> None:
    """Make the virtual environment. On Debian this needs python3-venv, which is installed if missing."""
    if (VENV / "bin" / "pip").exists():
        return
    create = [suitable_python(), "-m", "venv", "--clear", str(VENV)]
    try:
        run(create)
    except SetupError:
        say("installing python3-venv")
        apt_install("python3-venv")
        run(create)


def install_packages(*options: str) -> None:
    """Install this project as editable, with everything that a PC needs. `options` are passed to pip."""
    pip = [str(VENV / "bin" / "pip"), "install", "--progress-bar=off", "--disable-pip-version-check"]
    show_progress([*pip, *options, "-e", f"{REPOSITORY}[{EXTRAS}]"])


def show_progress(pip: list[str]) -> None:
    """Run pip and print a line for each package. Raises SetupError with the last lines of its output."""
    began_s, last = time.monotonic(), deque[str](maxlen=3)
    with subprocess.Popen(pip, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            last.append(line.strip())
            if text := progress(line):
                say(f"{time.monotonic() - began_s:4.0f} s  {text}")
    if process.returncode:
        raise SetupError(f"pip install: {' / '.join(last) or process.returncode}")


def progress(line: str) -> str:
    """What a line of pip says to a person who waits; empty for most lines."""
    words = line.split()
    if words[:1] == ["Collecting"]:
        return words[1]
    if words[:1] == ["Downloading"]:
        return f"downloading {words[1].rpartition('/')[2]} {' '.join(words[2:])}"
    if words[:2] == ["Installing", "collected"]:
        return f"installing {line.count(',') + 1} packages; this takes a minute or two"
    return ""


def install_constrained() -> None:
    """Install the versions that constraints.txt names."""
    say(f"installing Python packages into {VENV.name}")
    if python_version() != CONSTRAINED:
        say(f"constraints.txt is for Python {CONSTRAINED}: the newest permitted versions are installed")
    install_packages("--constraint", str(CONSTRAINTS))


def python_version() -> str:
    """The version of the environment's Python, such as "3.11"."""
    return run(
        [str(VENV / "bin" / "python"), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    ).strip()


def install_broker() -> None:
    """Install Mosquitto on the system if we are root; otherwise a broker is downloaded when one is needed."""
    if shutil.which("mosquitto") or Path("/usr/sbin/mosquitto").exists():
        return
    say("installing Mosquitto")
    try:
        apt_install("mosquitto")
    except SetupError as problem:
        say(f"Mosquitto is not installed ({problem}); a broker will be downloaded when one is needed")


def install_test_tools() -> None:
    """Install the tools that the tests of deployment and of the dashboard use, if we are root."""
    needed = {
        "openssh-server": "/usr/sbin/sshd",
        "systemd": "/usr/bin/systemd-analyze",
        "sudo": "/usr/sbin/visudo",
        "chromium": "/usr/bin/chromium",
        "fonts-inter": "/usr/share/fonts/opentype/inter",  # so that screenshots look the same everywhere
    }
    missing = [package for package, program in needed.items() if not Path(program).exists()]
    if not missing:
        return
    say(f"installing {', '.join(missing)}")
    try:
        apt_install(*missing)
    except SetupError as problem:
        say(f"{', '.join(missing)}: not installed ({problem}); the tests that use them will fail")


def say(text: str) -> None:
    """Print one line of progress."""
    print(f"setup: {text}", flush=True)


def main() -> int:
    """Set everything up. Returns 1, and prints why, if the Python packages cannot be installed."""
    try:
        make_venv()
        install_constrained()
    except SetupError as problem:
        print(f"setup failed: {problem}", file=sys.stderr)
        return 1
    install_broker()
    install_test_tools()
    return 0


if __name__ == "__main__":
    sys.exit(main())
