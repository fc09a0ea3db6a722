"""Vehicles in YAML: physical consistency, and the refusal of invalid values."""

import math

import pytest
import yaml
from pydantic import ValidationError

from liquid_control.config import project_file
from liquid_control.errors import ConfigError
from liquid_control_sim.dynamics.vehicle import load_vehicle, vehicle_names

pytestmark = pytest.mark.sim


@pytest.fixture
def edited(tmp_path):
    """Write a copy of outdoor.yaml with dotted keys replaced; return its path."""

    def write(**changes):
        content = yaml.safe_load(project_file("config/vehicles/outdoor.yaml").read_text())
        for dotted, value in changes.items():
            *outer, last = dotted.split("__")
            inner = content
            for key in outer:
                inner = inner[key]
            inner[last] = value
        path = tmp_path / "vehicle.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write


def test_all_vehicles_of_the_package_load():
    assert vehicle_names() == ["cf2x", "outdoor"]
    assert [load_vehicle(name).mass_kg for name in vehicle_names()] == [0.027, 1.5]


def test_outdoor_coefficients_follow_from_its_propeller():
    rotors, diameter, density = load_vehicle("outdoor").rotors, 0.254, 1.225
    thrust = 0.10 * density * diameter**4 / (4 * math.pi**2)
    torque = 0.042 * density * diameter**5 / (8 * math.pi**3)
    assert rotors.thrust_coefficient == pytest.approx(thrust, rel=0.01)
    assert rotors.torque_coefficient == pytest.approx(torque, rel=0.01)


def test_outdoor_inertia_follows_from_its_masses():
    arm, body = 0.225, (0.20, 0.12, 0.08)
    spread = 4 * 0.075 * arm**2 + 4 * 0.05 * arm**2 / 3
    squares = [sum(b * b for b in body) - b * b for b in body]
    factors = zip((0.5, 0.5, 1.0), squares, strict=True)
    expected = [part * spread + square / 12 for part, square in factors]
    assert load_vehicle("outdoor").inertia_kgm2 == pytest.approx(expected, rel=0.01)


def test_outdoor_thrust_to_weight_and_hover_speed():
    vehicle = load_vehicle("outdoor")
    assert vehicle.thrust_to_weight == pytest.approx(2.30, abs=0.01)
    assert 4 * vehicle.rotors.thrust_coefficient * vehicle.hover_speed_radps**2 == pytest.approx(
        1.5 * 9.81, rel=1e-12
    )


def test_cf2x_has_the_published_parameters():
    vehicle = load_vehicle("cf2x")
    per_rpm = (2 * math.pi / 60) ** 2
    assert vehicle.rotors.thrust_coefficient * per_rpm == pytest.approx(3.16e-10, rel=1e-8)
    assert vehicle.rotors.torque_coefficient * per_rpm == pytest.approx(7.94e-12, rel=1e-8)
    assert vehicle.thrust_to_weight == pytest.approx(2.25, rel=1e-4)
    assert vehicle.arm_m == pytest.approx(0.028 * math.sqrt(2), rel=1e-6)
    assert vehicle.inertia_kgm2 == (1.4e-5, 1.4e-5, 2.17e-5)


def test_a_vehicle_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        load_vehicle("outdoor").mass_kg = 2.0


def test_an_unknown_name_lists_the_choices():
    with pytest.raises(ConfigError, match="unknown vehicle 'ufo'; there are: cf2x, outdoor"):
        load_vehicle("ufo")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        load_vehicle(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mass_kg": -1.0}, "mass_kg: input should be greater than 0.001, got -1.0"),
        ({"mass_kg": "heavy"}, "mass_kg: input should be a valid number"),
        ({"colour": "red"}, "unknown key colour; did you mean "),
        ({"gains__velocity__horizontal_q": 1.0}, "did you mean gains.velocity.horizontal_p"),
        ({"inertia_kgm2": [0.01, 0.01, 0.03]}, "none larger than the sum of the other two"),
        ({"inertia_kgm2": [0.01, 0.01]}, "inertia_kgm2.2: field required"),
        ({"radius_m": 0.1}, "must reach the rotors, arm_m = 0.225"),
        ({"rotors__max_speed_radps": 500.0}, "thrust to weight must be in .1.2, 20., is 0.877"),
        ({"rotors__spin_up_s": -0.1}, "rotors.spin_up_s: input should be greater than or equal"),
        ({"limits__tilt_deg": 90.0}, "limits.tilt_deg: input should be less than or equal to 80"),
        ({"drag__area_z_m2": math.nan}, "drag.area_z_m2: input should be a finite number"),
    ],
)
def test_invalid_values_are_refused(edited, changes, message):
    with pytest.raises(ConfigError, match=message) as error:
        load_vehicle(edited(**changes))
    assert "\n" not in str(error.value)


def test_a_vehicle_extends_a_shipped_one(tmp_path):
    path = tmp_path / "heavy.yaml"
    path.write_text("extends: outdoor\nmass_kg: 2.0\nlimits: {tilt_deg: 20.0}\n")
    heavy, outdoor = load_vehicle(path), load_vehicle("outdoor")
    assert (heavy.mass_kg, heavy.limits.tilt_deg) == (2.0, 20.0)
    assert heavy.gains == outdoor.gains
    assert heavy.limits.up_mps == outdoor.limits.up_mps
