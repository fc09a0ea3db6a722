"""Seeds as people write them: `7`, `0:100` or `1,5,20:25`."""

import re

from liquid_control.errors import ConfigError

_RANGE = re.compile(r"(\d+)(?::(\d+))?")


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds that `text` names, in its order; `a:b` ends before b, as in Python.

    Raises:
        ConfigError: a part is not a non-negative integer or range, or a seed comes twice.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise ConfigError(
                f"seeds: expected integers >= 0 such as 7, 0:100 or 1,5,20:25, got {text!r}"
            )
        first = int(match[1])
        seeds.extend(range(first, int(match[2]) if match[2] else first + 1))
    if not seeds:
        raise ConfigError(f"seeds: the range {text!r} is empty; a:b ends before b")
    if len(set(seeds)) != len(seeds):
        raise ConfigError(f"seeds: {text!r} names a seed twice")
    return tuple(seeds)
