import pytest

from liquid_control.cli.options import override_words
from liquid_control.config import parse_settings

pytestmark = pytest.mark.unit


def test_there_and_back():
    overrides = {"wind.gust_mps": 6, "light.gain": 0.25, "vehicle": "cf2x", "range.enabled": True}
    overrides["wind.direction_deg"] = None
    assert override_words({"vehicle": "cf2x"}) == ['vehicle="cf2x"']
    assert parse_settings(override_words(overrides)) == overrides
