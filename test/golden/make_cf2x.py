"""Write cf2x_ctrl_aviary.npz: flights of `cf2x` in gym-pybullet-drones at given rotor speeds.

    python test/golden/make_cf2x.py

Requires gym-pybullet-drones (written with version 2.1.0, pybullet 3.2.7). The script runs its
`CtrlAviary` (CF2X, Physics.PYB, physics and control at 240 Hz, no GUI) with the seeded rotor
speeds of `manoeuvres` as actions and records the observation after every step. Rewrite the file
only when that package changes its physics.
"""

from pathlib import Path

import numpy as np
from gym_pybullet_drones.envs.CtrlAviary import CtrlAviary
from gym_pybullet_drones.utils.enums import DroneModel, Physics

from liquid_control.seeding import stream
from liquid_control.types import Floats

PATH = Path(__file__).parent / "cf2x_ctrl_aviary.npz"
STEPS = 480
"""Two seconds."""
START = (0.3, -0.2, 20.0)
"""m: high above the ground plane of that package."""
HOVER_RPM = 14468.429
"""`HOVER_RPM` of that package, rounded."""
HOLD = 24
"""Number of steps with constant speeds in a manoeuvre."""


def manoeuvres() -> Floats:
    """Return rotor speeds, float64 [5, STEPS, 4], RPM, in the rotor order of that package.

    Hover, a climb, a slow spin, and two draws of differential thrust with a zero sum of impulses:
    the vehicle tilts, tilts back and keeps moving.
    """
    rng = stream(27, "golden.cf2x")
    rpm = np.full((5, STEPS, 4), HOVER_RPM)
    rpm[1] *= 1.03
    rpm[2] += 150.0 * np.array([-1.0, 1.0, -1.0, 1.0])
    for series in rpm[3:]:
        pushes = rng.uniform(-500.0, 500.0, (STEPS // (4 * HOLD), 4))
        there_and_back = np.stack([pushes, -pushes, -pushes, pushes], axis=1).reshape(-1, 4)
        series += np.repeat(there_and_back, HOLD, axis=0) + rng.uniform(0.0, 300.0)
    return rpm


def fly(rpm: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return position, quaternion, velocity and angular velocity (map) after every step."""
    aviary = CtrlAviary(
        drone_model=DroneModel.CF2X,
        initial_xyzs=np.array([START]),
        physics=Physics.PYB,
        pyb_freq=240,
        ctrl_freq=240,
        gui=False,
        user_debug_gui=False,
    )
    aviary.reset(seed=0)
    rows = np.array([aviary.step(speeds[np.newaxis])[0][0] for speeds in rpm])
    aviary.close()
    return rows[:, :3], rows[:, 3:7], rows[:, 10:13], rows[:, 13:16]


def main() -> None:
    """Fly every manoeuvre and write the file."""
    rpm = manoeuvres()
    flights = [fly(series) for series in rpm]
    position, quaternion, velocity, turning = (
        np.array(part) for part in zip(*flights, strict=True)
    )
    np.savez_compressed(
        PATH,
        start=np.array(START),
        rpm=rpm,
        position=position,
        quaternion=quaternion.astype(np.float32),
        velocity=velocity.astype(np.float32),
        angular_velocity=turning.astype(np.float32),
    )


if __name__ == "__main__":
    main()
