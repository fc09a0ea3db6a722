"""Reading of a bag: labels, filters and pieces, with exact counts."""

import json
from pathlib import Path

import numpy as np
import pytest
from toy_bags import HEIGHT, MS, WIDTH, command, picture, state, write_bag

from liquid_control.command.motors import MotorScaling
from liquid_control.config import CameraSettings
from liquid_control.perception import CameraView
from liquid_control.training.bags.job import BagJob, BagSummary, piece_path, read_summary
from liquid_control.training.bags.recorded_flights import measured
from liquid_control.training.bags.sources import bag_data
from liquid_control.training.dataset import TrainingFlight, read_flight
from liquid_control.training.training_settings import BagSettings
from liquid_control.types import VehicleState

pytestmark = pytest.mark.unit

VIEW = CameraView(WIDTH, HEIGHT, CameraSettings().horizontal_fov_deg)
EVERY_50_MS = [50 * MS * number for number in range(40)]


def read(
    path: Path, presets=(), flags=None, **settings
) -> tuple[BagSummary, list[TrainingFlight]]:
    data, _ = bag_data([path], presets, flags)
    motors, home = MotorScaling(), path.parent / "dataset" / "bag.json"
    (source,) = data.sources
    BagJob(source, data, BagSettings(**settings), VIEW, motors, home).run()
    summary = read_summary(home)
    count = range(len(summary.pieces))
    return summary, [read_flight(piece_path(home, index))[0] for index in count]


def numbers(piece: TrainingFlight) -> list[int]:
    """Return the numbers of a piece's pictures."""
    return [int(image[0, 0, 0]) + 256 * int(image[0, 1, 0]) for image in piece.images]


def test_frames_labels_and_imu_equal_the_recorded_ones(tmp_path):
    metadata = {"flight": {"scenario": "trail", "seed": "7"}, "model": {"name": "expert:pushed"}}
    summary, (piece,) = read(write_bag(tmp_path / "a.mcap", EVERY_50_MS, metadata=metadata))
    assert piece.stamps_ns.tolist() == EVERY_50_MS
    np.testing.assert_array_equal(piece.images, [picture(number) for number in range(40)])
    expected = [command(number).values for number in range(40)]
    np.testing.assert_array_equal(piece.labels, np.array(expected, np.float32))
    np.testing.assert_allclose(piece.imu[:, 0], np.array(EVERY_50_MS) * 1e-9 / 2.0, rtol=1e-6)
    assert piece.result is None
    assert (summary.frames, summary.pieces, summary.duration_s) == (40, (40,), 1.95)
    assert (summary.dropped, summary.losses, summary.error) == ({}, (), "")
    assert summary.recorder == metadata
    assert summary.topics["policy_command"] == "/policy/cmd_vel"


def test_uniform_and_frozen_pictures_are_dropped_and_their_imu_samples_kept(tmp_path):
    images = [picture(number) for number in range(40)]
    images[5] = np.full_like(images[5], 90)
    images[10] = images[11] = images[9]
    summary, (piece,) = read(write_bag(tmp_path / "a.mcap", EVERY_50_MS, images))
    kept = [number for number in range(40) if number not in (5, 10, 11)]
    assert numbers(piece) == kept
    assert summary.dropped == {"of almost one value": 1, "equal to the one before": 2}
    rates = piece.imu[:, 0] * 2.0
    assert rates[kept.index(6)] == pytest.approx((0.25 + 0.30) / 2)
    assert rates[kept.index(12)] == pytest.approx((0.50 + 0.55 + 0.60) / 3)
    summary, (piece,) = read(tmp_path / "a.mcap", keep_frozen=True)
    assert len(piece.stamps_ns) == 39


def test_a_gap_cuts_and_short_pieces_are_dropped(tmp_path):
    first = [50 * MS * number for number in range(20)]
    second = [2000 * MS + 50 * MS * number for number in range(5)]
    third = [5000 * MS + 50 * MS * number for number in range(18)]
    path = write_bag(tmp_path / "a.mcap", first + second + third)
    summary, pieces = read(path, max_gap_s=1.0, min_frames=16)
    assert [len(piece.stamps_ns) for piece in pieces] == [20, 18] == list(summary.pieces)
    assert summary.dropped == {"in too short a piece": 5}
    assert summary.frames == 38
    assert numbers(pieces[1])[0] == 25
    summary, pieces = read(path, max_gap_s=1.1, min_frames=1)
    assert summary.pieces == (25, 18)


def test_long_hovering_by_measured_speed_is_dropped_and_short_hovering_kept(tmp_path):
    stamps = [50 * MS * number for number in range(100)]
    slow = [(s, 0.1 if 20 <= n < 60 or 80 <= n < 85 else 1.0) for n, s in enumerate(stamps)]
    path = write_bag(tmp_path / "a.mcap", stamps, speeds=slow)
    summary, pieces = read(path, hover_s=1.0)
    assert summary.pieces == (20, 40)
    assert summary.dropped == {"while hovering": 40}
    assert numbers(pieces[1]) == list(range(60, 100))
    assert read(path, hover_s=1.0, min_speed_mps=0.0)[0].pieces == (100,)
    # Hovering lasts from frame 20 to frame 59: 1.95 s.
    assert read(path, hover_s=1.95)[0].pieces == (100,)


def test_without_odometry_hovering_is_a_slow_command(tmp_path):
    stamps = [50 * MS * number for number in range(100)]
    labels = [(s, command(n) if n < 50 else type(command(0))()) for n, s in enumerate(stamps)]
    summary, _ = read(write_bag(tmp_path / "a.mcap", stamps, commands=labels), hover_s=1.0)
    assert (summary.pieces, summary.dropped) == ((50,), {"while hovering": 50})


def test_labels_of_other_stamps_are_interpolated_and_old_ones_ignored(tmp_path):
    stamps = [50 * MS * number for number in range(40)]
    labels = [(s + 20 * MS, command(n)) for n, s in enumerate(stamps) if n < 30]
    path = write_bag(tmp_path / "a.mcap", stamps, commands=labels)
    summary, (piece,) = read(path, max_label_age_s=0.1)
    # 30 ms after the label before and 20 ms before the next; the first has only the one after it.
    assert piece.labels[0, 1] == np.float32(0.0)
    np.testing.assert_allclose(piece.labels[1:30, 1], 0.001 * (np.arange(29) + 0.6), rtol=1e-5)
    # The last label is of 1.47 s: frames up to 1.55 s take it.
    assert piece.stamps_ns[-1] == 1550 * MS
    np.testing.assert_allclose(piece.labels[30:, 1], 0.029, rtol=1e-6)
    assert summary.dropped == {"without a label": 8}


def test_labels_may_be_taken_ahead(tmp_path):
    summary, (piece,) = read(
        write_bag(tmp_path / "a.mcap", EVERY_50_MS), lookahead_s=0.1, max_label_age_s=0.01
    )
    np.testing.assert_allclose(piece.labels[:, 1], 0.001 * np.arange(2, 40), rtol=1e-6)
    assert summary.dropped == {"without a label": 2}


def test_the_guards_command_or_the_measured_velocity_may_be_learned(tmp_path):
    guarded = [(stamp, command(100 + n)) for n, stamp in enumerate(EVERY_50_MS)]
    speeds = [(stamp, 0.5) for stamp in EVERY_50_MS]
    path = write_bag(tmp_path / "a.mcap", EVERY_50_MS, guarded=guarded, speeds=speeds)
    _, (piece,) = read(path, label="command")
    np.testing.assert_allclose(piece.labels[:, 1], 0.001 * np.arange(100, 140), rtol=1e-6)
    _, (piece,) = read(path, label="odometry")
    np.testing.assert_allclose(piece.labels, np.tile([0.0, 0.5, 0.0, 0.5], (40, 1)), atol=1e-7)


def test_measured_velocity_is_in_the_heading_frame_and_turning_about_the_vertical():
    half = np.sqrt(0.5)
    north = VehicleState(
        np.zeros(3),
        np.array([0.0, 0.0, half, half]),
        np.array([1.0, 2.0, 3.0]),
        np.array([0, 0, 1.0]),
    )
    np.testing.assert_allclose(measured(north), (2.0, -1.0, 3.0, 1.0), atol=1e-12)
    rolled = VehicleState(
        np.zeros(3), np.array([half, 0.0, 0.0, half]), np.zeros(3), np.array([0.0, 1.0, 0.0])
    )
    assert measured(rolled)[3] == pytest.approx(1.0)
    assert measured(state(2.0)) == (0.0, 2.0, 0.0, 0.5)


def test_resampled_to_a_rate_with_nearest_frames_and_interpolated_labels(tmp_path):
    stamps = [33 * MS * number for number in range(90)]
    summary, (piece,) = read(write_bag(tmp_path / "a.mcap", stamps), rate_hz=10.0)
    assert np.unique(np.diff(piece.stamps_ns)).tolist() == [100 * MS]
    assert len(piece.stamps_ns) == 30
    assert summary.dropped == {"between two periods": 60}
    nearest = [round(100 * period / 33) for period in range(30)]
    assert numbers(piece) == nearest
    np.testing.assert_allclose(
        piece.labels[:, 1], 0.001 * np.minimum(np.arange(30) * 100 / 33, 89), rtol=1e-5
    )
    # The IMU window of a frame spans the frames left out since the one before.
    middle = np.mean([33e-3 * number for number in range(nearest[3] + 1, nearest[4] + 1)])
    assert piece.imu[4, 0] * 2.0 == pytest.approx(middle)


def test_labels_beyond_the_motors_are_counted(tmp_path):
    labels = [(s, type(command(0))(3.5 if n < 7 else 1.0)) for n, s in enumerate(EVERY_50_MS)]
    summary, _ = read(write_bag(tmp_path / "a.mcap", EVERY_50_MS, commands=labels))
    assert summary.beyond_motors == 7


def test_a_larger_camera_is_averaged_and_a_smaller_one_is_a_loss(tmp_path):
    images = [picture(n).repeat(2, axis=0).repeat(2, axis=1) for n in range(40)]
    summary, (piece,) = read(write_bag(tmp_path / "a.mcap", EVERY_50_MS, images))
    assert numbers(piece) == list(range(40))
    small = [image[:9, :16] for image in images]
    summary, pieces = read(write_bag(tmp_path / "b.mcap", EVERY_50_MS, small))
    assert (summary.frames, pieces) == (0, [])
    assert "40 pictures that cannot be used" in summary.losses[0]


def test_a_bag_without_the_label_names_the_labels_it_has(tmp_path):
    guarded = [(stamp, command(n)) for n, stamp in enumerate(EVERY_50_MS)]
    path = write_bag(tmp_path / "a.mcap", EVERY_50_MS, commands=[], guarded=guarded)
    summary, pieces = read(path)
    assert (summary.frames, pieces) == (0, [])
    assert "bags.label is policy_command, which the bag lacks" in summary.error
    assert "it has command: set bags.label to it" in summary.error
    summary, (piece,) = read(path, flags={"policy_command": "/cmd_vel"})
    assert summary.topics["policy_command"] == "/cmd_vel"
    assert len(piece.labels) == 40


def test_an_unreadable_bag_has_its_error_in_the_summary(tmp_path):
    (tmp_path / "a.mcap").write_bytes(b"not a bag at all")
    summary, pieces = read(tmp_path / "a.mcap")
    assert pieces == []
    assert "a.mcap" in summary.error
    assert json.loads((tmp_path / "dataset" / "bag.json").read_text())["frames"] == 0


def test_a_clock_that_is_set_back_begins_another_flight(tmp_path):
    """The second half has earlier stamps than the first and is recorded after it."""
    from liquid_control.bags import CommandEvent, CommandSource, FrameEvent, Losses
    from liquid_control.training.bags.recorded_flights import recorded_flights
    from liquid_control.training.training_settings import BagLabel
    from liquid_control.types import ImuWindow, Observation

    events = []
    for number, stamp in enumerate([*range(100, 120), *range(50, 70)]):
        window = ImuWindow.empty()
        events.append(FrameEvent(Observation(stamp * MS, picture(number), window), number))
        events.append(CommandEvent(CommandSource.POLICY, command(number), stamp * MS, number))
    flights = list(recorded_flights(events, VIEW, BagLabel.POLICY_COMMAND, Losses()))
    assert [len(flight.frames) for flight in flights] == [20, 20]
    assert [flight.labels[0][0] for flight in flights] == [100 * MS, 50 * MS]


def test_odometry_of_the_next_flight_before_its_first_frame_belongs_to_it(tmp_path):
    """A frame event waits for its IMU samples and follows odometry of the same time."""
    from liquid_control.bags import FrameEvent, Losses, OdometryEvent
    from liquid_control.training.bags.recorded_flights import recorded_flights
    from liquid_control.training.training_settings import BagLabel
    from liquid_control.types import ImuWindow, Observation

    def received(number, speed_mps):
        stamp = 100 * MS * number
        frame = FrameEvent(Observation(stamp, picture(number), ImuWindow.empty()), number)
        return [OdometryEvent(stamp, state(speed_mps)), frame]

    events = [event for number in range(20) for event in received(number, 1.0)]
    events += [OdometryEvent(0, state(2.0)), *received(1, 2.0), *received(2, 2.0)]
    first, second = recorded_flights(events, VIEW, BagLabel.ODOMETRY, Losses())
    assert [stamp for stamp, _ in first.labels] == [100 * MS * number for number in range(20)]
    assert {values[1] for _, values in first.labels} == {1.0}
    assert [stamp for stamp, _ in second.labels] == [0, 100 * MS, 200 * MS]
    assert {speed for _, (speed,) in second.speeds} == {2.0}


@pytest.mark.parametrize("label", ["policy_command", "odometry"])
@pytest.mark.parametrize("ahead_s", [5.0, 0.7, -1.5])
def test_labels_of_another_clock_are_refused_with_the_flag_that_shifts_them(
    tmp_path, label, ahead_s
):
    """Labels 5 s ahead of frames that last 6 s overlap them, but belong to other pictures."""
    stamps = [50 * MS * number + 10**10 for number in range(120)]
    path = write_bag(
        tmp_path / "a.mcap",
        stamps,
        speeds=[(stamp, 1.0) for stamp in stamps],
        ahead_ns=round(ahead_s * 1e9),
    )
    summary, pieces = read(path, label=label)
    topic = {"policy_command": "/policy/cmd_vel", "odometry": "/odom"}[label]
    assert (summary.frames, summary.pieces, pieces) == (0, (), [])
    assert f"a.mcap: bags.label is {label}; {topic}: its times are" in summary.error
    flag = f"{topic},shift={-ahead_s:.2f}"
    assert f"pass --topic {label}={flag};" in summary.error
    summary, (piece,) = read(path, flags={label: flag}, label=label)
    assert (summary.frames, summary.error) == (120, "")
    if label == "policy_command":
        np.testing.assert_allclose(piece.labels[:, 1], 0.001 * np.arange(120), rtol=1e-6)
    summary, _ = read(path, flags={label: f"{topic},shift=0"}, label=label)
    assert 0 < summary.frames < 120 if abs(ahead_s) > 1 else summary.frames


def test_labels_that_do_not_overlap_the_frames_are_refused(tmp_path):
    labels = [(stamp + 10**10, command(n)) for n, stamp in enumerate(EVERY_50_MS)]
    summary, _ = read(write_bag(tmp_path / "a.mcap", EVERY_50_MS, commands=labels))
    assert summary.frames == 0
    assert (
        "the labels of /policy/cmd_vel do not overlap the frames: the frames are of 0 to 1.95 s, "
        "the labels of 10.00 to 11.95 s; shift them, such as with "
        "--topic policy_command=/policy/cmd_vel,shift=-10.00"
    ) in summary.error
    flags = {"policy_command": "/policy/cmd_vel,shift=-10.00"}
    summary, _ = read(tmp_path / "a.mcap", flags=flags)
    assert summary.frames == 40
