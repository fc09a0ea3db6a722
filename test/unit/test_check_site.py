"""The check of the built site reports broken links, foreign resources and distant pages."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def check_site() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_site", ROOT / "docs" / "check_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site in which a tab leads to the reference, which leads to a command and a package."""
    tabs = '<nav class="md-tabs"><a href="reference.html">Reference</a></nav>'
    write(tmp_path / "index.html", tabs + '<nav><a href="python/a/Deep.html">drawer</a></nav>')
    links = '<a href="commands/fly.html">fly</a><a href="python/a/index.html#classes">a</a>'
    write(tmp_path / "reference.html", article(links))
    write(tmp_path / "commands" / "fly.html", article(""))
    members = '<h2 id="classes"></h2><a href="One.html">One</a>'
    write(tmp_path / "python" / "a" / "index.html", article(members))
    write(tmp_path / "python" / "a" / "One.html", article("", head='<img src="../../x.png">'))
    (tmp_path / "x.png").write_bytes(b"")
    write(tmp_path / "python" / "a" / "Deep.html", article(""))
    return tmp_path


def write(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<html><body>{body}</body></html>")


def article(text: str, head: str = "") -> str:
    return f"{head}<article class='md-content__inner'>{text}</article>"


def test_pages_are_counted_in_clicks_of_articles_and_tabs(check_site, site, capsys):
    assert check_site.main(str(site)) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{site}/python/a/Deep.html: more than 3 clicks from the front page"
    ]
    write(site / "python" / "a" / "index.html", article('<a href="Deep.html">D</a>' * 2))
    (site / "python" / "a" / "One.html").unlink()
    write(
        site / "reference.html", article('<a href="commands/fly.html"></a><a href="python/a"></a>')
    )
    assert check_site.main(str(site)) == 0
    assert (
        "1 commands within 2 clicks, 1 classes and functions within 3" in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (article('<a href="nowhere.html">x</a>'), "no file for nowhere.html"),
        (article('<a href="../reference.html#x">x</a>'), "no anchor for ../reference.html#x"),
        ('<script src="https://cdn.example/x.js"></script>', "loads https://cdn.example/x.js"),
        ('<link rel="stylesheet" href="//fonts.example/a.css">', "loads //fonts.example/a.css"),
    ],
)
def test_broken_links_and_foreign_resources_are_reported(check_site, site, body, problem, capsys):
    write(site / "commands" / "fly.html", body)
    assert check_site.main(str(site)) == 1
    assert f"{site}/commands/fly.html: {problem}" in capsys.readouterr().err.splitlines()


def test_links_to_other_sites_are_not_resources(check_site, site):
    write(site / "commands" / "fly.html", article('<a href="https://example.org">x</a>'))
    assert check_site.broken(check_site.read(site)) == []
