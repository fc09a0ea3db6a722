"""Names and structure of the source: standard terms, unique classes, no import cycles."""

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {"liquid_control": ROOT, "liquid_control_sim": ROOT / "sim", "benchmarks": ROOT}
SCANNED = ("liquid_control", "sim", "benchmarks", "launch", "examples", "docs", "test")
MAX_LINES = 400

_RETIRED_WORDS = """
Seen Commanded Moved Featured Fired Clocked Calibrated Speaker RecorderEars ParameterScribe
ReplayTape BagTape BagPilot RecordedTape TapedPilot fly_on_tape FlightStory tell_graph_flight
Judgement judge judgement Moment GuardLine Answerer Perceiver Percept Shift Turning Pairing Span
Stretch model_mark Asked told said asked KINDNESS_S PATIENCE_S kindness_s patience_s _obituary
obituary Ending Contest core_contests Watch Took took Crew crew rate_share weakest glade things
standing keep_off Airborne airborne WholeCore Pieces drawn_from TorchCfC hear heard hears ears
tape tapes scribe whoever nobody
"""
RETIRED = frozenset(_RETIRED_WORDS.split())
"""Identifiers that a standard term of the field has replaced."""

_RETIRED_STEMS = """
meaning turning pairing mcap_loose mcap_walk mcap_piece model_mark children guard_line answerer
perceiver judgement moments shift tape bag_tape story replay_tape parameter_scribe recorder_ears
core_contests watch glade things standing keep_off airborne whole draw torch_cell
"""
RETIRED_MODULES = frozenset(_RETIRED_STEMS.split())

IN_LOOPS = re.compile(r"dynamics/(velocity|attitude)_loop\.py$")
"""Where `share` once named the coefficient of a low-pass filter, now `derivative_alpha`."""

FILE_KEYS = {"expert_share": "training_settings.py", "held_out": "network_settings.py"}
"""Keys of `config/train/*.yaml`; elsewhere they appear as attributes of the settings only."""

SUSPECT = re.compile(rf"\b({'|'.join(sorted(RETIRED | {'share'} | FILE_KEYS.keys()))})\b")
"""Only a text with such a word is split into tokens."""

pytestmark = pytest.mark.unit


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path != Path(__file__).resolve():
                yield path


def identifiers(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, name and the token before it."""
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            yield token.start[0], token.string, before
        if token.string.strip():
            before = token.string


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def retired_names(path: Path, text: str) -> list[str]:
    if SUSPECT.search(text) is None:
        return []
    relative = path.relative_to(ROOT)
    found = []
    for line, name, before in identifiers(text):
        home = FILE_KEYS.get(name)
        if (
            name in RETIRED
            or (name == "share" and IN_LOOPS.search(str(relative)))
            or (home is not None and path.name != home and before != ".")
        ):
            found.append(f"{relative}:{line}: {name}")
    return found


def test_retired_names_are_not_used_in_code() -> None:
    found = [
        line
        for path in python_files(*SCANNED)
        for line in retired_names(path, path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_retired_names_are_not_used_in_documents() -> None:
    found = []
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "sim" / "README.md"):
        if path.name == "CHANGELOG.md":
            continue
        text = path.read_text(encoding="utf-8")
        code = re.findall(r"`([^`\n]+)`", text) + re.findall(r"(?ms)^```\w*\n(.*?)^```", text)
        names = {name for part in code for name in re.findall(r"[A-Za-z_]\w*", part)}
        found += [f"{path.relative_to(ROOT)}: {name}" for name in sorted(names & RETIRED)]
    assert found == []


def test_retired_modules_are_gone() -> None:
    stems = {path.stem for path in python_files("liquid_control", "sim", "benchmarks")}
    stems |= {path.parent.name for path in python_files("liquid_control", "sim", "benchmarks")}
    assert stems & RETIRED_MODULES == set()


def test_the_rule_finds_what_it_forbids() -> None:
    text = "def judge(told, held_out):\n    return settings.held_out, told\n"
    found = retired_names(ROOT / "liquid_control" / "types.py", text)
    assert [line.rpartition(": ")[2] for line in found] == ["judge", "told", "held_out", "told"]


def test_no_two_public_classes_share_a_name() -> None:
    places = defaultdict(list)
    for path in python_files("liquid_control", "sim", "benchmarks"):
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_files_hold_at_most_400_lines() -> None:
    files = python_files("liquid_control", "sim", "benchmarks", "launch")
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert [str(path) for path, length in lengths.items() if length > MAX_LINES] == []


def test_the_source_stays_compact() -> None:
    """Of `liquid_control`, `sim`, `benchmarks` and `launch`; lazy imports count as imports."""
    files = list(python_files("liquid_control", "sim", "benchmarks", "launch"))
    texts = [path.read_text(encoding="utf-8") for path in files]
    lines = sum(len(text.splitlines()) for text in texts)
    imports = sum(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in files
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
    )
    assert lines / len(files) >= 150
    assert imports / lines <= 0.075
    commands = [path.read_text(encoding="utf-8") for path in python_files("liquid_control/cli")]
    assert len(commands) <= 30
    assert sum(len(text.splitlines()) for text in commands) <= 115 * len(commands)


def modules() -> dict[str, Path]:
    found = {}
    for package, root in SOURCES.items():
        for path in (root / package).rglob("*.py"):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> set[str]:
    """Return the modules that a file imports anywhere, except for type checking."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in known else node.module)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(parsed(path))
    return found & known.keys()


def cycles(graph: dict[str, set[str]]) -> set[str]:
    """Return the modules that are left once those without open imports are taken away."""
    left = dict(graph)
    while done := {name for name, needs in left.items() if not needs & left.keys() - {name}}:
        left = {name: needs for name, needs in left.items() if name not in done}
    used = set().union(*left.values()) if left else set()
    while unused := left.keys() - used:
        left = {name: needs for name, needs in left.items() if name not in unused}
        used = set().union(*left.values()) if left else set()
    return set(left)


def test_there_are_no_import_cycles() -> None:
    known = modules()
    assert cycles({name: imports(path, known) - {name} for name, path in known.items()}) == set()


def test_a_cycle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}, "e": set()}
    assert cycles(graph) == {"b", "c"}
