"""Numbers of record of several models on the same recordings, kept as they are measured."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from liquid_control.errors import OutputError
from liquid_control.inspection.model_measures import Measures, measure
from liquid_control.inspection.predictions import rate_of
from liquid_control.inspection.retrace import open_flights
from liquid_control.journal import JOURNAL_FILE, Journal
from liquid_control.policy import Policy
from liquid_control.provenance import model_fingerprint


def measure_models(
    policies: Sequence[Policy],
    bags: Sequence[Path],
    method: str,
    folder: Path,
    *,
    rates: Mapping[str, float] | None = None,
    resume: bool = False,
    command: str = "inspect measure",
) -> list[Measures]:
    """Return the numbers of record of each model, in order.

    Each model is one row of the folder's journal. A resumed study measures only the models that
    the journal lacks; other models may be added to it, and success rates come later.

    Args:
        policies: of the models.
        bags: recordings, one flight each.
        method: of the maps, one of `saliency.METHODS`.
        folder: of the results.
        rates: success rates, from `success_rates`.
        resume: whether to go on with the study in the folder.
        command: command line, for the record.

    Raises:
        ConfigError: the folder has a study of other recordings or another method.
        OutputError: a row is damaged or cannot be written.
    """
    plan = {"method": method, **{f"bag {bag.resolve().name}": _bytes(bag) for bag in bags}}
    path = folder / JOURNAL_FILE
    again = resume and path.exists()
    config = {"bags": [str(bag) for bag in bags]}
    journal = Journal.resume(path, plan) if again else Journal.begin(path, plan, config, command)
    found = []
    with journal:
        for policy in policies:
            model = policy.model
            one = _known(journal, model_fingerprint(model.path))
            if one is None:
                _, flights = open_flights(bags, policy=policy)
                one = measure(policy, flights, method)
                mark = model_fingerprint(model.path)
                journal.append({"model": mark, "folder": str(model.path), "measures": asdict(one)})
            found.append(replace(one, success_rate=rate_of(rates or {}, model)))
    return found


def _known(journal: Journal, mark: Mapping[str, str]) -> Measures | None:
    """Return the row of a model with these checksums; None for none."""
    for line, row in enumerate(journal.rows, 2):
        if row.get("model") == mark:
            try:
                return Measures.restored(row["measures"])
            except (KeyError, TypeError) as error:
                raise OutputError(
                    f"{journal.path}: line {line}: expected the measures of a model: damaged"
                ) from error
    return None


def _bytes(bag: Path) -> Any:
    """Return the size of a recording, a file or a folder of files."""
    files = sorted(bag.rglob("*")) if bag.is_dir() else [bag]
    return sum(file.stat().st_size for file in files if file.is_file())
