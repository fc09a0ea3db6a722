"""The painted ground and its cache of files."""

import os

import cv2
import numpy as np
import pytest

from liquid_control.config import ForestSettings, LightSettings, Scenario
from liquid_control.errors import OutputError
from liquid_control_sim import compiling as caching
from liquid_control_sim.place.forest import MOST_PIXELS, generate_forest, ground_extent
from liquid_control_sim.render import textures
from liquid_control_sim.render.ground_paint import paint_ground
from liquid_control_sim.render.sunlight import make_sun
from liquid_control_sim.render.textures import texture_file

pytestmark = pytest.mark.sim


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "liquid_control"


class Painter:
    """Paints grey and counts its calls."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> np.ndarray:
        self.count += 1
        return np.full((32, 48, 3), (200, 120, 40), dtype=np.uint8)


def test_texture_is_painted_once_and_read_back(cache):
    paint = Painter()
    path = texture_file("grey", paint)
    assert texture_file("grey", paint) == path
    assert paint.count == 1
    assert path.parent == cache
    read = cv2.imread(str(path))[..., ::-1]
    assert np.abs(read.astype(int) - (200, 120, 40)).max() <= 3
    assert [p.name for p in cache.iterdir()] == ["grey.jpg"]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_damaged_texture_is_painted_again(cache, damage):
    paint = Painter()
    path = texture_file("grey", paint)
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            "truncated": whole[:middle],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "empty": b"",
        }[damage]
    )
    assert texture_file("grey", paint).read_bytes() == whole
    assert paint.count == 2


def test_oldest_textures_are_removed(cache, monkeypatch):
    monkeypatch.setattr(textures, "KEEP", 3)
    for number in range(5):
        path = texture_file(f"t{number}", Painter())
        os.utime(path, (number, number))
    texture_file("t5", Painter())
    assert sorted(p.name for p in cache.iterdir()) == ["t3.jpg", "t4.jpg", "t5.jpg"]


def test_unwritable_cache_falls_back_to_the_temporary_folder(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    fallback = tmp_path / "tmp"
    fallback.mkdir()
    monkeypatch.setattr(caching.tempfile, "gettempdir", lambda: str(fallback))
    assert texture_file("grey", Painter()).is_relative_to(fallback)
    monkeypatch.setattr(caching.tempfile, "gettempdir", lambda: str(blocked))
    with pytest.raises(OutputError, match="expected a writable cache folder, tried"):
        texture_file("grey", Painter())


@pytest.fixture(scope="module")
def painted():
    forest = generate_forest(Scenario(), 1)
    extent = ground_extent(forest)
    return forest, extent, paint_ground(forest, make_sun(LightSettings(), 1), extent)


def test_trail_is_painted_at_its_position(painted):
    forest, extent, picture = painted
    assert picture.shape == (extent.rows, extent.columns, 3)
    assert max(picture.shape) <= MOST_PIXELS
    palette = forest.palette

    def trail_like(aside: float) -> float:
        """Return the fraction of points whose hue is closer to the trail's than to the floor's."""
        near = []
        for along in np.arange(0.0, 60.0, 0.5):
            x, y = forest.trail.point(along)
            heading = forest.trail.heading(along)
            place = np.array([x - aside * np.sin(heading), y + aside * np.cos(heading)])
            column, row = extent.pixels(place).astype(int)
            pixel = picture[row, column] / max(float(picture[row, column].sum()), 1.0)
            hues = [np.array(c) / sum(c) for c in (palette.trail, palette.floor)]
            to_trail, to_floor = (np.abs(pixel - hue).sum() for hue in hues)
            near.append(to_trail < to_floor)
        return float(np.mean(near))

    assert trail_like(0.0) > 0.98
    assert trail_like(0.4) > 0.95
    assert trail_like(1.6) < 0.4
    assert trail_like(-1.6) < 0.4


def test_painted_shadows_point_away_from_the_sun():
    forest = generate_forest(Scenario(forest=ForestSettings(trees=1)), 1)
    extent = ground_extent(forest)
    overcast = LightSettings(sun_strength=0.0, sun_azimuth_deg=90.0)
    sunny = LightSettings(sun_azimuth_deg=90.0)
    dark, light = (
        paint_ground(forest, make_sun(settings, 1), extent).astype(float).mean(axis=2)
        for settings in (sunny, overcast)
    )
    x, y, _ = forest.trunks[0]
    ratios = []
    for aside in (-2.0, 2.0):
        column, row = extent.pixels(np.array([x, y + aside])).astype(int)
        window = np.s_[row - 2 : row + 3, column - 2 : column + 3]
        ratios.append(dark[window].mean() / light[window].mean())
    assert ratios[0] < 0.85
    assert ratios[1] > 0.97
