"""Chooses, for each disturbance, the frame that shows best what it does, while a bag goes by."""

from dataclasses import dataclass, field

from liquid_control.types import Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One frame in all severities of a disturbance.

    Attributes:
        disturbance: its name.
        stamp_ns: of the frame.
        movement: how far its worst severity moved the command there, as `DisturbedRow.movement`.
        pictures: by severity from 0, undisturbed; None where the frame was not delivered.
    """

    disturbance: str
    stamp_ns: int
    movement: float
    pictures: dict[int, Pixels | None]


@dataclass
class Examples:
    """Remembers the frame at which each disturbance moved a command most, and no other."""

    _best: dict[str, Example] = field(default_factory=dict)
    _frame: dict[str, Example] = field(default_factory=dict)

    def offer(
        self,
        disturbance: str,
        severity: int,
        movement: float,
        stamp_ns: int,
        picture: Pixels | None,
    ) -> None:
        """Take what a variant made of the frame that goes by."""
        before = self._frame.get(disturbance)
        pictures = before.pictures if before is not None else {}
        pictures[severity] = picture
        most = max(movement, before.movement if before is not None else 0.0)
        self._frame[disturbance] = Example(disturbance, stamp_ns, most, pictures)

    def end_of_frame(self, undisturbed: Pixels) -> None:
        """Keep the frame for the disturbances that it shows better than any before."""
        for name, example in self._frame.items():
            best = self._best.get(name)
            if best is None or example.movement > best.movement:
                shown = {0: undisturbed, **dict(sorted(example.pictures.items()))}
                self._best[name] = Example(name, example.stamp_ns, example.movement, shown)
        self._frame.clear()

    def chosen(self) -> list[Example]:
        """Return the frames that were kept, in the order in which disturbances were offered."""
        return list(self._best.values())
