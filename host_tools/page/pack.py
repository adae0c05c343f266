"""How the files of the dashboard are packed for a node: without comments, some scripts in one, compressed.

`setup.py` packs them, too; the sdist has this file as `pack_pages.py`, since it has nothing of `host_tools`.
"""

import gzip
import re
from collections.abc import Mapping
from pathlib import Path

_FEW = 10
_COMMENT = re.compile(r"(?<=[;,{}()\]]) // [^`\"]*$")
_BREAK = re.compile(r"(?<=[{};,])\n")  # of a line in a style sheet
_IMPORT = re.compile(r'^import (?:(\w+)(?:, | ))?(?:\{ (.*?) \} )?from "\./(.*?)";$')
_TOP = re.compile(r"^(?:async )?(?:const|let|function|class) (\w+)")
# The scripts that become one, by its name; each comes after those that it needs. The same scripts are loaded
# together anyway, and together they compress better.
GROUPS = {
    "app.js": (
        *("texts.js", "units.js", "api.js", "route.js", "live.js", "dialogs.js", "widgets.js", "changes.js"),
        *("flow.js", "now.js", "app.js"),
    ),
    "day.js": ("outlook.js", "chart.js", "events.js", "day.js"),
    "forecast.js": ("heat.js", "gossip.js", "models.js", "forecast.js"),
    "microgrid.js": ("topology.js", "microgrid.js"),
}


def served(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files as a node sends them, before they are compressed. Raises ValueError for scripts that do not
    fit together."""
    found = dict(files)
    for target, members in GROUPS.items():
        if set(members) <= set(found):
            together = _joined(target, {name: found.pop(name).decode() for name in members})
            for name, data in found.items():
                if name.endswith(".js"):
                    found[name] = _redirected(data.decode(), target, members).encode()
            found[target] = together.encode()
    found = {name: lean(name, data) for name, data in found.items()}
    if "index.html" in found:
        gone = {name for name in files if name not in found}
        lines = found["index.html"].decode().splitlines(keepends=True)
        found["index.html"] = "".join(each for each in lines if not _preloads(each, gone)).encode()
    return found


def packed(data: bytes) -> bytes:
    """Compressed; the same gives the same bytes."""
    return gzip.compress(data, 9, mtime=0)


def pack(folder: Path) -> None:
    """Replace the files of `folder` by those that are served, as NAME.gz."""
    files = {path.name: path for path in folder.iterdir() if path.suffix != ".gz"}
    made = served({name: path.read_bytes() for name, path in files.items()})
    for path in files.values():
        path.unlink()
    for name, data in sorted(made.items()):
        (folder / f"{name}.gz").write_bytes(packed(data))


def lean(name: str, data: bytes) -> bytes:
    """A script or a style sheet of ours without indentation and comments, a style sheet also without spaces
    that mean nothing; a library is a file of few lines."""
    lines = [line.strip() for line in data.decode().splitlines()] if name.endswith((".js", ".css")) else []
    if len(lines) < _FEW:
        return data
    if name.endswith(".css"):
        text = "\n".join(
            line for line in lines if line and not (line.startswith("/*") and line.endswith("*/"))
        )
        for long, short in ((": ", ":"), ("; ", ";"), (" {", "{"), ("{ ", "{"), (" }", "}"), (", ", ",")):
            text = text.replace(long, short)
        text = _BREAK.sub("", text).replace(";}", "}")
    else:
        kept = (line for line in lines if line and not line.startswith("//"))
        text = "\n".join(_COMMENT.sub("", line) for line in kept)
    return f"{text}\n".encode()


# ---- several scripts in one ------------------------------------------------------------------------


def _joined(target: str, members: Mapping[str, str]) -> str:
    """One script of those of a group. Raises ValueError."""
    outside: dict[str, dict[str, None]] = {}  # names by file, in order
    body: list[str] = []
    exported: list[str] = []
    known: dict[str, str] = {}  # file by name
    for name, text in members.items():
        for line in text.splitlines():
            if found := _IMPORT.match(line):
                default, names, file = found.groups()
                if file in members:
                    continue
                wanted = outside.setdefault(file, {})
                wanted |= dict.fromkeys(
                    ([f"default as {default}"] if default else []) + (names or "").split(", ")
                )
                continue
            if name != target:
                line = line.removeprefix("export default ")
            if line.startswith("export ") and not line.startswith("export default "):
                line = line.removeprefix("export ")
                exported.append(_top(line, name))
            if (top := _TOP.match(line)) and known.setdefault(top[1], name) != name:
                raise ValueError(f"{top[1]} is in {known[top[1]]} and in {name}")
            body.append(line)
    heads = []
    for file, wanted in outside.items():
        heads.append(f'import {{ {", ".join(each for each in wanted if each)} }} from "./{file}";')
    return "\n".join([*heads, *body, f"export {{ {', '.join(exported)} }};", ""])


def _top(line: str, name: str) -> str:
    found = _TOP.match(line)
    if found is None:
        raise ValueError(f"{name}: `{line[:60]}` exports no name")
    return found[1]


def _redirected(text: str, target: str, members: tuple[str, ...]) -> str:
    """What is imported from one of a group comes from the script of the group."""
    for name in members:
        text = text.replace(f'from "./{name}";', f'from "./{target}";')
    return text


def _preloads(line: str, gone: set[str]) -> bool:
    return "modulepreload" in line and any(f"/assets/{name}" in line for name in gone)
