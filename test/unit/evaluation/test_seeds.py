import pytest

from liquid_control.errors import ConfigError
from liquid_control.evaluation import parse_seeds

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("7", (7,)), ("0:3", (0, 1, 2)), ("5, 1,8:10", (5, 1, 8, 9)), ("0", (0,))],
)
def test_seeds(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "-1", "1.5", "1:2:3", "1,,2", ":5", "5:", "seven"])
def test_what_is_no_seed_is_named(text):
    with pytest.raises(ConfigError, match="expected integers >= 0 such as 7, 0:100"):
        parse_seeds(text)


def test_an_empty_range_is_refused():
    with pytest.raises(ConfigError, match="'9:3' is empty"):
        parse_seeds("9:3")


def test_a_seed_twice_is_refused():
    with pytest.raises(ConfigError, match="names a seed twice"):
        parse_seeds("1:4,2")
