import pytest

from liquid_control.seeding import stream

pytestmark = pytest.mark.unit


def test_the_same_seed_and_name_draw_the_same():
    assert stream(3, "wind").random() == stream(3, "wind").random()


def test_names_and_seeds_make_independent_streams():
    draws = {stream(seed, name).random() for seed in (0, 1) for name in ("wind", "forest")}
    assert len(draws) == 4
