"""The files of the dashboard: what they weigh, that they fit together, and which libraries they hold."""

import gzip
import hashlib
import json
import re
import tomllib

import pytest

from edge.api.troubles import CODES
from edge.config.check import build
from host_tools.page.measure import LANGUAGES, VENDORED, sizes, totals
from host_tools.page.pack import GROUPS as JOINED
from host_tools.page.pack import lean, served
from host_tools.page.vendor import BUNDLES, COPIES, LIST, PACKAGES, STATIC

VENDOR_LIST = json.loads(LIST.read_text())
OWN = {path.name: path.read_text() for path in STATIC.glob("*.js") if path.name not in VENDORED}
STYLE = (STATIC / "style.css").read_text()
INDEX = (STATIC / "index.html").read_text()
FREE = {"MIT", "Apache-2.0", "BSD-3-Clause", "ISC"}


def test_vendored_files_are_those_of_the_list():
    assert set(VENDOR_LIST["files"]) == {*BUNDLES, *COPIES, "licences.txt"}
    for name, checksum in VENDOR_LIST["files"].items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == checksum, name


def test_the_list_names_versions_licences_and_the_command_that_makes_the_files():
    packages = VENDOR_LIST["packages"]
    assert set(PACKAGES) <= set(packages)
    assert all(packages[name]["version"] == version for name, version in PACKAGES.items())
    assert {each["licence"] for each in packages.values()} <= FREE
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    assert VENDOR_LIST["command"] == "python -m host_tools.page.vendor"
    licences = (STATIC / "licences.txt").read_text()
    assert all(f"{name} {each['version']} ({each['licence']})" in licences for name, each in packages.items())


def test_what_a_page_tells_people_to_write_is_a_valid_configuration():
    literals = re.findall(r"<code>\$\{'(\[.*?)'\}", OWN["forecast.js"])
    texts = re.findall(r"\"first\.\w+_code\": '(\[.*?)',", OWN["en.js"])
    assert (len(literals), len(texts)) == (1, 1)
    for text in (*literals, *texts):
        tables = tomllib.loads(text.replace("\\n", "\n"))
        build({"node": {"name": "school", "state_dir": "/tmp/x"}, **tables}, "the page")


def test_the_dashboard_stays_light():
    found = totals()
    assert found["total_bytes"] <= 110_000
    assert found["own_bytes"] <= 75_000


def test_compressed_files_are_those_that_are_served():
    """Where there are packed files, they hold the same as the plain ones."""
    made = served({path.name: path.read_bytes() for path in STATIC.iterdir() if path.suffix != ".gz"})
    for packed in STATIC.glob("*.gz"):
        assert gzip.decompress(packed.read_bytes()) == made[packed.stem]


def test_scripts_that_are_joined_keep_every_line_and_every_name_that_others_import():
    files = {path.name: path.read_bytes() for path in STATIC.iterdir()}
    made = {name: data.decode() for name, data in served(files).items() if name.endswith(".js")}
    for target, members in JOINED.items():
        lines = set(made[target].splitlines())
        for name in members:
            assert name == target or name not in made
            code = lean(name, files[name]).decode().splitlines()
            bare = (line.removeprefix("export default ").removeprefix("export ") for line in code)
            kept = {line for line in bare if not line.startswith("import ")}
            assert {line for line in kept if f"export default {line}" not in lines} <= lines
        assert not [line for line in lines if any(f'from "./{name}"' in line for name in members)]
    for name, code in made.items():
        for names, module in re.findall(r'^import \{ (.*?) \} from "\./(.*?)";', code, re.MULTILINE):
            if module in JOINED:
                offered = set(re.findall(r"^export \{ (.*?) \};", made[module], re.MULTILINE)[0].split(", "))
                assert set(names.split(", ")) <= offered, (name, module)
    assert set(re.findall(r'/assets/([^"]+)"', served(files)["index.html"].decode())) <= set(served(files))


def test_scripts_with_the_same_name_are_not_joined():
    files = dict.fromkeys(JOINED["microgrid.js"], b"const same = 1;\n")
    with pytest.raises(ValueError, match=r"same is in topology\.js and in microgrid\.js"):
        served(files)


def test_lean_scripts_are_the_same_scripts():
    """Only indentation, empty lines and comments are left out."""
    for name, text in OWN.items():
        lines = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("//")]
        for line, kept in zip(lines, lean(name, text.encode()).decode().splitlines(), strict=True):
            assert line.startswith(kept)
            assert kept == line or line.removeprefix(kept).startswith(" // ")
    for name in VENDORED:
        data = (STATIC / name).read_bytes()
        assert lean(name, data) == data


def test_the_page_loads_only_its_own_files():
    files = {path.name for path in STATIC.iterdir()}
    named = set(re.findall(r'(?:src|href)="/assets/([^"]+)"', INDEX))
    assert named <= files
    assert not re.findall(r'(?:src|href)="(?!/assets/|/api/)[^"]*"', INDEX)
    assert not re.findall(r"<script(?![^>]*src=)", INDEX), "the policy allows no inline script"
    assert "style=" not in INDEX
    for name, text in OWN.items():
        assert set(re.findall(r'(?:from|import\() ?"\./([^"]+)"', text)) <= files, name
        assert not re.findall(r"https?://(?!www\.w3\.org)[a-z]", text), name
    assert "@import" not in STYLE
    assert "url(" not in STYLE


@pytest.mark.parametrize("name", sorted(OWN))
def test_modules_import_what_they_use_and_the_other_file_exports_it(name):
    exported = {
        file: set(re.findall(r"export (?:async )?(?:const|function|class) (\w+)", text))
        for file, text in OWN.items()
    }
    imports = re.findall(r'^import \{ (.*?) \} from "\./(.*?)";', OWN[name], re.MULTILINE)
    code = re.sub(r"^import .*?;\n", "", OWN[name], flags=re.MULTILINE)
    for names, module in imports:
        for each in names.split(", "):
            used = each.split(" as ")[-1]
            assert re.search(rf"\b{used}\b", code), f"{name}: {used} is not used"
            if module in exported:
                assert each.split(" as ")[0] in exported[module], f"{name}: {module} does not export {each}"


# ---- texts ---------------------------------------------------------------------------------------

LINE = re.compile(r'^  (?:"([\w.]+)"|(\w+)): (.*),$', re.MULTILINE)
TEXTS = {
    path: {quoted or plain: value for quoted, plain, value in LINE.findall(OWN[path])} for path in LANGUAGES
}
KEYS = set(TEXTS["en.js"])
GROUPS = {key.partition(".")[0] for key in KEYS if "." in key}


def _forms(value):
    """The names in braces of each form of a text; those of one number may say it in words."""
    forms = re.findall(r'(\w+): "((?:[^"\\]|\\.)*)"', value) if value.startswith("{") else [("other", value)]
    return {form: set(re.findall(r"\{(\w+)\}", text)) for form, text in forms}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_texts_in_the_same_order_with_the_same_names(language):
    assert list(TEXTS[language]) == list(TEXTS["en.js"])
    assert len(TEXTS[language]) == OWN[language].count("\n  ") - OWN[language].count("\n    ")
    for key, value in TEXTS[language].items():
        english, own = _forms(TEXTS["en.js"][key]), _forms(value)
        assert own.keys() == english.keys(), key
        assert own["other"] == english["other"], key


def test_every_language_can_be_chosen():
    offered = re.search(r"LANGUAGES = \{(.*?)\}", OWN["texts.js"])[1]
    assert [f"{each}.js" for each in re.findall(r"(\w+):", offered)] == list(LANGUAGES)
    chosen = re.search(r"languages = \[(.*?)\]", OWN["theme.js"])[1]
    assert [f"{each}.js" for each in re.findall(r"\w+", chosen)] == list(LANGUAGES)


def test_every_text_that_is_asked_for_is_there():
    for name, code in OWN.items():
        asked = set(re.findall(r'\bt\(\s*"([\w.]+)"', code))
        asked |= {
            each for pair in re.findall(r'\bt\([^"`()]* \? "([\w.]+)" : "([\w.]+)"', code) for each in pair
        }
        assert asked <= KEYS, f"{name}: {asked - KEYS}"
        for group in re.findall(r"\b(?:t|textOr)\(`(\w+)\.", code):
            assert group in GROUPS, f"{name}: {group}"


def test_every_text_is_used():
    code = "\n".join(text for name, text in OWN.items() if name not in LANGUAGES)
    dynamic = set(re.findall(r"`([\w.]+[._])\$\{", code)) | {"kind.", "priority."}
    unused = {
        key
        for key in KEYS
        if f'"{key}"' not in code and not any(key.startswith(prefix) for prefix in dynamic)
    }
    assert not unused


def test_every_trouble_has_advice():
    assert {f"advice.{code}" for code in CODES} <= KEYS


def test_no_text_is_outside_the_texts():
    """Words between tags would not be translated."""
    for name, code in OWN.items():
        templates = re.sub(r"\$\{[^{}]*\}", "", code)
        words = re.findall(r">\s*([A-Z][a-z]+(?: [a-z]+)+)\s*<", templates)
        assert not words, f"{name}: {words}"


# ---- colours -------------------------------------------------------------------------------------


def _theme(selector):
    block = re.search(rf"{re.escape(selector)} \{{(.*?)\n\}}", STYLE, re.DOTALL)
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block[1]))


def _luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """As WCAG computes it."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


LIGHT = _theme(":root")
THEMES = {"light": LIGHT, "dark": LIGHT | _theme(':root[data-theme="dark"]')}


def test_contrast_is_that_of_the_standard():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#0072b2", "#ffffff") == pytest.approx(5.2, abs=0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_lines_of_charts_and_flows_stand_out_from_a_card(theme):
    colors = THEMES[theme]
    lines = {name: value for name, value in colors.items() if name.startswith(("line-", "source-"))}
    assert len(lines) >= 12
    for name, value in lines.items():
        assert contrast(value, colors["card"]) >= 3, (name, contrast(value, colors["card"]))


@pytest.mark.parametrize("theme", THEMES)
def test_texts_can_be_read(theme):
    colors = THEMES[theme]
    pairs = [(text, ground) for text in ("text", "muted") for ground in ("bg", "card", "sunk")]
    pairs += [(tone, f"{tone}-soft") for tone in ("ok", "warn", "bad", "accent")]
    pairs += [("text", f"{tone}-soft") for tone in ("ok", "warn", "bad", "accent")]
    pairs += [("on-accent", "accent-fill"), ("accent", "card"), ("accent", "bg"), ("bad", "card")]
    for text, ground in pairs:
        assert contrast(colors[text], colors[ground]) >= 4.5, (text, ground)


@pytest.mark.parametrize("theme", THEMES)
def test_edges_of_controls_stand_out(theme):
    assert contrast(THEMES[theme]["edge"], THEMES[theme]["card"]) >= 3


def test_variables_that_are_seen_together_differ_by_more_than_colour():
    """Supplied and available have dashes of their own; requested is wider than consumed."""
    chart = OWN["chart.js"]
    assert re.search(r"supplied: \[\d", chart)
    assert re.search(r"available: \[\d", chart)
    assert 'name === "requested" ? 3.5' in OWN["day.js"]


def test_sizes_cover_every_file():
    joined = {name for members in JOINED.values() for name in members}
    assert set(sizes()) | joined == {path.name for path in STATIC.iterdir()} - {"licences.txt"}
