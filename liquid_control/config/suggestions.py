"""Suggestions for a name that is unknown: the nearest ones, not all of them."""

from collections.abc import Iterable
from difflib import SequenceMatcher

FEW = 6
"""Number of names up to which all are listed."""

NEAREST = 3


def nearest(name: str, known: Iterable[str], number: int = NEAREST) -> list[str]:
    """Return the names that are most similar to `name`, best first.

    Of dotted keys the last word counts too, so `gust` is near `wind.gust_mps`, and keys of the
    same section come before others.
    """
    section, _, last = name.rpartition(".")

    def similarity(other: str) -> float:
        other_section, _, other_last = other.rpartition(".")
        whole = SequenceMatcher(None, name, other).ratio()
        same = 0.25 * (section == other_section)
        return 0.5 * whole + 0.5 * SequenceMatcher(None, last, other_last).ratio() + same

    return sorted(known, key=similarity, reverse=True)[:number]


def suggestion(name: str, known: Iterable[str], listed_by: str = "") -> str:
    """Return the end of an error about an unknown name: all names if few, else the nearest.

    Args:
        name: the unknown name.
        known: the accepted names.
        listed_by: the command or file that lists all of them.
    """
    names = list(known)
    if len(names) <= FEW:
        return f"there are: {', '.join(names)}" if names else "there are none"
    close = nearest(name, names)
    rest = f" ({listed_by} lists all {len(names)})" if listed_by else f" ({len(names)} in all)"
    return f"did you mean {', '.join(close[:-1])} or {close[-1]}?{rest}"
