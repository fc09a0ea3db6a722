"""Which flights of a campaign become bags, and what these are called."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from liquid_control.errors import ConfigError, OutputError
from liquid_control.evaluation.campaign import FlightJob

BAGS = "bags"


@dataclass(frozen=True, slots=True)
class Recording:
    """What is recorded, and how.

    Attributes:
        folder: of the results; bags go into `bags` within.
        failures_only: whether flights that succeed leave none.
        image: how pictures are kept, a key of `bag_pictures.CODECS`.
    """

    folder: Path
    failures_only: bool = False
    image: str = "raw"

    def name(self, job: FlightJob) -> str:
        """Return the bag of a flight as `results.json` names it, from the results' folder."""
        words = (job.entry, job.model, str(job.seed))
        return f"{BAGS}/{'-'.join(_as_part(word) for word in words)}.mcap"

    def path(self, job: FlightJob) -> Path:
        """Return where the bag of a flight goes."""
        return self.folder / self.name(job)

    def check(self, jobs: Sequence[FlightJob]) -> None:
        """Check before the first flight that every bag has a place of its own.

        Raises:
            ConfigError: two flights would have one name.
            OutputError: there is a bag of that name.
        """
        names: dict[str, FlightJob] = {}
        for job in jobs:
            other = names.setdefault(self.name(job), job)
            if other is not job:
                raise ConfigError(
                    f"--record: entries {other.entry!r} and {job.entry!r} would both write "
                    f"{self.name(job)}; give one of them another name"
                )
            if self.path(job).exists():
                raise OutputError(
                    f"{self.path(job)}: exists already, and bags are not overwritten; "
                    "give another --out"
                )


def _as_part(word: str) -> str:
    """Return a word as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._+]+", "-", word).strip("-.") or "flight"
