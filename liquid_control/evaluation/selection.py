"""Which flights of a campaign, and which instants of a flight, are worth a look."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from liquid_control.evaluation.campaign import FlightJob
from liquid_control.evaluation.rows import FlightRow
from liquid_control.evaluation.story import FlightStory


def worth_showing(
    jobs: Sequence[FlightJob], rows: Sequence[FlightRow], count: int
) -> list[FlightJob]:
    """Return up to `count` jobs of each model and entry: failed flights first, in campaign order.

    Args:
        jobs: what was flown.
        rows: what came of it, one a job.
        count: how many to show of each.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for index, job in enumerate(jobs):
        groups.setdefault((job.model, job.entry), []).append(index)
    chosen = []
    for group in groups.values():
        chosen += sorted(group, key=lambda index: (rows[index].success, index))[:count]
    return [jobs[index] for index in chosen]


def key_instants(story: FlightStory, count: int = 8) -> list[tuple[int, str]]:
    """Return (tick, why) of the instants to show pictures of, in order of time.

    The flight's start and end, its closest tree, strongest wind and farthest from the trail come
    first; instants spread evenly over the flight fill what is left.
    """
    record = story.record
    last = len(record.stamp_ns) - 1
    wind = np.linalg.norm(record.wind, axis=1)
    wanted = [(0, "start"), (last, record.result.reason.replace("_", " "))]
    if np.isfinite(record.clearance_m).any():
        wanted.append((int(np.argmin(record.clearance_m)), "closest tree"))
    if wind.max() > 0.0:
        wanted.append((int(np.argmax(wind)), "strongest wind"))
    wanted.append((int(np.argmax(np.abs(record.cross_track_m))), "farthest from the trail"))
    chosen: dict[int, str] = {}
    apart = max(1, last // (3 * count))
    for tick, why in wanted:
        if all(abs(tick - other) >= apart for other in chosen):
            chosen[tick] = why
    while len(chosen) < min(count, last + 1):
        ticks = sorted(chosen)
        gap, before = max((b - a, a) for a, b in pairwise(ticks))
        if gap < 2:
            break
        chosen[before + gap // 2] = ""
    return sorted(chosen.items())
