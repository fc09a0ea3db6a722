"""Check a built site: links, no foreign resources, and clicks from the front page.

    python docs/check_site.py site

A click follows a link of an article or a tab of the header. Pages of commands, classes and
functions must be at most three clicks from the front page.
"""

import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

MOST_CLICKS = 3
VOID = {
    "area",
    "base",
    "br",
    "col",
    "embed",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "source",
    "wbr",
}
RESOURCES = {("link", "href"), ("script", "src"), ("img", "src"), ("source", "src")}
LINKED_ONLY = {"canonical", "next", "prev", "alternate"}


@dataclass
class SitePage(HTMLParser):
    """Links, anchors and resources of one page.

    Attributes:
        links: targets of all links, as written.
        clickable: targets of the links of the article and of the header's tabs.
        anchors: every id.
        resources: style sheets, scripts and images, as written.
    """

    links: set[str] = field(default_factory=set)
    clickable: set[str] = field(default_factory=set)
    anchors: set[str] = field(default_factory=set)
    resources: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what a tag names."""
        values = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append(f"{tag} {values.get('class', '')}")
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.add(values["href"])
            if any(part.startswith("article") or "md-tabs" in part for part in self._open):
                self.clickable.add(values["href"])
        if values.get("rel") not in LINKED_ONLY:
            self.resources |= {values[name] for name in values if (tag, name) in RESOURCES}

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost open tag of that name."""
        for index in reversed(range(len(self._open))):
            if self._open[index].split(" ")[0] == tag:
                del self._open[index:]
                return


def read(site: Path) -> dict[Path, SitePage]:
    """Return every page of the site, but for the one of missing addresses."""
    pages = {}
    for path in sorted(site.rglob("*.html")):
        if path.name != "404.html":
            pages[path] = SitePage()
            pages[path].feed(path.read_text("utf-8"))
    return pages


def target(page: Path, link: str) -> tuple[Path, str]:
    """Return (file, anchor) of a link within the site."""
    place, anchor = urldefrag(link)
    path = (page.parent / unquote(place)).resolve() if place else page
    return (path / "index.html" if path.is_dir() else path), unquote(anchor)


def foreign(link: str) -> bool:
    """Return whether a link leaves the site."""
    return link.startswith(("http:", "https:", "//", "mailto:", "data:"))


def broken(pages: dict[Path, SitePage]) -> list[str]:
    """Return a line for every link without a target and every resource from elsewhere."""
    found = []
    for path, page in pages.items():
        loaded = (link for link in page.resources if foreign(link) and link[:5] != "data:")
        found += [f"{path}: loads {resource}" for resource in loaded]
        for link in (page.links | page.resources) - {""}:
            if foreign(link):
                continue
            place, anchor = target(path, link)
            if not place.is_file():
                found.append(f"{path}: no file for {link}")
            elif anchor and place in pages and anchor not in pages[place].anchors | {"__top"}:
                found.append(f"{path}: no anchor for {link}")
    return found


def clicks(pages: dict[Path, SitePage], front: Path) -> dict[Path, int]:
    """Return the number of clicks from the front page to every page that can be reached."""
    distance, border = {front: 0}, [front]
    while border:
        page = border.pop(0)
        for link in sorted(pages[page].clickable):
            place = page if foreign(link) else target(page, link)[0]
            if place in pages and place not in distance:
                distance[place] = distance[page] + 1
                border.append(place)
    return distance


def main(folder: str) -> int:
    """Print what is wrong, or a line of figures; return the exit status."""
    site = Path(folder).resolve()
    pages = read(site)
    if site / "index.html" not in pages:
        print(f"{site}: expected index.html, found none", file=sys.stderr)
        return 1
    distance = clicks(pages, site / "index.html")
    kinds = {
        "commands": [path for path in pages if path.parent == site / "commands"],
        "classes and functions": [
            path for path in pages if path.is_relative_to(site / "python") and path.stem != "index"
        ],
    }
    problems = broken(pages)
    for kind, members in kinds.items():
        if not members:
            problems.append(f"no page of {kind}")
        for path in members:
            if distance.get(path, MOST_CLICKS + 1) > MOST_CLICKS:
                problems.append(f"{path}: more than {MOST_CLICKS} clicks from the front page")
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 1
    figures = (
        f"{len(members)} {kind} within {max(distance[path] for path in members)} clicks"
        for kind, members in kinds.items()
    )
    print(f"{site}/index.html: {len(pages)} pages, links checked; {', '.join(figures)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
