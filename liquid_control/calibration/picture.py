"""Sheet of a calibration: matched points with their predictions, and residuals by delay."""

import cv2
import numpy as np

from liquid_control.calibration import solver
from liquid_control.types import Floats, Pixels

WIDTH, PLOT_HEIGHT, MARGIN = 960, 240, 48
PAPER, INK, QUIET = (250, 250, 248), (30, 30, 30), (150, 150, 150)
MEASURED, PREDICTED = (217, 105, 30), (36, 99, 201)
SWEEP_S = 0.15
STEPS = 61


def draw_sheet(
    example: tuple[Pixels, float], problem: solver.CalibrationProblem, solution: solver.Solution
) -> Pixels:
    """Return the sheet, uint8 [H, 960, 3] RGB.

    Args:
        example: a grey picture, uint8 [H, W], and the time at which its pair begins, s.
        problem: matches and gyro.
        solution: the estimates.
    """
    picture, stamp_s = example
    height = round(picture.shape[0] * WIDTH / picture.shape[1])
    enlarged = cv2.resize(picture, (WIDTH, height), interpolation=cv2.INTER_CUBIC)
    shown = cv2.cvtColor(enlarged, cv2.COLOR_GRAY2RGB)
    index = int(np.argmin(np.abs(problem.matches.times_s[:, 0] - stamp_s)))
    points = problem.matches.pair == index
    factor = WIDTH / problem.lens.width
    first, last = problem.matches.first[points], problem.matches.last[points]
    predicted = last - problem.residuals(solution.values)[0][points]
    for begin, end, guess in zip(first, last, predicted, strict=True):
        start = _pixel(begin, factor)
        cv2.line(shown, start, _pixel(guess, factor), PREDICTED, 3, cv2.LINE_AA)
        cv2.line(shown, start, _pixel(end, factor), MEASURED, 1, cv2.LINE_AA)
        cv2.circle(shown, _pixel(end, factor), 3, MEASURED, -1, cv2.LINE_AA)
    return np.concatenate([shown, _plot(problem, solution.values)])


def _pixel(point: Floats, factor: float) -> tuple[int, int]:
    x, y = (point + 0.5) * factor
    return round(float(np.clip(x, -9999, 9999))), round(float(np.clip(y, -9999, 9999)))


def _plot(problem: solver.CalibrationProblem, values: Floats) -> Pixels:
    """Return the curve of the median residual by delay, its minimum at the estimate."""
    delays_s = values[solver.DELAY] + np.linspace(-SWEEP_S, SWEEP_S, STEPS)
    sizes = np.array([_median_px(problem, values, delay_s) for delay_s in delays_s])
    plot: Pixels = np.full((PLOT_HEIGHT, WIDTH, 3), PAPER, np.uint8)
    left, right, top, bottom = MARGIN, WIDTH - MARGIN, 40, PLOT_HEIGHT - 36
    x = np.linspace(left, right, STEPS)
    y = bottom - (bottom - top) * sizes / max(float(sizes.max()), 1e-9)
    curve = np.column_stack([x, y]).round().astype(np.int32)
    middle = (left + right) // 2
    cv2.line(plot, (left, bottom), (right, bottom), QUIET, 1)
    cv2.line(plot, (middle, top), (middle, bottom), QUIET, 1)
    cv2.polylines(plot, [curve[:, None]], False, PREDICTED, 2, cv2.LINE_AA)
    title = (
        "orange: measured, blue: predicted by rotation alone. Below: median difference by delay, "
        f"up to {sizes.max():.1f} px"
    )
    labels = [
        (title, (left, 24)),
        (f"{values[solver.DELAY] * 1e3:.1f} ms", (middle - 24, bottom + 22)),
    ]
    labels += [(f"{delays_s[0] * 1e3:.0f}", (left, bottom + 22))]
    labels += [(f"{delays_s[-1] * 1e3:.0f}", (right - 28, bottom + 22))]
    for text, place in labels:
        cv2.putText(plot, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, INK, 1, cv2.LINE_AA)
    return plot


def _median_px(problem: solver.CalibrationProblem, values: Floats, delay_s: float) -> float:
    changed = values.copy()
    changed[solver.DELAY] = delay_s
    return float(np.median(np.linalg.norm(problem.residuals(changed)[0], axis=1)))
