"""The open wood of the target and hike tasks: trees around, things to find, boards that hide."""

import math

import numpy as np

from liquid_control.config.scenario import HikeSettings, Scenario, TargetSettings, TaskKind
from liquid_control.config.scenario.scenario import LONGEST_RANGE_M
from liquid_control.errors import ConfigError
from liquid_control.seeding import stream
from liquid_control.types import Floats
from liquid_control_sim.place.objects import COLOURS, Board, ForestObject, Shape
from liquid_control_sim.place.terrain import Terrain
from liquid_control_sim.place.trees import BATCH, Mask, plant

SHORTEST_RANGE_M = 5.0
_BEARING_RAD = math.radians(60.0)
_SPREAD = 0.3
"""Legs and turns of a hike differ from their means by up to this share."""
_TARGETS_APART_M = 4.0
"""Targets stand at least this far from each other, and legs pass others by half of it."""
_TRIES = 200


def draw_course(scenario: Scenario, seed: int) -> Floats:
    """Draw the start, which is the origin, and the targets' places.

    Args:
        scenario: a target's range or a hike's legs and turns.
        seed: the flight's; drawn from the stream "forest.course".

    Returns:
        float64 [1 + targets, 2], m, map. Distances are multiples of 0.1 m.

    Raises:
        ConfigError: the targets of a hike would stand in each other's way.
    """
    rng = stream(seed, "forest.course")
    bearing = rng.uniform(-_BEARING_RAD, _BEARING_RAD)
    drawn = rng.uniform(SHORTEST_RANGE_M, LONGEST_RANGE_M)
    if scenario.task.kind is TaskKind.TARGET:
        reach = round(scenario.target.range_m or drawn, 1)
        return np.array([(0.0, 0.0), (reach * math.cos(bearing), reach * math.sin(bearing))])
    for _ in range(_TRIES):
        course = _walk(scenario.hike, bearing, rng)
        if _has_room(course):
            return course
    hike = scenario.hike
    raise ConfigError(
        f"hike.targets: {hike.targets} find no room {_TARGETS_APART_M:g} m apart with legs of "
        f"{hike.leg_m:g} m and turns of {hike.turn_deg:g} degrees; expected fewer targets, longer "
        "legs or smaller turns"
    )


def _walk(hike: HikeSettings, bearing: float, rng: np.random.Generator) -> Floats:
    """Walk from target to target, turning left."""
    spread = rng.uniform(1.0 - _SPREAD, 1.0 + _SPREAD, (2, hike.targets))
    legs = np.round(hike.leg_m * spread[0], 1)
    turns = math.radians(hike.turn_deg) * spread[1]
    headings = bearing + np.cumsum(turns) - turns[0]
    steps = legs[:, None] * np.stack([np.cos(headings), np.sin(headings)], axis=1)
    return np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])


def _has_room(course: Floats) -> bool:
    """Return whether no target stands near another one or near a leg that is not its own."""
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
    """Return each point's distance to a polyline.

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
"""Trees stand within this distance of the course's bounding box."""
_OPEN_M = 1.4
"""Added to `forest.clear_m` along the course: flights start and turn there."""
_OFF_THINGS_M = 1.5
_TARGET_SIZE_M = 1.0
_SIZES_M = (0.5, 1.0)
_OFF_COURSE_M = (2.2, 6.0)
_APART_M = 2.5
_FARTHER_M = 0.02
"""A distractor may stand this much farther off the course with each try."""
_BOARD_M = (2.4, 2.0)
_BOARD_GAP_M = 0.5
_BOARD_SHARE = (0.15, 0.55)
"""When a board goes up, as a share of the time of approach at cruise."""


def draw_targets(
    course: Floats, scenario: Scenario, terrain: Terrain, seed: int
) -> tuple[ForestObject, ...]:
    """Put a thing of the target's colour on a post at each place of the course but the first.

    Their middles are 0.1 to 0.4 m below the altitude of flight. Stream: "forest.targets".
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
    """Put things of other colours 2.2 to 6 m off the course, on the ground or on posts.

    They keep 2.5 m from each other; where many are wanted, the outermost stand farther away.
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
    """Plant trees evenly around the course and the things.

    No trunk stands nearer to the course than `clear_m` + 1.4 m, so that each target can be seen
    from the place before it. Stream: "forest.trees".

    Returns:
        float64 [count, 3], x, y and radius, m, map.
    """
    low, high = course.min(axis=0) - MARGIN_M, course.max(axis=0) + MARGIN_M
    feet = np.array([forest_object.centre[:2] for forest_object in objects])

    def throw(rng: np.random.Generator) -> tuple[Floats, Floats, Mask]:
        radius = rng.uniform(0.10, 0.24, BATCH)
        thrown = rng.uniform(low, high, (BATCH, 2))
        off = distance_to_course(thrown, course)
        near = np.linalg.norm(thrown[:, None] - feet, axis=2).min(axis=1)
        allowed = (off >= clear_m + _OPEN_M + radius) & (near >= _OFF_THINGS_M + radius)
        return radius, thrown, allowed

    return plant(count, throw, stream(seed, "forest.trees"))


def draw_boards(
    course: Floats, target: ForestObject, scenario: Scenario, seed: int
) -> tuple[Board, ...]:
    """Return the board that hides the first target from the start for `target.hidden_s`, if any.

    It stands 0.5 m before the target's surface, 2.4 m wide and 2 m high. Where
    `target.hidden_from_s` is null, it goes up during the first half of the approach. Stream:
    "forest.boards".
    """
    drawn = stream(seed, "forest.boards").uniform(*_BOARD_SHARE)
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
