"""From a bare Python to a machine on which every make target works; standard library only.

Run by the Makefile when pyproject.toml has changed: a virtual environment, our packages in it, and a
broker if it may install one. What is merely better to have is asked for, what is needed is insisted on.
"""

import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))  # run as a file, before anything is installed

from host_tools.setup.debs import SetupError, apt_install, run  # noqa: E402 - not found before

VENV = REPOSITORY / ".venv"
OLDEST = (3, 11)
EXTRAS = "host,learn,dev"


def suitable_python() -> str:
    """An interpreter that is new enough. Raises SetupError if there is none."""
    newer = [f"python3.{minor}" for minor in range(OLDEST[1], OLDEST[1] + 4)]
    for candidate in (sys.executable, *newer):
        test = [candidate, "-c", f"import sys; sys.exit(sys.version_info < {OLDEST})"]
        if shutil.which(candidate) and subprocess.run(test, check=False).returncode == 0:
            return candidate
    raise SetupError(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed")


def make_venv() -> None:
    """The virtual environment; Debian's Python cannot make one without python3-venv."""
    if (VENV / "bin" / "pip").exists():
        return
    create = [suitable_python(), "-m", "venv", "--clear", str(VENV)]
    try:
        run(create)
    except SetupError:
        say("installing python3-venv")
        apt_install("python3-venv")
        run(create)


def install_packages() -> None:
    """This project, editable, with all that a PC needs."""
    say(f"installing Python packages into {VENV.name}")
    pip = [str(VENV / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "-e", f"{REPOSITORY}[{EXTRAS}]"])


def install_broker() -> None:
    """Mosquitto for the whole system if we are root; else a broker is fetched when one is wanted."""
    if shutil.which("mosquitto") or Path("/usr/sbin/mosquitto").exists():
        return
    say("installing Mosquitto")
    try:
        apt_install("mosquitto")
    except SetupError as problem:
        say(f"no Mosquitto yet ({problem}); an MQTT broker will be fetched without root when needed")


def install_test_tools() -> None:
    """What the tests of deployment use, with root; without, what is there must do."""
    needed = {
        "openssh-server": "/usr/sbin/sshd",
        "systemd": "/usr/bin/systemd-analyze",
        "sudo": "/usr/sbin/visudo",
    }
    missing = [package for package, program in needed.items() if not Path(program).exists()]
    if not missing:
        return
    say(f"installing {', '.join(missing)}")
    try:
        apt_install(*missing)
    except SetupError as problem:
        say(f"without {', '.join(missing)} the tests of deployment fail ({problem})")


def say(text: str) -> None:
    """Progress, for people."""
    print(f"setup: {text}", flush=True)


def main() -> int:
    """Set everything up; 1 and a sentence if something needed cannot be had."""
    try:
        make_venv()
        install_packages()
    except SetupError as problem:
        print(f"setup failed: {problem}", file=sys.stderr)
        return 1
    install_broker()
    install_test_tools()
    return 0


if __name__ == "__main__":
    sys.exit(main())
