"""paho is imported without what a node does not need, and nobody else notices."""

import ast
import subprocess
import sys

import pytest
from repository import REPOSITORY

_IMPORT = "from edge.net import lean_paho; import sys; "


def said(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_what_is_not_needed_is_not_loaded():
    assert (
        said(_IMPORT + "print({'urllib.request', 'hashlib', 'http', 'email'} & set(sys.modules))") == "set()"
    )


@pytest.mark.parametrize("first", ["", "import urllib.request, hashlib; "])
def test_others_get_the_real_modules_before_and_after(first):
    after = "import urllib.request, hashlib; print(urllib.request.getproxies(), hashlib.sha1().digest_size)"
    assert said(f"import os; os.environ.clear(); {first}{_IMPORT}{after}") == "{} 20"


def test_a_proxy_is_still_found_where_it_can_be_used(tmp_path):
    (tmp_path / "socks.py").write_text("HTTP = 3\nSOCKS5 = 2\nSOCKS4 = 1\n")
    paths = (
        f"import sys, os; sys.path.insert(0, {str(tmp_path)!r}); os.environ['mqtt_proxy'] = 'http://p:81'; "
    )
    found = "c = lean_paho.Client(lean_paho.CallbackAPIVersion.VERSION2); print(c._get_proxy()['proxy_addr'])"
    assert said(paths + _IMPORT + found) == "p"


def test_edge_imports_paho_from_there_only():
    importing = {
        str(path.relative_to(REPOSITORY))
        for path in (REPOSITORY / "edge").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        if name.split(".")[0] == "paho"
    }
    assert importing == {"edge/net/lean_paho.py"}
