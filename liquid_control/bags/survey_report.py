"""Survey of a bag as tables for a terminal and as plain data: what `bag info` shows."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from liquid_control.bags import Bag, Role, RoleFinding, Source, Survey, Traffic, metadata_records
from liquid_control.bags.decoding.clock_offsets import ANOTHER_CLOCK_NS
from liquid_control.bags.flight_result import RESULT, recorded_result
from liquid_control.bags.losses import labelled
from liquid_control.message_types import IMU, TWIST, TWIST_STAMPED
from liquid_control.types import NANOSECONDS

SCHEMA = 1
CALENDAR_NS = 10**18
"""Stamps above this (2001) are dates; smaller ones are simulation time."""
STORAGES = {".mcap": "mcap", ".db3": "sqlite3", ".partial": "mcap, unfinished"}


def print_survey(bag: Bag, found: Survey, console: Console) -> None:
    """Print a survey: storage, duration, topics, roles, losses, and possible uses."""
    for label, value in _facts(bag, found):
        console.print(f"[bold]{label}[/] {escape(value)}", highlight=False)
    console.print(_topic_table(bag, found))
    console.print(_role_table(found))
    for line in map(labelled, found.losses.lines()):
        label, _, text = line.partition(": ")
        console.print(f"[yellow]{label}[/] {escape(text)}", highlight=False, soft_wrap=True)
    for label, obstacle in (
        ("replay", found.obstacle),
        ("training", found.obstacle_to_training),
    ):
        in_table = any(obstacle == finding.problem for finding in found.findings.values())
        reason = "see above" if in_table else escape(obstacle)
        answer = f"[red]no[/]: {reason}" if obstacle else "[green]yes[/]"
        console.print(f"[bold]{label}[/] {answer}", highlight=False, soft_wrap=True)


def as_document(bag: Bag, found: Survey) -> dict[str, Any]:
    """Return a survey as a JSON-serialisable dictionary."""
    return {
        "schema": SCHEMA,
        "bag": [str(part) for part in bag.parts],
        "storage": _storage(bag),
        "size_bytes": bag.size_bytes,
        "start_ns": _span(found)[0],
        "end_ns": _span(found)[1],
        "duration_s": _duration_s(found),
        "metadata": metadata_records(bag),
        "topics": [_topic(bag, name, found.traffic[name]) for name in sorted(found.traffic)],
        "roles": {role.value: _role(finding) for role, finding in found.findings.items()},
        "pictures": {
            "frames": found.content.frames,
            "sizes": {f"{w}x{h}": n for (w, h), n in sorted(found.content.sizes.items())},
            "horizontal_fov_deg": found.content.fov_deg,
            "fitting": found.content.fitting,
            "misfits": dict(found.content.misfits.most_common()),
            "imu_samples_per_frame": _samples_per_frame(found),
        },
        "commands": {source.value: number for source, number in found.content.commands.items()},
        "losses": {
            loss.name.lower(): {"count": number, "first": found.losses.reasons[loss]}
            for loss, number in found.losses.counts.items()
        },
        "warnings": found.losses.warnings,
        "replay": {"possible": not found.obstacle, "obstacle": found.obstacle or None},
        "training": {
            "possible": not found.obstacle_to_training,
            "obstacle": found.obstacle_to_training or None,
        },
    }


def _topic(bag: Bag, name: str, traffic: Traffic) -> dict[str, Any]:
    info = bag.topics.get(name)
    return {
        "name": name,
        "type": info.type if info else None,
        "count": traffic.count,
        "size_bytes": traffic.size_bytes,
        "rate_hz": traffic.rate_hz,
        "longest_gap_s": traffic.longest_gap_ns / NANOSECONDS,
        "lag_s": None if traffic.lag_ns is None else traffic.lag_ns / NANOSECONDS,
        "frame_id": traffic.frame_id or None,
        "encoding": info.encoding if info else None,
        "defined": bool(info and info.definition),
    }


def _role(finding: RoleFinding) -> dict[str, Any]:
    source = finding.source
    return {
        "topic": source.name if source else None,
        "manner": _manner(source) or None if source else None,
        "problem": finding.problem or None,
        "choices": list(finding.choices),
    }


def _facts(bag: Bag, found: Survey) -> Iterator[tuple[str, str]]:
    yield "bag", ", ".join(str(part) for part in bag.parts)
    yield "storage", f"{_storage(bag)}, {_bytes(bag.size_bytes)}"
    start_ns, _ = _span(found)
    if start_ns is not None:
        start = datetime.fromtimestamp(start_ns // NANOSECONDS, timezone.utc)
        date = f", from {start:%Y-%m-%d %H:%M:%S} UTC" if start_ns > CALENDAR_NS else ""
        yield "duration", f"{_duration_s(found):.2f} s{date}"
    sizes = found.content.sizes
    if sizes:
        shapes = ", ".join(f"{width}x{height}" for width, height in sorted(sizes))
        fov = found.content.fov_deg
        view = "not calibrated" if fov is None else f"{fov:.1f} degrees wide"
        yield "pictures", f"{found.content.frames} of {shapes}, {view}"
    for reason, number in [] if found.obstacle else found.content.misfits.most_common(3):
        yield "do not fit the model", f"{number} pictures: {reason}"
    per_frame = _samples_per_frame(found)
    if per_frame:
        yield "imu", f"{per_frame:.1f} samples per frame"
    yield from _metadata(metadata_records(bag))


def _metadata(records: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    for name, values in sorted(records.items()):
        if name.startswith("parameters/"):
            yield name, f"{len(values)} values"
        elif name == RESULT and (result := recorded_result(values)):
            yield name, result.sentence()
        elif values:
            pairs = (f"{key} {_short(value)}" for key, value in values.items())
            yield name, ", ".join(pairs)


def _short(value: str, longest: int = 24) -> str:
    text = " ".join(value.split())
    return text if len(text) <= longest else f"{text[: longest - 8]}…"


def _topic_table(bag: Bag, found: Survey) -> Table:
    table = Table("topic", "type", box=None, padding=(0, 2), header_style="bold")
    for label in ("messages", "rate", "longest gap", "size"):
        table.add_column(label, justify="right")
    for name in sorted(found.traffic):
        traffic, info = found.traffic[name], bag.topics.get(name)
        rate = "" if traffic.rate_hz is None else f"{traffic.rate_hz:.1f} Hz"
        gap = f"{traffic.longest_gap_ns / NANOSECONDS:.3f} s" if traffic.count > 1 else ""
        kind = info.type.replace("/msg/", "/") if info else "?"
        if info is not None and not info.is_ros2:
            kind = f"{kind} ({info.encoding})"
        size = _bytes(traffic.size_bytes)
        table.add_row(escape(name), escape(kind), str(traffic.count), rate, gap, size)
    return table


def _role_table(found: Survey) -> Table:
    table = Table("role", box=None, padding=(0, 2), header_style="bold")
    table.add_column("topic", overflow="fold")
    table.add_column("read as", overflow="fold")
    table.add_column("lag", justify="right")
    for role in Role:
        finding = found.findings[role]
        source = finding.source
        if source is None:
            table.add_row(role.value, "[yellow]-[/]", escape(finding.problem or "empty"))
        else:
            traffic = found.traffic.get(source.topic, Traffic())
            stated = f" (header: {traffic.frame_id})" if traffic.frame_id else ""
            manner = f"{_manner(source)}{stated}"
            table.add_row(role.value, escape(source.name), escape(manner), _lag(traffic))
    return table


def _lag(traffic: Traffic) -> str:
    """Return the smallest delay from the stamps of a topic to their log times."""
    if traffic.lag_ns is None:
        return "no stamps" if traffic.count else ""
    if abs(traffic.lag_ns) > ANOTHER_CLOCK_NS:
        return "another clock"
    return f"{traffic.lag_ns / NANOSECONDS:.3f} s"


def _manner(source: Source) -> str:
    if source.type in (TWIST, TWIST_STAMPED):
        return f"velocity in the {source.frame.value} frame"
    if source.type == IMU:
        return f"{source.axes.value} axes"
    return source.type.replace("/msg/", "/")


def _storage(bag: Bag) -> str:
    kinds = {STORAGES.get(part.suffix, "rosbag2 folder") for part in bag.parts}
    return " and ".join(sorted(kinds)) + (f", {len(bag.parts)} parts" if bag.parts[1:] else "")


def _span(found: Survey) -> tuple[int | None, int | None]:
    filled = [traffic for traffic in found.traffic.values() if traffic.first_ns is not None]
    if not filled:
        return None, None
    return min(t.first_ns or 0 for t in filled), max(t.last_ns for t in filled)


def _duration_s(found: Survey) -> float:
    start_ns, end_ns = _span(found)
    return 0.0 if start_ns is None or end_ns is None else (end_ns - start_ns) / NANOSECONDS


def _samples_per_frame(found: Survey) -> float | None:
    frames = found.content.frames
    return found.content.imu_samples / frames if frames else None


def _bytes(size: int) -> str:
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} B"
