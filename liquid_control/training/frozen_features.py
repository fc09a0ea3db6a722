"""Features of a frozen encoder, computed once for every frame of a flight and its mirror image."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from liquid_control.files import atomic_write
from liquid_control.perception import CameraView, fit, input_columns
from liquid_control.perception.camera_view import CONTRAST_FLOOR, moments
from liquid_control.perception.cnn import PerceptionCNN
from liquid_control.training.dataset import read_flight
from liquid_control.training.devices import CPU
from liquid_control.training.encoder_files import TrainedEncoder
from liquid_control.training.network import standardise

_ROWS = 256


@dataclass(frozen=True, slots=True, eq=False)
class FeatureCache:
    """Features by flight file; they are stored next to it, under the encoder's checksum.

    Attributes:
        encoder: the frozen encoder.
        device: that computes the features.
    """

    encoder: TrainedEncoder
    device: torch.device = CPU

    def features(self, path: Path) -> NDArray[np.float32]:
        """Return the features of a flight, float32 [2, T, F]: of the pictures, then mirrored.

        Raises:
            OutputError: the flight is damaged, or its pictures are smaller than the encoder's.
        """
        stored = path.with_suffix(f".{self.encoder.sha256[:12]}.features.npy")
        try:
            return np.asarray(np.load(stored, allow_pickle=False), np.float32)
        except (OSError, ValueError, zipfile.BadZipFile):
            pass
        found = self._encode(path)
        atomic_write(stored, lambda partial: _save(partial, found))
        return found

    @torch.no_grad()
    def _encode(self, path: Path) -> NDArray[np.float32]:
        flight, _ = read_flight(path)
        network = PerceptionCNN(self.encoder.spec)
        network.load_arrays(dict(self.encoder.arrays))
        network.to(self.device)
        spec = self.encoder.spec
        view = CameraView(spec.width, spec.height, 90.0)
        mount = torch.from_numpy(flight.inputs[:, input_columns(("mount",))])
        sides: list[list[NDArray[np.float32]]] = [[], []]
        for start in range(0, len(flight.labels), _ROWS):
            rows = slice(start, start + _ROWS)
            images = np.stack([fit(image, view) for image in flight.images[rows]])
            measured = np.array([moments(image) for image in images], np.float32)
            scales = torch.from_numpy(1.0 / np.maximum(measured[:, 1], CONTRAST_FLOOR))
            shown = (torch.from_numpy(images), torch.from_numpy(measured[:, 0]), scales)
            pictures = standardise(*(part.to(self.device) for part in shown))
            seen = mount[rows].to(self.device) if spec.mount else None
            for side, view_of in zip(sides, (pictures, pictures.flip(3)), strict=True):
                side.append(network(view_of, seen).cpu().numpy())
        return np.stack([np.concatenate(side) for side in sides])


def _save(path: Path, features: NDArray[np.float32]) -> Any:
    with path.open("wb") as stream:
        np.save(stream, features)
