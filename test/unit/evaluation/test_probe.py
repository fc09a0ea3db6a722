"""Still pictures through a policy: cuts, labels, agreement, files."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from liquid_control.config import project_file
from liquid_control.errors import ConfigError, ObservationError
from liquid_control.evaluation.probe import (
    GREY,
    STEADY_RADPS,
    Cut,
    Direction,
    agrees,
    cut_to_view,
    load_labels,
    picture_paths,
    probe,
    read_picture,
)
from liquid_control.evaluation.probe_sheet import write_sheet
from liquid_control.policy import Policy, load_model
from liquid_control.types import Command

pytestmark = pytest.mark.unit

PHOTOS = Path(__file__).resolve().parents[4] / "shared" / "real" / "photos"


@pytest.fixture(scope="module")
def policy():
    return Policy(load_model(project_file("models/trail_cfc19")))


def write_picture(path, height=120, width=160, seed=0):
    image = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    cv2.imwrite(str(path), image[:, :, ::-1])
    return image


@pytest.fixture
def stills(tmp_path):
    for index, name in enumerate(("a.png", "b.png")):
        write_picture(tmp_path / name, seed=index)
    return picture_paths([tmp_path])


def test_a_picture_is_cut_to_the_shape_of_the_view(policy, tmp_path):
    image = write_picture(tmp_path / "a.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), image)
    # 160 columns of a view of 128 x 72 are 90 rows.
    below = cut_to_view(image, policy, Cut.BELOW)
    middle = cut_to_view(image, policy, Cut.MIDDLE)
    assert below.shape == middle.shape == (90, 160, 3)
    np.testing.assert_array_equal(below, image[30:])
    np.testing.assert_array_equal(middle, image[15:105])
    wide = np.zeros((72, 200, 3), np.uint8)
    assert cut_to_view(wide, policy, Cut.MIDDLE).shape == (72, 128, 3)


@pytest.mark.parametrize(
    ("yaw_rate", "direction", "expected"),
    [
        (0.3, Direction.LEFT, True),
        (-0.3, Direction.LEFT, False),
        (-0.01, Direction.RIGHT, True),
        (STEADY_RADPS, Direction.STRAIGHT, True),
        (-STEADY_RADPS - 0.01, Direction.STRAIGHT, False),
        (0.3, None, None),
    ],
)
def test_agreement_is_of_the_sign_or_of_a_steady_heading(yaw_rate, direction, expected):
    assert agrees(Command(yaw_rate_radps=yaw_rate), direction) is expected


def test_answers_are_repeatable_and_summed_up(policy, stills, tmp_path):
    labels = {"a.png": Direction.LEFT, "b.png": Direction.STRAIGHT}
    result = probe(policy, stills, labels)
    assert result == probe(policy, stills, labels)
    assert [answer.name for answer in result.answers] == ["a.png", "b.png"]
    assert result.grey.name == GREY
    yaw_rates = [answer.command.yaw_rate_radps for answer in result.answers]
    assert result.bias_radps == pytest.approx(np.mean(yaw_rates))
    assert result.agreement(False) == (int(yaw_rates[0] > 0), 1)
    assert result.agreement(True) == (int(abs(yaw_rates[1]) <= STEADY_RADPS), 1)
    document = json.loads(json.dumps(result.to_dict()))
    assert document["sign_agrees"] == {"pictures": 1, "right": int(yaw_rates[0] > 0)}
    pictures = [cut_to_view(read_picture(path), policy, Cut.MIDDLE) for path in stills]
    sheet = write_sheet(tmp_path / "sheet.png", result, pictures)
    assert Image.open(sheet).size[0] > 2 * 480


def test_bad_input_is_one_line(policy, stills, tmp_path):
    with pytest.raises(ConfigError, match="expected at least one picture, got none"):
        probe(policy, [])
    with pytest.raises(ConfigError, match=r"--labels: c\.jpg is not among the pictures"):
        probe(policy, stills, {"c.jpg": Direction.LEFT})
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ObservationError, match=r"text\.png: expected a JPEG or PNG picture"):
        read_picture(tmp_path / "text.png")
    write_picture(tmp_path / "tiny.png", 20, 36)
    with pytest.raises(ObservationError, match="got a smaller image, 36x20"):
        probe(policy, [tmp_path / "tiny.png"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="empty: expected pictures"):
        picture_paths([tmp_path / "empty"])
    table = tmp_path / "labels.csv"
    table.write_text("file,direction\na.png,north\n")
    with pytest.raises(ConfigError, match="line 2: expected a file and a direction L, C or R"):
        load_labels(table)
    table.write_text("file,direction\n")
    with pytest.raises(ConfigError, match="expected lines of file and direction, got none"):
        load_labels(table)


def test_photographs_of_a_forest_trail(policy):
    """The figures of docs/results.md."""
    if not PHOTOS.is_dir():
        pytest.skip("the folder shared/real with photographs is not here")
    result = probe(policy, picture_paths([PHOTOS]), load_labels(PHOTOS / "labels.csv"))
    answers = {answer.name: answer.command.yaw_rate_radps for answer in result.answers}
    reported = {
        "milrem_forest1.jpg": 0.09,
        "milrem_forest2.jpg": -0.41,
        "milrem_forest3.jpg": -0.46,
        "redtail_rot_c.jpg": -0.14,
        "redtail_rot_l.jpg": -0.32,
        "redtail_rot_r.jpg": 0.54,
        "redtail_tran_l.jpg": -0.02,
        "redtail_tran_r.jpg": 0.40,
    }
    assert answers == pytest.approx(reported, abs=0.02)
    assert result.grey.command.yaw_rate_radps == pytest.approx(-0.01, abs=0.02)
