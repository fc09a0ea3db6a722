"""The picture of a wiring: what its colours mean, and that it changes with the activity."""

import numpy as np
import pytest

from liquid_control.command import MOTORS
from liquid_control.liquid import Wiring, auto_ncp, fully_connected
from liquid_control.liquid.activity import Activity
from liquid_control.liquid.wiring_layout import EXCITATORY, INHIBITORY, layout
from liquid_control.viewers import wiring_picture
from liquid_control.viewers.wiring_picture import SIZE, STRONG, WiringPicture

pytestmark = pytest.mark.unit

BLUE, RED = ([int(one[at : at + 2], 16) for at in (1, 3, 5)] for one in (EXCITATORY, INHIBITORY))


def silent(wiring: Wiring) -> Activity:
    return Activity(
        np.zeros(wiring.neurons), np.zeros(wiring.sensory.shape), np.zeros(wiring.recurrent.shape)
    )


def test_neurons_and_inputs_have_the_colour_of_their_value():
    wiring = auto_ncp(12, 19, 4)
    drawn = WiringPicture(wiring, MOTORS)
    activity = silent(wiring)
    activity.states[:] = np.linspace(-1.0, 1.0, 19)
    features = np.linspace(-1.0, 1.0, 12)
    picture = drawn.draw(activity, features)
    assert picture.shape == (SIZE[1], SIZE[0], 3)
    assert picture.dtype == np.uint8
    for dots, values, beside in (
        (drawn._neurons, activity.states, 6),  # of the digit
        (drawn._inputs, features, 0),
    ):
        for dot, value in zip(dots, values, strict=True):
            x, y = (number >> wiring_picture.SHIFT for number in dot.centre)
            shown = picture[y, x - beside].astype(float)
            end = np.array(BLUE if value > 0.0 else RED, float)
            expected = 255.0 + (end - 255.0) * abs(value) ** 0.6
            np.testing.assert_allclose(shown, expected, atol=4.0)


@pytest.mark.parametrize(("passed", "colour"), [(STRONG, BLUE), (-STRONG, RED)])
def test_a_synapse_has_the_colour_of_what_passes_through_it(passed, colour):
    wiring = auto_ncp(12, 19, 4)
    drawn = WiringPicture(wiring)
    inter, command, _ = wiring.slices
    for of_inputs in (True, False):
        activity = silent(wiring)
        polarity = wiring.sensory if of_inputs else wiring.recurrent[inter]
        source, target = np.argwhere(polarity)[0]
        (activity.sensory if of_inputs else activity.recurrent)[source, target] = passed
        quiet, shown = (drawn.draw(one, np.zeros(12)) for one in (silent(wiring), activity))
        changed = (quiet != shown).any(axis=2)
        assert 80 < changed.sum() < 2000
        assert (shown[changed] == colour).all(axis=1).sum() > 40
        ys, xs = np.nonzero(changed)
        ends = [(drawn._inputs if of_inputs else drawn._neurons)[source], drawn._neurons[target]]
        for end, x in zip(ends, (xs.min(), xs.max()), strict=True):
            centre, radius = (end.centre[0], end.radius)
            assert abs(x - (centre >> 4)) <= (radius >> 4) + 3
        assert ys.min() > 25
    assert command.start <= target < command.stop


def test_stronger_synapses_are_wider_on_a_scale_of_their_own():
    wiring = auto_ncp(12, 19, 4)
    drawn = WiringPicture(wiring)
    source, target = np.argwhere(wiring.recurrent)[0]
    quiet = drawn.draw(silent(wiring), np.zeros(12))
    sizes = []
    for passed in (0.01, 0.1, 0.6 * STRONG, STRONG, 2.0 * STRONG):
        activity = silent(wiring)
        activity.recurrent[source, target] = passed
        shown = drawn.draw(activity, np.zeros(12))
        sizes.append(int(np.abs(shown.astype(int) - quiet).sum()))
    assert sizes[0] == 0
    assert sizes == sorted(sizes)
    assert sizes[3] > 2 * sizes[1]
    assert sizes[4] == sizes[3]


def test_equal_activities_give_equal_pictures():
    wiring = auto_ncp(12, 19, 4)
    rng = np.random.default_rng(2)
    shapes = wiring.neurons, wiring.sensory.shape, wiring.recurrent.shape
    activity = Activity(*(rng.uniform(-0.4, 0.4, shape) for shape in shapes))
    features = rng.uniform(-1.0, 1.0, 12)
    drawn = WiringPicture(wiring, MOTORS)
    first = drawn.draw(activity, features)
    drawn.draw(silent(wiring), np.zeros(12))
    np.testing.assert_array_equal(drawn.draw(activity, features), first)
    np.testing.assert_array_equal(WiringPicture(wiring, MOTORS).draw(activity, features), first)


@pytest.mark.parametrize("wiring", [fully_connected(3, 1), fully_connected(40, 64)], ids=str)
def test_small_and_large_wirings_fit_the_picture(wiring):
    drawn = WiringPicture(wiring, MOTORS)
    activity = silent(wiring)
    activity.recurrent[:] = 0.2
    picture = drawn.draw(activity, np.ones(wiring.inputs))
    for dot in (*drawn._inputs, *drawn._neurons):
        x, y, radius = (number / 16 for number in (*dot.centre, dot.radius))
        assert radius <= x <= SIZE[0] - radius
        assert radius <= y <= SIZE[1] - radius
    # Self-synapses are circles beside their neurons.
    quiet = drawn.draw(silent(wiring), np.ones(wiring.inputs))
    assert (picture != quiet).any()


def test_the_groups_are_those_of_the_plot():
    groups = layout(auto_ncp(12, 19, 4))
    assert [(one.name, len(one.places), one.ring) for one in groups] == [
        ("inputs", 12, False),
        ("inter", 9, False),
        ("command", 6, True),
        ("motor", 4, False),
    ]
    lefts = [one.places[:, 0].min() for one in groups]
    assert lefts == sorted(lefts)
    assert max(np.abs(one.places[:, 1]).max() for one in groups) <= 0.6
