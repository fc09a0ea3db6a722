"""Every module, name and path that the documents mention exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"liquid_control": ROOT, "liquid_control_sim": ROOT / "sim"}
DOCUMENTS = sorted(
    [
        *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "sim" / "README.md",
    ]
)
BASES = (ROOT, ROOT / "liquid_control", ROOT / "sim" / "liquid_control_sim", ROOT / "docs")
"""Folders that a path in a document may be relative to, in addition to the document's own."""

WRITTEN = ("runs/", "build/", "site/", "recorded/", "bags/", "flights/", "models/a", "share/")
"""Beginnings of paths that commands write or users choose."""

EXAMPLES = {"leaky", "test_leaky"}
"""Modules that `docs/add_a_core.md` creates."""

SCENARIO_KEYS = re.compile(r"world\.backend")
FILE = re.compile(r"\.(py|yaml|md|xml|html|json|npz|onnx|mcap|mp4|gif|png)$")
PATH = re.compile(r"[\w.-]+(?:/[\w.*-]+)*/?")
DOTTED = re.compile(r"\b(?:liquid_control|liquid_control_sim)(?:\.\w+)+")

pytestmark = pytest.mark.unit


@cache
def names_of(path: Path) -> dict[str, set[str]]:
    """Return the top-level names of a module, each with the names in its class body."""
    found: dict[str, set[str]] = {}
    for node in ast.parse(path.read_text("utf-8")).body:
        for name in bound(node):
            found[name] = set()
        if isinstance(node, ast.ClassDef):
            found[node.name] = {name for part in node.body for name in bound(part)}
    return found


def bound(node: ast.stmt) -> list[str]:
    """Return the names that a statement binds."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    if isinstance(node, ast.Assign):
        return [
            name.id for t in node.targets for name in ast.walk(t) if isinstance(name, ast.Name)
        ]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def exists(dotted: str) -> bool:
    """Return whether a dotted name is a module, one of its names, or a member of its classes."""
    words = dotted.split(".")
    path = PACKAGES[words[0]] / words[0]
    for index, word in enumerate(words[1:], 1):
        if (path / word).is_dir():
            path = path / word
            continue
        rest = words[index:]
        if (path / f"{word}.py").is_file():
            path, rest = path / f"{word}.py", rest[1:]
        else:
            path = path / "__init__.py"
        return path.is_file() and has_name(names_of(path), rest)
    return True


def has_name(names: dict[str, set[str]], words: list[str]) -> bool:
    if not words:
        return True
    if words[0] not in names or len(words) > 2:
        return False
    return len(words) == 1 or words[1] in names[words[0]]


def codes(text: str) -> list[str]:
    """Return the inline code of a document."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", prose)


def missing_names(text: str) -> set[str]:
    """Return the dotted names in a document that do not exist."""
    found = {name for name in DOTTED.findall(text) if not EXAMPLES & set(name.split("."))}
    modules = {path.stem for base in PACKAGES for path in (PACKAGES[base] / base).iterdir()}
    for code in codes(text):
        code = code.rstrip("(),")
        named = re.fullmatch(r"[a-z_]+(?:\.\w+)+", code) and code.split(".")[0] in modules
        if named and not FILE.search(code) and not SCENARIO_KEYS.fullmatch(code):
            found.add(code)
    return {name for name in found if not any(exists(full) for full in candidates(name))}


def candidates(name: str) -> list[str]:
    """Return the full names that a name in a document may stand for."""
    return [name] if name.split(".")[0] in PACKAGES else [f"{base}.{name}" for base in PACKAGES]


def missing_paths(document: Path) -> set[str]:
    """Return the paths in a document's inline code that do not exist."""
    found = set()
    for code in codes(document.read_text("utf-8")):
        if not PATH.fullmatch(code) or code.startswith(WRITTEN) or code.count("/") == 0:
            continue
        if Path(code).stem in EXAMPLES or not is_path(code):
            continue
        if not any(any(base.glob(code.rstrip("/"))) for base in (*BASES, document.parent)):
            found.add(code)
    return found


def is_path(code: str) -> bool:
    """Return whether inline code with a slash means a path: a folder, or a file with a suffix."""
    first = code.split("/")[0]
    known = any((base / first).exists() for base in BASES)
    return known or code.endswith("/") or re.search(r"\.(py|md|yaml|toml|npz)$", code) is not None


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_name_exists(document):
    assert missing_names(document.read_text("utf-8")) == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_exists(document):
    assert missing_paths(document) == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_bare_file_name_exists(document):
    named = {code for code in codes(document.read_text("utf-8")) if re.fullmatch(r"\w+\.py", code)}
    present = {path.name for path in python_files()}
    assert {name for name in named if Path(name).stem not in EXAMPLES} - present == set()


def python_files() -> list[Path]:
    folders = ("liquid_control", "sim", "benchmarks", "examples", "launch", "docs", "test")
    return [
        *ROOT.glob("*.py"),
        *(path for name in folders for path in (ROOT / name).rglob("*.py")),
    ]


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("liquid_control.types.Command", True),
        ("liquid_control.types.Command.values", True),
        ("liquid_control.policy", True),
        ("liquid_control.policy.Policy", True),
        ("liquid_control.types.Orders", False),
        ("liquid_control.types.Command.orders", False),
        ("liquid_control.nowhere.Command", False),
        ("liquid_control_sim.flight.fly", True),
    ],
)
def test_a_name_is_found_where_it_is_defined_or_exported(name, known):
    assert exists(name) is known


def test_the_five_walks_are_one_line_each_and_name_functions():
    text = (
        (ROOT / "ARCHITECTURE.md").read_text("utf-8").split("## Five walks")[1].split("\n## ")[0]
    )
    walks = [line for line in text.splitlines() if line]
    assert len(walks) == 5
    assert all(len(re.findall(r"`[\w.]+`", walk)) >= 8 for walk in walks)
    assert missing_names(text) == set()
