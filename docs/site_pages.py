"""MkDocs hook: adds pages from outside docs/, one page a command and one page a Python object.

Python sources are read, not imported, so that neither PyTorch nor ROS 2 has to be installed. The
commands are those of the installed `liquid-control`.
"""

import posixpath
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import griffe
import typer
import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from liquid_control.cli.main import app

ROOT = Path(__file__).resolve().parents[1]

REPOSITORY_PAGES = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "sim/README.md": "simulator.md",
    "models/hike_cfc19/README.md": "models/hike_cfc19.md",
    "models/hike_cfc19/curves.png": "models/curves_hike_cfc19.png",
    "models/target_cfc19/README.md": "models/target_cfc19.md",
    "models/target_cfc19/curves.png": "models/curves_target_cfc19.png",
    "models/trail_cfc19/README.md": "models/trail_cfc19.md",
    "models/trail_cfc19/curves.png": "models/curves_trail_cfc19.png",
    "models/trail_contracting/README.md": "models/trail_contracting.md",
    "models/trail_contracting/curves.png": "models/curves_trail_contracting.png",
    "models/trail_gru/README.md": "models/trail_gru.md",
    "models/trail_gru/curves.png": "models/curves_trail_gru.png",
    "models/trail_from_bags/README.md": "models/trail_from_bags.md",
    "models/trail_from_bags/curves.png": "models/curves_trail_from_bags.png",
}
"""Files outside docs/ and their places in the site."""

CONFIGURATION = (
    "config/scenarios",
    "config/disturbances.yaml",
    "config/presets.yaml",
    "config/vehicles",
    "config/campaigns",
    "config/topics",
    "config/train",
    "config/search",
    "config/nodes",
)
"""Shown in full on the page `configuration.md`."""

MODULES = (
    "liquid_control.types",
    "liquid_control.interfaces",
    "liquid_control.frames",
    "liquid_control.seeding",
    "liquid_control.errors",
    "liquid_control.config",
    "liquid_control.perception",
    "liquid_control.liquid",
    "liquid_control.cores",
    "liquid_control.command",
    "liquid_control.policy",
    "liquid_control.bags",
    "liquid_control.replay",
    "liquid_control.training",
    "liquid_control.evaluation",
    "liquid_control.export",
    "liquid_control.autopilots",
    "liquid_control.calibration",
    "liquid_control.certification",
    "liquid_control.graph",
    "liquid_control.inspection",
    "liquid_control_sim",
    "liquid_control_sim.environments",
)
"""The public Python modules, in the order of the reference."""

LINK = re.compile(r"(\]\()(?!https?:|#|mailto:)([^)\s#]+)(#[^)\s]*)?(\))")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the generated pages where the navigation names their folder."""
    config.nav = _expanded(config.nav)
    config.watch += [str(ROOT / name) for name in ("liquid_control", "sim", "README.md")]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add files from outside docs/ and generated pages."""
    for source, target in REPOSITORY_PAGES.items():
        path = str(ROOT / source)
        files.append(File.generated(config, target, abs_src_path=path))
    for target, text in generated_pages().items():
        files.append(File.generated(config, target, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in lists of generated pages, and lead links between files of the repository."""
    site = page.file.src_uri
    for marker, folder in (("commands", commands()), ("packages", packages())):
        text = "\n".join(_entry(site, *entry) for entry in folder)
        markdown = markdown.replace(f"<!-- {marker} -->", text)
    places = {target: source for source, target in REPOSITORY_PAGES.items()}
    origin = places.get(site, f"docs/{site}")
    return LINK.sub(lambda link: _lead(link, origin, site), markdown)


def _lead(link: re.Match[str], origin: str, site: str) -> str:
    """Return a link between files of the repository as one between pages of the site."""
    before, target, anchor, after = link.groups(default="")
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
    if wanted.startswith("docs/"):
        place = wanted.removeprefix("docs/")
    elif wanted.startswith(CONFIGURATION):
        place, anchor = "configuration.md", f"#{_anchor(wanted)}"
    else:
        place = REPOSITORY_PAGES.get(wanted, "")
    if not place:
        return link.group()
    return f"{before}{posixpath.relpath(place, posixpath.dirname(site) or '.')}{anchor}{after}"


def _expanded(nav: list[Any]) -> list[Any]:
    """Replace `commands/` and `python/` by the navigation of their pages."""
    places = {
        "commands/": [{name: target} for name, target, _ in commands()],
        "python/": [
            {name: [target, *({m.name: p} for m, p in own_members(name))]}
            for name, target, _ in packages()
        ],
    }
    expanded = []
    for entry in nav:
        if isinstance(entry, dict):
            ((title, value),) = entry.items()
            value = _expanded(value) if isinstance(value, list) else places.get(value, value)
            entry = {title: value}
        expanded.append(entry)
    return expanded


@cache
def generated_pages() -> dict[str, str]:
    """Return the Markdown of every generated page by its place in the site."""
    pages = {"configuration.md": configuration_page(), "tutorials/examples.md": examples_page()}
    for name, place, command in commands():
        pages[place] = command_page(name, command)
    for name, place, _ in packages():
        pages[place] = package_page(name)
        for member, target in own_members(name):
            pages[target] = f"---\ntitle: {member.name}\n---\n\n::: {name}.{member.name}\n"
    return pages


# Commands


@cache
def commands() -> list[tuple[str, str, Any]]:
    """Return (words, page, command) of every command that does something."""

    def walk(group: Any, words: tuple[str, ...]) -> Iterator[tuple[str, str, Any]]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from walk(command, (*words, name))
            else:
                path = (*words, name)
                yield " ".join(path), f"commands/{'_'.join(path)}.md", command

    return list(walk(typer.main.get_command(app), ()))


def command_page(words: str, command: Any) -> str:
    """Return the page of one command: its help text, then arguments and options."""
    context = command.context_class(command, info_name=f"liquid-control {words}")
    usage = " ".join(["liquid-control", words, *command.collect_usage_pieces(context)])
    parts = [f"# {words}", f"```text\n{usage}\n```"]
    for paragraph in re.split(r"\n\s*\n", command.help.strip()):
        example, sign, call = paragraph.partition("Example: ")
        if sign and not example:
            paragraph = f"```bash\n{' '.join(call.split())}\n```"
        parts.append(paragraph)
    kinds = {"Arguments": "argument", "Options": "option"}
    for title, kind in kinds.items():
        found = [p for p in command.get_params(context) if p.param_type_name == kind]
        rows = [record for p in found if (record := p.get_help_record(context))]
        if rows:
            lines = [f"## {title}", "", f"| {title.lower()[:-1]} | meaning |", "|---|---|"]
            lines += [f"| {_cell(name, code=True)} | {_cell(text)} |" for name, text in rows]
            parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _cell(text: str, *, code: bool = False) -> str:
    """Return text for one cell of a table."""
    if code:
        return f"<code>{text.replace('<', '&lt;').replace('|', '&#124;<wbr>')}</code>"
    parts = re.split(r"(`[^`]*`)", text.replace("|", "\\|"))
    parts[::2] = [part.replace("<", "&lt;").replace("*", "\\*") for part in parts[::2]]
    text = re.sub(r"\s*\[default: \((.*)\)\]$", r"<br>Default: \1.", "".join(parts))
    return re.sub(r"\s*\[default: (.*)\]$", r"<br>Default: `\1`", text)


# Python


@cache
def packages() -> list[tuple[str, str, griffe.Module]]:
    """Return (dotted name, page, module) of every public module."""
    return [(name, f"python/{name}/index.md", _module(name)) for name in MODULES]


@cache
def _loader() -> griffe.GriffeLoader:
    loader = griffe.GriffeLoader(search_paths=[ROOT, ROOT / "sim"], allow_inspection=False)
    for name in ("liquid_control", "liquid_control_sim"):
        loader.load(name)
    loader.resolve_aliases(external=False)
    return loader


def _module(name: str) -> griffe.Module:
    found = _loader().modules_collection[name]
    assert isinstance(found, griffe.Module)
    return found


def members(name: str) -> list[tuple[Any, str]]:
    """Return (object, page) of the public classes and functions of a module.

    An object that several modules export has one page, in the first of them.
    """
    found = (m for m in _public(name) if m.is_class or m.is_function)
    return [(member, _places()[member.canonical_path]) for member in found]


def own_members(name: str) -> list[tuple[Any, str]]:
    """Return those of `members` whose page is in the folder of this module."""
    return [(m, page) for m, page in members(name) if page.startswith(f"python/{name}/")]


@cache
def _places() -> dict[str, str]:
    """Return the page of every public class and function by its canonical path."""
    places: dict[str, str] = {}
    for name in MODULES:
        for member in _public(name):
            places.setdefault(member.canonical_path, f"python/{name}/{member.name}.md")
    return places


@cache
def _public(name: str) -> list[Any]:
    """Return what a module exports, or defines under a public name if it states no exports."""
    module = _module(name)
    if module.exports is not None:
        return [module[str(export)] for export in module.exports]
    own = [m for m in module.members.values() if not m.is_alias and not m.is_module]
    return [m for m in own if not m.name.startswith("_")]


def package_page(name: str) -> str:
    """Return the page of one module: its docstring, then its classes, functions and data."""
    module = _module(name)
    parts = [f"---\ntitle: {name}\n---\n\n# {name}", _text(module)]
    pages = members(name)
    for title, kind in (("Classes", "class"), ("Functions", "function")):
        rows = [(m, page) for m, page in pages if m.kind.value == kind]
        if rows:
            lines = [f"## {title}", "", "| name | summary |", "|---|---|"]
            lines += [
                f"| [`{m.name}`](../../{page}) | {_cell(_first_line(m))} |" for m, page in rows
            ]
            parts.append("\n".join(lines))
    data = [m for m in _public(name) if m.is_attribute]
    if data:
        parts.append("## Data")
        parts += [f"::: {name}.{m.name}\n    options:\n      heading_level: 3" for m in data]
    return "\n\n".join(parts) + "\n"


def _text(member: Any) -> str:
    return member.docstring.value if member.docstring else ""


def _first_line(member: Any) -> str:
    return " ".join(_text(member).split("\n\n")[0].split())


def _entry(site: str, name: str, target: str, found: Any) -> str:
    """Return one line of a list of commands or modules."""
    summary = _first_line(found) if isinstance(found, griffe.Module) else found.help.split("\n")[0]
    link = posixpath.relpath(target, posixpath.dirname(site) or ".")
    return f"- [`{name}`]({link}): {summary}"


# Files


def examples_page() -> str:
    """Return the page with every numbered example in full."""
    parts = ["# Examples", "Each file runs from a clone, after `make fly` or `make develop`."]
    for path in sorted((ROOT / "examples").glob("[0-9]*.py")):
        parts += [f"## {path.stem}", f"```python\n{path.read_text('utf-8').strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def configuration_page() -> str:
    """Return the page with the configuration files in full."""
    parts = ["# Configuration files", "The shipped files, which `--set` and own files replace."]
    for place in CONFIGURATION:
        path = ROOT / place
        for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
            text = file.read_text("utf-8").strip()
            yaml.safe_load(text)
            name = str(file.relative_to(ROOT))
            parts += [f"## {name} {{#{_anchor(name)}}}", f"```yaml\n{text}\n```"]
    return "\n\n".join(parts) + "\n"


def _anchor(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower())
