"""Fly the study of docs/online_adaptation.md and print its table.

Run `python docs/online_adaptation_study.py runs/online 10000 10001 …` in the checkout. The same
command goes on with an interrupted study. 20 m of trail of difficulty 1.
"""

import sys
from pathlib import Path

from liquid_control.evaluation.online_adaptation import NONE, READOUT, effects, study
from liquid_control.journal import JOURNAL_FILE
from liquid_control_sim import fly

MODEL = "models/trail_cfc19"
KEYS = {"trail.difficulty": 1.0, "trail.length_m": 20.0}


def main(folder: Path, seeds: list[int], arms: tuple[str, ...] = (NONE, READOUT)) -> None:
    """Fly every condition with and without adaptation; print a row a condition."""
    resume = (folder / JOURNAL_FILE).exists()
    folder.mkdir(parents=True, exist_ok=True)
    rows = study(fly, MODEL, seeds, folder, keys=KEYS, arms=arms, resume=resume)
    print("| condition | forests | succeed | tracking error, m/s | difference | cross-track, m |")
    print("|---|---|---|---|---|---|")
    for one in effects(rows):
        succeed = " and ".join(map(str, one.successes))
        error = f"{one.before:.3f} and {one.after:.3f}"
        spans = [
            "{:+.3f} ({:+.3f} to {:+.3f})".format(*s) for s in (one.tracking, one.cross_track)
        ]
        print("|", " | ".join([one.condition, str(one.forests), succeed, error, *spans]), "|")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(seed) for seed in sys.argv[2:]])
