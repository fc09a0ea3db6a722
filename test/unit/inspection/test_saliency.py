from importlib.util import find_spec
from time import process_time

import numpy as np
import pytest

from liquid_control.errors import ConfigError, DependencyError
from liquid_control.inspection import attribution, saliency
from liquid_control.inspection.attribution import Attribution, check_target
from liquid_control.perception import standardise
from liquid_control.perception.visual_backprop import convolution_maps, encoded

pytestmark = pytest.mark.unit

needs_captum = pytest.mark.skipif(find_spec("captum") is None, reason="captum is not installed")
METHODS = [
    saliency.VISUAL_BACKPROP,
    pytest.param(saliency.GRADIENTS, marks=needs_captum),
    pytest.param(saliency.OCCLUSION, marks=needs_captum),
]


def test_the_convolutions_agree_with_the_graph_that_flies(policy, flight):
    spec, arrays = policy.model.settings.perception, policy.model.arrays
    for frame in range(0, len(flight), 10):
        picture = standardise(flight.pictures[frame])
        found = encoded(spec, arrays, picture, flight.mounts[frame])
        assert found == pytest.approx(flight.features[frame, : spec.features], abs=1e-5)
        assert convolution_maps(spec, arrays, picture)[-1].shape == spec.map_shape


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("target", ["features", "yaw"])
def test_nine_tenths_of_the_mass_lie_on_the_informative_patch(
    red_detector, patch_flight, method, target
):
    if method == saliency.VISUAL_BACKPROP and target != "features":
        pytest.skip("VisualBackProp does not distinguish outputs")
    flight, inside = patch_flight
    made = saliency.map_maker(red_detector, method, target)(flight, 1)
    assert made.shape == inside.shape
    assert np.abs(made).sum() > 0.0
    assert saliency.mass_within(made, inside) >= 0.9
    assert inside.mean() < 0.25


@needs_captum
@pytest.mark.parametrize(("steps", "error"), [(attribution.STEPS, 0.02), (1024, 0.005)])
def test_integrated_gradients_sum_to_the_change_of_the_command(
    policy, flight, monkeypatch, steps, error
):
    monkeypatch.setattr(attribution, "STEPS", steps)
    method = Attribution(policy.model, "yaw")
    picture, rest = method._inputs(flight, 20)
    whole, grey = (method._network.command(p, *rest)[0, 3] for p in (picture, 0.0 * picture))
    assert float(whole) == pytest.approx(flight.commands[20, 3], abs=1e-5)
    found = float(method.integrated_gradients(flight, 20).sum())
    assert found == pytest.approx(float(whole - grey), abs=error)


@pytest.mark.parametrize("method", METHODS)
def test_maps_repeat_bit_for_bit(policy, flight, method):
    first, second = (
        saliency.maps_of(saliency.map_maker(policy.model, method), flight, [3, 30])
        for _ in range(2)
    )
    assert np.array_equal(first, second)


@needs_captum
def test_the_core_in_torch_gives_the_command_that_flew(gru, gru_flight):
    method = Attribution(gru.model, "forward")
    picture, rest = method._inputs(gru_flight, 20)
    found = method._network.command(picture, *rest)[0].numpy()
    assert found == pytest.approx(gru_flight.commands[20], abs=1e-5)


def test_ssim_is_one_for_equal_maps_and_small_for_others():
    rng = np.random.default_rng(0)
    one, other = (rng.random((54, 96)).astype(np.float32) for _ in range(2))
    assert saliency.structural_similarity(one, one) == pytest.approx(1.0)
    assert saliency.structural_similarity(one, 3.0 * one) == pytest.approx(1.0)
    assert saliency.structural_similarity(one, other) < 0.2


def test_rank_correlation_is_spearman_s():
    one, other = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 4.0])
    assert saliency.rank_correlation(one, other) == pytest.approx(1 - 6 * 2 / (4 * 15))
    ties = np.array([1.0, 1.0, 2.0, 2.0])
    assert saliency.rank_correlation(ties, ties) == pytest.approx(1.0)
    assert np.isnan(saliency.rank_correlation(np.ones(4), one))


def test_the_map_of_the_patch_deletes_faster_than_a_random_order(red_detector, patch_flight):
    flight, _ = patch_flight
    made = saliency.map_maker(red_detector)(flight, 1)
    curves = saliency.deletion_and_insertion(red_detector, flight, {1: made})
    areas = curves.areas()
    assert curves.deletion[0] == pytest.approx(1.0)
    assert curves.deletion[-1] == pytest.approx(0.0, abs=1e-6)
    assert curves.insertion[0] == pytest.approx(0.0, abs=1e-6)
    assert areas["deletion"] < areas["random_deletion"]
    assert areas["insertion"] > areas["random_insertion"]


def test_random_weights_have_the_same_values_in_another_order(policy):
    model = policy.model
    other = saliency.randomised(model)
    name = "perception.conv1.weight"
    assert not np.array_equal(other.arrays[name], model.arrays[name])
    assert np.array_equal(np.sort(other.arrays[name].ravel()), np.sort(model.arrays[name].ravel()))
    assert np.array_equal(other.arrays["cfc.0.weight"], model.arrays["cfc.0.weight"])


def test_what_does_not_exist_is_refused_in_one_line(policy, monkeypatch):
    with pytest.raises(ConfigError, match="--method: expected visual_backprop"):
        saliency.map_maker(policy.model, "grad_cam")
    with pytest.raises(ConfigError, match="--target yaw: visual_backprop shows"):
        saliency.map_maker(policy.model, target="yaw")
    with pytest.raises(ConfigError, match="--target: expected features, forward"):
        check_target("sideways")
    monkeypatch.setitem(__import__("sys").modules, "captum.attr", None)
    with pytest.raises(DependencyError, match=r"captum.* is not installed .* \[?.*inspect"):
        saliency.map_maker(policy.model, saliency.GRADIENTS)


@pytest.mark.parametrize("method", [saliency.GRADIENTS, saliency.OCCLUSION])
@pytest.mark.parametrize(("package", "extra"), [("torch", "train"), ("captum", "inspect")])
def test_a_map_whose_package_is_missing_is_refused_in_one_line(
    policy, monkeypatch, method, package, extra
):
    def found(name: str) -> object:
        return None if name == package else object()

    monkeypatch.setattr("liquid_control.dependencies.find_spec", found)
    message = rf"^{package} is not installed and is needed to compute maps by {method}; .*{extra}"
    with pytest.raises(DependencyError, match=message):
        saliency.map_maker(policy.model, method)


def test_saliency_takes_less_than_a_sixtieth_of_a_second(policy, flight):
    """In processor time of one thread, which other work on the machine hardly changes."""
    make, frames = saliency.map_maker(policy.model), range(len(flight))
    saliency.maps_of(make, flight, frames)
    begin = process_time()
    saliency.maps_of(make, flight, frames)
    rate = len(flight) / (process_time() - begin)
    print(f"{rate:.0f} maps a second of {flight.pictures.shape[1:3]} pixels")
    assert rate >= 60.0
