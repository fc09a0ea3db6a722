"""Least squares for focal length, mount and delay of a camera, from matches and a gyro.

The position of a point in the second picture of a pair is predicted from the first one by the
rotation of the gyro: u2 = pi(K R inv(K) u1) + B v / Z. The last term is the parallax of the
camera's motion v at distance Z, with B of Longuet-Higgins and Prazdny 1980. Distances are not
known, so v stands for the motion at the mean inverse distance. The spread of inverse distances
makes residuals along B v uncertain in proportion to their size. Without motion both components of
a residual count, with much motion only the one across it, which is the epipolar constraint. The
motion of each pair is linear in the residuals and is eliminated by a Schur complement. Weights
are those of Cauchy's loss, steps those of Levenberg and Marquardt.
"""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.calibration.rotation import GyroRotation, IntegratedRotation, rotations_of
from liquid_control.calibration.tracks import Matches
from liquid_control.frames import OPTICAL_TO_FLU
from liquid_control.perception.camera_model import FISHEYE, CameraModel
from liquid_control.types import Floats

FOCAL, PITCH, ROLL, YAW, DELAY, BIAS = range(6)
UNKNOWNS = 8
"""Logarithm of the focal length in pixels; pitch down, roll and yaw of the camera, rad; delay of
the pictures, s; bias of the gyro [3], rad/s."""
PRIOR = np.array([np.inf, np.inf, 0.1, 0.1, np.inf, 0.02, 0.02, 0.02])
"""Standard deviations of those that are expected to be about zero."""
STEPS = np.array([1e-5, 1e-5, 1e-5, 1e-5, 1e-4, 1e-5, 1e-5, 1e-5])
"""Steps of the numerical derivatives."""
CAUCHY = 2.385
"""Scale of Cauchy's loss, in standard deviations: 95 % efficient for normal errors."""
LEAST_SIGMA_PX = 0.02
BLOCK_S = 2.0
"""Errors of pairs that begin within the same period are not independent."""
ITERATIONS = 30
STAGES = ((1e9, 0.0), (1e-3, 0.3), (1e-3, 1.0))
"""Ridge of the motions, which are zero in the first stage, and the standard deviation of inverse
distances as a fraction of their mean."""
RATIOS = (0.05, 20.0)
"""Smallest and largest inverse distance, as multiples of their mean."""
DELAYS_S = np.arange(-0.1, 0.501, 0.04)
FOVS_DEG = (55.0, 80.0, 110.0)
PITCHES_DEG = (0.0, 30.0, 60.0)
COARSE_PAIRS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Estimates of the unknowns.

    Attributes:
        values: float64 [8], in the order of `UNKNOWNS`.
        sigmas: float64 [8], standard deviations.
        residuals_px: float64 [N], distance of each match across the parallax.
    """

    values: Floats
    sigmas: Floats
    residuals_px: Floats


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationProblem:
    """Matches, the gyro, and what is known of the lens.

    Attributes:
        matches: of all pairs.
        gyro: rotation of the body.
        lens: principal point, ratio of the focal lengths and distortion; its focal length is not
            used.
    """

    matches: Matches
    gyro: GyroRotation
    lens: CameraModel
    _integrated: dict[bytes, IntegratedRotation] = field(default_factory=dict)

    def bearings(self, points: Floats, focal_px: float) -> Floats:
        """Return (x, y, 1) in the optical frame of positions [N, 2], without distortion."""
        lens, ratio = self.lens, self.lens.fy / self.lens.fx
        if lens.coefficients:
            matrix = np.array(
                [[focal_px, 0.0, lens.cx], [0.0, focal_px * ratio, lens.cy], [0.0, 0.0, 1.0]]
            )
            fisheye = lens.distortion in FISHEYE
            undistort = cv2.fisheye.undistortPoints if fisheye else cv2.undistortPoints
            flat = undistort(points[:, None], matrix, np.array(lens.coefficients)).reshape(-1, 2)
        else:
            flat = (points - (lens.cx, lens.cy)) / (focal_px, focal_px * ratio)
        return np.column_stack([flat, np.ones(len(flat))])

    def rotations(self, values: Floats) -> Floats:
        """Return the rotation of the camera between the pictures of each pair, [P, 3, 3]."""
        key = values[BIAS:].tobytes()
        if key not in self._integrated:
            if len(self._integrated) > 8:
                self._integrated.clear()
            self._integrated[key] = self.gyro.integrated(values[BIAS:])
        times = self.matches.times_s - values[DELAY]
        body = self._integrated[key].at(times.ravel()).reshape(-1, 2, 3, 3)
        mount = mount_rotation(values[PITCH], values[ROLL], values[YAW])
        relative = np.swapaxes(body[:, 1], 1, 2) @ body[:, 0]
        return np.asarray(mount.T @ relative @ mount)

    def residuals(self, values: Floats) -> tuple[Floats, Floats]:
        """Return measured minus predicted positions, and the predicted ones.

        Returns:
            float64 [N, 2] in pixels, and float64 [N, 2] as (x, y) at distance 1.
        """
        focal_px = float(np.exp(values[FOCAL]))
        first = self.bearings(self.matches.first, focal_px)
        last = self.bearings(self.matches.last, focal_px)
        turned = (self.rotations(values)[self.matches.pair] @ first[:, :, None])[:, :, 0]
        predicted = turned[:, :2] / np.maximum(turned[:, 2:], 0.05)
        return np.asarray((last[:, :2] - predicted) * focal_px), predicted


def mount_rotation(pitch_rad: float, roll_rad: float, yaw_rad: float) -> Floats:
    """Return the rotation from the camera's optical frame to base_link, 3x3."""
    turns = rotations_of(
        np.array([[0.0, 0.0, yaw_rad], [0.0, pitch_rad, 0.0], [roll_rad, 0.0, 0.0]])
    )
    return np.asarray(turns[0] @ turns[1] @ turns[2] @ OPTICAL_TO_FLU)


def solve(problem: CalibrationProblem, start: Floats | None = None) -> Solution:
    """Return the estimates, in stages that allow more and more parallax.

    The first stage has rotation alone. It is biased by parallax, but its minimum is unique where
    that of the last stage is not.

    Args:
        problem: matches and gyro.
        start: float64 [8] to begin with; None for a search on a grid.
    """
    values = coarse(problem) if start is None else start.copy()
    for ridge, spread in STAGES:
        state = _minimised(_State.begin(problem, values, ridge, spread))
        values = state.values
    return Solution(values, state.system().sigmas(state), state.across_px)


def _minimised(state: "_State") -> "_State":
    """Return the state of least cost near a state."""
    damping = 1e-3
    for _ in range(ITERATIONS):
        state = state.weighted()
        system = state.system()
        for _ in range(8):
            change = system.step(damping, state.values)
            tried = state.at(state.values + change)
            if tried.cost < state.cost:
                damping = max(damping / 5.0, 1e-9)
                state = tried
                break
            damping *= 10.0
        else:
            break
        if float(np.abs(change / STEPS).max()) < 0.5:
            break
    return state.weighted()


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """Residuals at some values, with the weights of the iteration.

    Attributes:
        problem: the problem.
        values: float64 [8].
        residuals: float64 [N, 2], px, without the parallax of `motions`.
        slopes: float64 [N, 2, 3], B: parallax in px per motion.
        ratios: float64 [N], inverse distance over the mean, constant in an iteration.
        motions: float64 [P, 3], motion of each pair at the mean inverse distance.
        weights: float64 [N, 2, 2], px^-2, constant in an iteration.
        sigma: standard deviation of a position, px.
        ridge: weight of the squares of the motions.
        spread: standard deviation of inverse distances, as a fraction of their mean.
    """

    problem: CalibrationProblem
    values: Floats
    residuals: Floats
    slopes: Floats
    ratios: Floats
    motions: Floats
    weights: Floats
    sigma: float
    ridge: float
    spread: float

    @classmethod
    def begin(
        cls, problem: CalibrationProblem, values: Floats, ridge: float, spread: float
    ) -> "_State":
        """Return the state without motion."""
        residuals, predicted = problem.residuals(values)
        slopes = _parallax(predicted, values)
        count = len(problem.matches.times_s)
        sigma = _robust_sigma(np.abs(residuals).ravel())
        weights = np.broadcast_to(np.eye(2) / sigma**2, (len(residuals), 2, 2))
        ratios, motions = np.ones(len(residuals)), np.zeros((count, 3))
        state = cls(
            problem, values, residuals, slopes, ratios, motions, weights, sigma, ridge, spread
        )
        return state.at(values)

    def at(self, values: Floats) -> "_State":
        """Return the state at other values, with the same weights and the best motions."""
        pair, count = self.problem.matches.pair, len(self.motions)
        residuals, predicted = self.problem.residuals(values)
        slopes = _parallax(predicted, values) * self.ratios[:, None, None]
        pulled = np.swapaxes(slopes, 1, 2) @ self.weights
        own = _sums(pair, count, pulled @ slopes)
        pull = _sums(pair, count, (pulled @ residuals[:, :, None])[:, :, 0])
        ridge = self.ridge * np.eye(3)
        motions = np.asarray(np.linalg.solve(own + ridge, pull[:, :, None])[:, :, 0], float)
        left = residuals - (slopes @ motions[pair][:, :, None])[:, :, 0]
        return replace(self, values=values, residuals=left, slopes=slopes, motions=motions)

    def weighted(self) -> "_State":
        """Return the state with new weights and the motions that they lead to."""
        sigma = _robust_sigma(np.abs(self.across_px))
        along = self._along()
        full = self.residuals + along
        mean = along / self.ratios[:, None]
        gain = self.spread**2 / sigma**2
        ratios = 1.0 + gain * np.einsum("ni,ni->n", mean, full - mean) / (
            1.0 + gain * (mean**2).sum(axis=1)
        )
        ratios = np.clip(ratios, *RATIOS)
        spread = self.spread**2 * mean[:, :, None] @ mean[:, None, :]
        inverse = np.linalg.inv(sigma**2 * np.eye(2) + spread)
        left = full - mean
        apart = np.einsum("ni,nij,nj->n", left, inverse, left)
        weights = inverse / (1.0 + apart / CAUCHY**2)[:, None, None]
        return replace(self, ratios=ratios, weights=weights, sigma=sigma).at(self.values)

    def _along(self) -> Floats:
        pair = self.problem.matches.pair
        return np.asarray((self.slopes @ self.motions[pair][:, :, None])[:, :, 0])

    @property
    def across_px(self) -> Floats:
        """Residuals across the parallax of each pair, float64 [N]; without any, along columns."""
        along = self._along()
        along = np.where(np.abs(along).sum(axis=1, keepdims=True) > 1e-6, along, [1.0, 0.0])
        size = np.linalg.norm(along, axis=1)
        product = along[:, 0] * self.residuals[:, 1] - along[:, 1] * self.residuals[:, 0]
        return np.asarray(product / size)

    @property
    def cost(self) -> float:
        """Weighted sum of squares, with the prior and the ridge."""
        squares = np.einsum("ni,nij,nj->", self.residuals, self.weights, self.residuals)
        ridge = self.ridge * (self.motions**2).sum()
        return float(squares + ridge + ((self.values / PRIOR) ** 2).sum())

    def system(self) -> "_System":
        """Return the normal equations at these values."""
        problem, pair, count = self.problem, self.problem.matches.pair, len(self.motions)
        before, _ = problem.residuals(self.values)
        jacobian = np.empty((len(pair), 2, UNKNOWNS))
        for index, step in enumerate(STEPS):
            changed = self.values.copy()
            changed[index] += step
            jacobian[:, :, index] = (problem.residuals(changed)[0] - before) / step
        weighted = self.weights @ jacobian
        backward = np.swapaxes(self.slopes, 1, 2) @ self.weights
        own = _sums(pair, count, backward @ self.slopes) + self.ridge * np.eye(3)
        shared = _sums(pair, count, backward @ jacobian)
        carried = np.linalg.solve(own, shared)
        matrix = np.einsum("nij,nik->jk", jacobian, weighted)
        matrix -= np.einsum("pij,pik->jk", shared, carried)
        across = jacobian - self.slopes @ carried[pair]
        pulls = np.einsum("nij,nik,nk->nj", across, self.weights, self.residuals)
        return _System(matrix, _sums(pair, count, pulls))


@dataclass(frozen=True, slots=True, eq=False)
class _System:
    """Normal equations of the unknowns, with the motions eliminated.

    Attributes:
        matrix: float64 [8, 8].
        by_pair: float64 [P, 8], gradient of each pair.
    """

    matrix: Floats
    by_pair: Floats

    def step(self, damping: float, values: Floats) -> Floats:
        """Return the change of the unknowns, float64 [8]."""
        damped = self.matrix + np.diag(1.0 / PRIOR**2 + damping * np.diag(self.matrix) + 1e-9)
        return np.linalg.solve(damped, -(self.by_pair.sum(axis=0) + values / PRIOR**2))

    def sigmas(self, state: _State) -> Floats:
        """Return standard deviations by the sandwich estimator, clustered in time.

        White 1980 and Liang and Zeger 1986: errors within a block may depend on each other.
        """
        bread = np.linalg.inv(self.matrix + np.diag(1.0 / PRIOR**2 + 1e-9))
        blocks = (state.problem.matches.times_s[:, 0] // BLOCK_S).astype(np.int64)
        _, number = np.unique(blocks, return_inverse=True)
        count = int(number.max()) + 1
        sums = np.zeros((count, UNKNOWNS))
        np.add.at(sums, number, self.by_pair)
        sandwich = bread @ (count / max(count - 1, 1) * sums.T @ sums) @ bread
        return np.asarray(np.sqrt(np.maximum(np.diag(sandwich), np.diag(bread))))


def _parallax(predicted: Floats, values: Floats) -> Floats:
    """Return B of each point, float64 [N, 2, 3], px: f (1, 0, -x; 0, 1, -y)."""
    slopes = np.zeros((len(predicted), 2, 3))
    slopes[:, 0, 0] = slopes[:, 1, 1] = 1.0
    slopes[:, :, 2] = -predicted
    return slopes * float(np.exp(values[FOCAL]))


def _sums(pair: NDArray[np.int64], count: int, rows: Floats) -> Floats:
    """Return the sums of rows by pair; pairs are in order and none is empty."""
    starts = np.searchsorted(pair, np.arange(count))
    return np.asarray(np.add.reduceat(rows, starts, axis=0))


def _robust_sigma(sizes: Floats) -> float:
    """Return the robust standard deviation, pixels: 1.4826 times the median size."""
    return max(LEAST_SIGMA_PX, 1.4826 * float(np.median(sizes)))


def coarse(problem: CalibrationProblem) -> Floats:
    """Return the values of a grid at which rotation alone predicts the positions best."""
    count = len(problem.matches.times_s)
    kept = np.zeros(count, bool)
    kept[:: max(1, count // COARSE_PAIRS)] = True
    small = CalibrationProblem(problem.matches.of_pairs(kept), problem.gyro, problem.lens)
    best, least = np.zeros(UNKNOWNS), np.inf
    for fov_deg in FOVS_DEG:
        for pitch_deg in PITCHES_DEG:
            for delay_s in DELAYS_S:
                values = np.zeros(UNKNOWNS)
                half = 0.5 * np.radians(fov_deg)
                values[FOCAL] = np.log(0.5 * problem.lens.width / np.tan(half))
                values[PITCH], values[DELAY] = np.radians(pitch_deg), delay_s
                size = float(np.median(np.linalg.norm(small.residuals(values)[0], axis=1)))
                if size < least:
                    best, least = values, size
    return best
