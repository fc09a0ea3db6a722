"""Models on a Hugging Face Hub: `models push` and `models pull`.

In a repository a model has the files that other programs read there: `weights.safetensors`,
`config.json`, both ONNX graphs, and its card with a block of metadata. Nothing is pickled. A
pulled model is a model folder with the same arrays and graphs, so its commands are equal bit for
bit. Format of the card: https://huggingface.co/docs/hub/model-cards.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import yaml

from liquid_control.config import validate
from liquid_control.dependencies import require
from liquid_control.errors import ConfigError, DependencyError, ModelError, OutputError
from liquid_control.files import read_limited
from liquid_control.policy.model import (
    CARD,
    CONTROLLER,
    MAX_BYTES,
    PERCEPTION,
    SHORT,
    Model,
    checksum,
    load_model,
    save_model,
)
from liquid_control.policy.model_settings import ModelSettings

if TYPE_CHECKING:
    from huggingface_hub import HfApi

LIBRARY = "liquid_control"
LAYOUT = 1
"""Version of `config.json`."""
SAFETENSORS = "weights.safetensors"
CONFIG = "config.json"
PICTURES = "pictures.json"
REQUIRED = (CONFIG, SAFETENSORS, PERCEPTION, CONTROLLER, CARD)
CHECKED = (SAFETENSORS, PERCEPTION, CONTROLLER)
TAGS = ("robotics", "drone", "ros2", "onnx", "imitation-learning")
LICENSE = "apache-2.0"
_RESULT = re.compile(r"^\| (\S+) \| .* \| (\d+)/(\d+) \| ([\d.]+) \| .* \|$", re.MULTILINE)
_METADATA = re.compile(r"\A---\n.*?\n---\n+", re.DOTALL)


def hub_files(model: Model) -> dict[str, bytes]:
    """Return the files of a model in a repository, by name.

    Raises:
        DependencyError: safetensors is not installed.
        ModelError: the card cannot be read.
    """
    safetensors = require("safetensors.numpy", "hub", "write weights for a Hub")
    arrays = {name: np.ascontiguousarray(array) for name, array in model.arrays.items()}
    files = {
        SAFETENSORS: safetensors.save(arrays, {"format": "np"}),
        PERCEPTION: model.perception,
        CONTROLLER: model.controller,
    }
    settings = model.settings.model_copy(update={"sha256": {}})
    config = {
        "library_name": LIBRARY,
        "model_type": model.settings.core.kind,
        "layout": LAYOUT,
        "sha256": {name: checksum(content) for name, content in files.items()},
        "settings": settings.model_dump(mode="json", by_alias=True),
    }
    files[CONFIG] = (json.dumps(config, indent=1) + "\n").encode()
    try:
        card = read_limited(model.path / CARD, MAX_BYTES).decode()
        if (model.path / PICTURES).is_file():
            files[PICTURES] = read_limited(model.path / PICTURES, MAX_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{model.path}: its card or {PICTURES} cannot be read ({error})"
        ) from error
    files[CARD] = (card_metadata(model, card) + card).encode()
    return files


def card_metadata(model: Model, card: str) -> str:
    """Return the block of metadata before a card.

    Its metrics are those of the card's table of flights after training; a card without the table
    has none.

    Args:
        model: the model.
        card: its card, Markdown.
    """
    metadata: dict[str, Any] = {
        "library_name": LIBRARY,
        "license": LICENSE,
        "pipeline_tag": "robotics",
        "tags": [*TAGS, model.settings.core.kind.replace("_", "-")],
    }
    results = [
        {
            "task": {"type": "robotics", "name": "closed-loop flight in simulation"},
            "dataset": {"type": LIBRARY, "name": condition},
            "metrics": [
                {
                    "type": "success_rate",
                    "value": round(int(succeeded) / int(flights), 4),
                    "name": f"succeeded, {succeeded} of {flights} flights",
                },
                {
                    "type": "cross_track_rms_m",
                    "value": float(rms),
                    "name": "RMS of the cross-track error, m",
                },
            ],
        }
        for condition, succeeded, flights, rms in _RESULT.findall(card)
        if int(flights)
    ]
    if results:
        metadata["metrics"] = ["success_rate", "cross_track_rms_m"]
        metadata["model-index"] = [{"name": model.name, "results": results}]
    return f"---\n{yaml.safe_dump(metadata, sort_keys=False)}---\n\n"


def push_model(path: Path | str, repository: str, *, private: bool = False) -> str:
    """Write a model to a repository of the Hub as one commit; create the repository if needed.

    The Hub is that of `HF_ENDPOINT`, by default huggingface.co. The token is that of `HF_TOKEN`
    or of `hf auth login`.

    Args:
        path: model folder.
        repository: such as `name/model`.
        private: whether a new repository is private.

    Returns:
        URL of the commit.

    Raises:
        DependencyError: huggingface_hub or safetensors is not installed.
        ConfigError: the repository's name is not valid, or there is no token.
        ModelError: the model folder is damaged.
        OutputError: the Hub cannot be reached, or refuses.
    """
    hub = _hub("push models")
    files = hub_files(load_model(path))
    if hub.get_token() is None:
        raise ConfigError(
            "expected a token of the Hub to push with, got none: set HF_TOKEN or run hf auth login"
        )
    api = _api(hub)
    with _one_line(repository):
        api.create_repo(repository, private=private, exist_ok=True)
        operations = [
            hub.CommitOperationAdd(path_in_repo=name, path_or_fileobj=content)
            for name, content in sorted(files.items())
        ]
        name = Path(path).resolve().name
        made = api.create_commit(repository, operations, commit_message=f"Push {name}")
    return str(made.commit_url)


def pull_model(repository: str, out: Path, *, revision: str | None = None) -> Model:
    """Read a model from a repository of the Hub into a model folder.

    Args:
        repository: such as `name/model`.
        out: folder to write; it must not exist.
        revision: branch, tag or commit; the main branch if None.

    Raises:
        DependencyError: huggingface_hub or safetensors is not installed.
        ConfigError: the repository's name is not valid.
        ModelError: the repository is not there, holds no model of this project, or a file is not
            the one that its `config.json` states.
        OutputError: the Hub cannot be reached, or `out` exists or cannot be written.
    """
    hub = _hub("pull models")
    if os.path.lexists(out):
        raise OutputError(f"{out}: exists already; give a folder that does not")
    api = _api(hub)
    with _one_line(repository):
        info = api.model_info(repository, revision=revision)
        present = {file.rfilename for file in info.siblings or ()}
        missing = [name for name in REQUIRED if name not in present]
        if missing:
            raise ModelError(
                f"{repository}: expected a model of {LIBRARY}, got a repository without "
                f"{', '.join(missing)}"
            )
        wanted = [name for name in (*REQUIRED, PICTURES) if name in present]
        files = {
            name: Path(api.hf_hub_download(repository, name, revision=info.sha)) for name in wanted
        }
        content = {name: read_limited(path, MAX_BYTES) for name, path in files.items()}
    return write_pulled(content, out, repository)


def write_pulled(content: Mapping[str, bytes], out: Path, where: str) -> Model:
    """Write the files of a repository as a model folder, after checks.

    Args:
        content: files by name, as of `hub_files`.
        out: folder to write; it must not exist.
        where: the repository, for messages.

    Raises:
        ModelError: a file is damaged, or has another checksum than `config.json` states.
        OutputError: `out` cannot be written.
    """
    settings, sums = _config(content[CONFIG], where)
    for name in CHECKED:
        expected, got = sums.get(name, "none"), checksum(content[name])
        if expected != got:
            raise ModelError(
                f"{where}: {name}: expected sha256 {str(expected)[:SHORT]}…, got {got[:SHORT]}…: "
                "damaged, or the file of another model"
            )
    safetensors = require("safetensors.numpy", "hub", "read weights of a Hub")
    try:
        arrays = safetensors.load(content[SAFETENSORS])
    except Exception as error:  # SafetensorError of its extension, or a KeyError of a dtype
        raise ModelError(f"{where}: {SAFETENSORS}: cannot be read ({error})") from error
    graphs = {name: content[name] for name in (PERCEPTION, CONTROLLER)}
    card = _METADATA.sub("", content[CARD].decode(errors="replace"), count=1)
    more = {PICTURES: content[PICTURES]} if PICTURES in content else {}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
            made = Path(folder) / out.name
            save_model(made, settings, arrays, graphs, card, more)
            load_model(made)
            made.rename(out)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror or error})") from error
    return load_model(out)


def _config(content: bytes, where: str) -> tuple[ModelSettings, Mapping[str, Any]]:
    """Return settings and checksums of `config.json`."""
    try:
        config = json.loads(content)
        if config["library_name"] != LIBRARY or config["layout"] != LAYOUT:
            stated = f"{config['library_name']!r}, layout {config['layout']!r}"
            raise ModelError(
                f"{where}: {CONFIG}: expected {LIBRARY}, layout {LAYOUT}, got {stated}"
            )
        return validate(ModelSettings, config["settings"], f"{where}: {CONFIG}"), config["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{where}: {CONFIG}: is not that of {LIBRARY} ({error!r})") from error
    except ConfigError as error:
        raise ModelError(str(error)) from error


def _hub(purpose: str) -> Any:
    """Return the module huggingface_hub.

    Raises:
        DependencyError: it or safetensors is not installed.
    """
    require("safetensors", "hub", purpose)
    return require("huggingface_hub", "hub", purpose)


def _api(hub: Any) -> "HfApi":
    api: HfApi = hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    return api


@contextmanager
def _one_line(repository: str) -> Iterator[None]:
    """Turn errors of the Hub into one line."""
    from huggingface_hub import errors

    transport: tuple[type[Exception], ...] = (
        OSError,
        ValueError,
        *cast("tuple[type[Exception], ...]", errors.HfHubHTTPError.__bases__),
    )
    try:
        yield
    except (ModelError, DependencyError):
        raise
    except errors.HFValidationError as error:
        raise ConfigError(f"{repository!r}: is no name of a repository ({error})") from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(f"{repository}: has no such revision") from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(
            f"{repository}: no such repository on the Hub, or the token may not read it"
        ) from error
    except transport as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            raise OutputError(f"{repository}: the Hub refuses the token ({status})") from error
        raise OutputError(f"{repository}: the Hub cannot be used ({error})") from error
