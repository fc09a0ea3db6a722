"""Report of a replay: `report.html`, the page of the flight with the figures of the comparison."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from markupsafe import Markup

from liquid_control.files import atomic_write
from liquid_control.liquid.weights import CfCWeights
from liquid_control.pages.flight_block import flight_block
from liquid_control.pages.flight_page import flight_page
from liquid_control.pages.picture_track import PictureEncoder, PictureTrack
from liquid_control.replay.comparison import AXES, UNITS
from liquid_control.replay.replay_figures import interval_figure, shift_figure
from liquid_control.replay.replay_views import frame_seconds, replay_view
from liquid_control.replay.request import ReplayMetadata
from liquid_control.replay.result import ReplayResult, verdict
from liquid_control.replay.severity_curves import disturbed_section
from liquid_control.replay.timing import Percentiles
from liquid_control.types import Pixels

GAPS_SHOWN = 12


def encode_pictures(
    result: ReplayResult, pictures: Iterable[tuple[int, Pixels]]
) -> PictureTrack | None:
    """Return the pictures of a replay's frames for its page; None if there are none.

    Args:
        result: the replay.
        pictures: log time in ns and picture, uint8 [H, W, 3] RGB, in order; frames outside of the
            replay are left out.
    """
    seconds = frame_seconds(result)
    encoder = PictureEncoder(len(seconds))
    left = len(seconds)
    for log_ns, picture in pictures:
        if log_ns in seconds:
            encoder.add(seconds[log_ns], picture)
            left -= 1
        if not left:
            break
    return encoder.track()


def write_report(
    path: Path,
    metadata: ReplayMetadata,
    result: ReplayResult,
    pictures: PictureTrack | None = None,
    weights: CfCWeights | None = None,
) -> Path:
    """Write the report.

    Args:
        path: the file.
        metadata: of the replay.
        result: the replay.
        pictures: of the frames, from `encode_pictures`; None leaves them out.
        weights: of the replayed model's wired CfC; None for another core.

    Raises:
        OutputError: the file cannot be written.
    """
    title = metadata.bag["files"][0]["name"]
    about = f"{metadata.model['name']}, backend {metadata.backend}, against {metadata.against}"
    view = replay_view(title, about, result, pictures, weights)
    context = {
        "metadata": metadata,
        "result": result,
        "verdict": verdict(result),
        "same": result.identity,
        "comparisons": [c for c in (result.policy, result.guarded) if c is not None],
        "axes": tuple(zip(AXES, UNITS, strict=True)),
        "histogram": _markup(interval_figure(result.intervals)),
        "gaps": (*result.intervals.jumps, *result.intervals.gaps)[:GAPS_SHOWN],
        "shift": _shift(result),
        "disturbed": None
        if result.disturbed is None
        else disturbed_section(result.disturbed, result.start_ns),
        "other": None if result.other is None else result.other.label,
    }
    filters: dict[str, Callable[..., str]] = {"seconds": _seconds(result), "ms": _ms}
    subtitle = f"replay · liquid_control {metadata.versions['liquid_control']}"
    page = flight_page(
        title,
        subtitle,
        [flight_block(view)],
        package="liquid_control.replay",
        template="replay.html",
        context=context,
        filters=filters,
    )
    return atomic_write(path, page)


def _markup(svg: str | None) -> Markup | None:
    return None if svg is None else Markup(svg)


def _shift(result: ReplayResult) -> Markup | None:
    if result.shift is None or result.statistics is None:
        return None
    return Markup(shift_figure(result.shift, result.statistics.values))


def _seconds(result: ReplayResult) -> Callable[[int], str]:
    def seconds(stamp_ns: int) -> str:
        return f"{float(result.seconds(np.array(stamp_ns))):.2f} s"

    return seconds


def _ms(value: Percentiles | None) -> str:
    if value is None:
        return "-"
    return " / ".join(f"{1000 * part:.1f}" for part in (value.p50_s, value.p90_s, value.p99_s))
