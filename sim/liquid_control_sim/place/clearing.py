"""Draw the open forest of the target and hike tasks: course, targets, distractors and boards."""

import math

import numpy as np

from liquid_control.config import HikeSettings, Scenario, TargetSettings, TaskKind
from liquid_control.config.scenario import LONGEST_RANGE_M
from liquid_control.errors import ConfigError
from liquid_control.seeding import stream
from liquid_control.types import Floats
from liquid_control_sim.place.objects import COLOURS, Board, ForestObject, Shape
from liquid_control_sim.place.terrain import Terrain
from liquid_control_sim.place.trees import BATCH, Mask, plant

SHORTEST_RANGE_M = 5.0
_BEARING_RAD = math.radians(60.0)
_SPREAD = 0.3
"""Legs and turns of a hike differ from their means by up to this fraction."""
_TARGETS_APART_M = 4.0
"""Minimum distance between targets; legs keep half of it from targets that are not their own."""
_TRIES = 200


def draw_course(scenario: Scenario, seed: int) -> Floats:
    """Draw the course: the start, which is the origin, and the positions of the targets.

    Args:
        scenario: range of the target, or legs and turns of the hike.
        seed: seed of the flight; the stream is "forest.course".

    Returns:
        float64 [1 + targets, 2], m, map. Distances are multiples of 0.1 m.

    Raises:
        ConfigError: no course was found that keeps the targets of a hike apart.
    """
    rng = stream(seed, "forest.course")
    bearing = rng.uniform(-_BEARING_RAD, _BEARING_RAD)
    drawn = rng.uniform(SHORTEST_RANGE_M, LONGEST_RANGE_M)
    if scenario.task.kind is TaskKind.TARGET:
        reach = round(scenario.target.range_m or drawn, 1)
        return np.array([(0.0, 0.0), (reach * math.cos(bearing), reach * math.sin(bearing))])
    for _ in range(_TRIES):
        course = _walk(scenario.hike, bearing, rng)
        if _keeps_spacing(course):
            return course
    hike = scenario.hike
    raise ConfigError(
        f"hike.targets: {hike.targets} do not fit {_TARGETS_APART_M:g} m apart with legs of "
        f"{hike.leg_m:g} m and turns of {hike.turn_deg:g} degrees; expected fewer targets, longer "
        "legs or smaller turns"
    )


def _walk(hike: HikeSettings, bearing: float, rng: np.random.Generator) -> Floats:
    """Draw a course of `hike.targets` legs that turns left at every target."""
    spread = rng.uniform(1.0 - _SPREAD, 1.0 + _SPREAD, (2, hike.targets))
    legs = np.round(hike.leg_m * spread[0], 1)
    turns = math.radians(hike.turn_deg) * spread[1]
    headings = bearing + np.cumsum(turns) - turns[0]
    steps = legs[:, None] * np.stack([np.cos(headings), np.sin(headings)], axis=1)
    return np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])


def _keeps_spacing(course: Floats) -> bool:
    """Return whether targets keep their distance from each other and from other legs."""
    for index, place in enumerate(course):
        others = np.delete(course, index, axis=0)
        if np.linalg.norm(others - place, axis=1).min() < min(_TARGETS_APART_M, _shortest(course)):
            return False
        for leg in range(len(course) - 1):
            off = distance_to_course(place[None], course[leg : leg + 2])[0]
            if index not in (leg, leg + 1) and off < 0.5 * _TARGETS_APART_M:
                return False
    return True


def _shortest(course: Floats) -> float:
    return float(np.linalg.norm(np.diff(course, axis=0), axis=1).min())


def distance_to_course(points: Floats, course: Floats) -> Floats:
    """Return the distance from each point to a polyline.

    Args:
        points: float64 [N, 2], m.
        course: float64 [K >= 2, 2], m.

    Returns:
        float64 [N], m.
    """
    start, along = course[:-1], np.diff(course, axis=0)
    from_start = points[:, None] - start
    part = np.clip((from_start * along).sum(axis=2) / (along**2).sum(axis=1), 0.0, 1.0)
    gaps = np.linalg.norm(from_start - part[..., None] * along, axis=2)
    return np.asarray(gaps.min(axis=1))


MARGIN_M = 13.0
"""Trees stand within this distance of the bounding box of the course."""
_OPEN_M = 1.4
"""Added to `forest.clear_m` along the course, since flights start and turn there."""
_OFF_OBJECTS_M = 1.5
_TARGET_SIZE_M = 1.0
_SIZES_M = (0.5, 1.0)
_OFF_COURSE_M = (2.2, 6.0)
_APART_M = 2.5
_FARTHER_M = 0.02
"""Increase of the allowed distance of a distractor from the course with each attempt."""
_BOARD_M = (2.4, 2.0)
_BOARD_GAP_M = 0.5
_BOARD_FRACTION = (0.15, 0.55)
"""Start of a board, as a fraction of the approach time at cruise speed."""


def draw_targets(
    course: Floats, scenario: Scenario, terrain: Terrain, seed: int
) -> tuple[ForestObject, ...]:
    """Draw an object of the target colour on a post at each point of the course but the first.

    Their centres are 0.1 to 0.4 m below the flight altitude. Stream: "forest.targets".
    """
    rng = stream(seed, "forest.targets")
    targets = []
    for place in course[1:].tolist():
        shape, turn = _shape(rng), rng.uniform(0.0, 2.0 * math.pi)
        above = max(scenario.altitude_m - rng.uniform(0.1, 0.4), 0.5 * _TARGET_SIZE_M)
        targets.append(
            _object(shape, scenario.target.colour, place, above, _TARGET_SIZE_M, turn, terrain)
        )
    return tuple(targets)


def draw_distractors(
    course: Floats, settings: TargetSettings, terrain: Terrain, seed: int
) -> tuple[ForestObject, ...]:
    """Draw objects of other colours 2.2 to 6 m off the course, on the ground or on posts.

    They keep 2.5 m from each other; with many distractors, the outermost stand farther away.
    Stream: "forest.distractors".
    """
    rng = stream(seed, "forest.distractors")
    colours = [name for name in COLOURS if name != settings.colour]
    low, high = course.min(axis=0), course.max(axis=0)
    objects: list[ForestObject] = []
    farthest = _OFF_COURSE_M[1]
    while len(objects) < settings.distractors:
        place = rng.uniform(low - farthest, high + farthest)
        size, turn = rng.uniform(*_SIZES_M), rng.uniform(0.0, 2.0 * math.pi)
        above = 0.5 * size + rng.choice((0.0, 1.0)) * rng.uniform(0.4, 0.9)
        shape, colour = _shape(rng), str(rng.choice(colours))
        farthest += _FARTHER_M
        off = float(distance_to_course(place[None], course)[0])
        others = [math.dist(place, forest_object.centre[:2]) for forest_object in objects]
        if _OFF_COURSE_M[0] <= off <= farthest and min(others, default=math.inf) >= _APART_M:
            objects.append(_object(shape, colour, place.tolist(), above, size, turn, terrain))
    return tuple(objects)


def _shape(rng: np.random.Generator) -> Shape:
    return list(Shape)[int(rng.integers(len(Shape)))]


def _object(
    shape: Shape,
    colour: str,
    place: list[float],
    above_m: float,
    size_m: float,
    turn_rad: float,
    terrain: Terrain,
) -> ForestObject:
    x, y = place
    centre = (x, y, terrain.height_at(x, y) + above_m)
    return ForestObject(shape, colour, centre, size_m, turn_rad, max(above_m - 0.5 * size_m, 0.0))


def plant_clearing(
    course: Floats, objects: tuple[ForestObject, ...], count: int, clear_m: float, seed: int
) -> Floats:
    """Draw trunks with uniform density around the course and the objects.

    No trunk is closer to the course than `clear_m` + 1.4 m. Each target is therefore visible from
    the one before it. Stream: "forest.trees".

    Returns:
        float64 [count, 3], x, y and radius, m, map.
    """
    low, high = course.min(axis=0) - MARGIN_M, course.max(axis=0) + MARGIN_M
    feet = np.array([forest_object.centre[:2] for forest_object in objects])

    def draw_candidates(rng: np.random.Generator) -> tuple[Floats, Floats, Mask]:
        radius = rng.uniform(0.10, 0.24, BATCH)
        candidates = rng.uniform(low, high, (BATCH, 2))
        off = distance_to_course(candidates, course)
        near = np.linalg.norm(candidates[:, None] - feet, axis=2).min(axis=1)
        allowed = (off >= clear_m + _OPEN_M + radius) & (near >= _OFF_OBJECTS_M + radius)
        return radius, candidates, allowed

    return plant(count, draw_candidates, stream(seed, "forest.trees"))


def draw_boards(
    course: Floats, target: ForestObject, scenario: Scenario, seed: int
) -> tuple[Board, ...]:
    """Return the board that hides the first target from the start for `target.hidden_s`, if any.

    It stands 0.5 m in front of the target's surface and is 2.4 m wide and 2 m high. Where
    `target.hidden_from_s` is null, it appears during the first half of the approach. Stream:
    "forest.boards".
    """
    drawn = stream(seed, "forest.boards").uniform(*_BOARD_FRACTION)
    hidden_s, from_s = scenario.target.hidden_s, scenario.target.hidden_from_s
    if hidden_s == 0.0:
        return ()
    if from_s is None:
        from_s = drawn * math.dist(course[0], course[1]) / scenario.cruise_mps
    way = course[0] - course[1]
    toward = way / np.linalg.norm(way)
    x, y = course[1] + (target.radius_m + _BOARD_GAP_M) * toward
    width, height = _BOARD_M
    centre = (float(x), float(y), target.centre[2])
    facing = math.atan2(toward[1], toward[0])
    return (Board(centre, facing, width, height, from_s, from_s + hidden_s),)
