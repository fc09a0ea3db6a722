"""A run that trains an encoder alone: expert flights of all tasks, then single frames."""

import json
from dataclasses import dataclass
from functools import partial

import numpy as np

from liquid_control.files import atomic_write
from liquid_control.perception.cnn import PerceptionCNN
from liquid_control.provenance import git_revision, machine, package_versions
from liquid_control.training.curves import write_curves
from liquid_control.training.devices import picture_device
from liquid_control.training.encoder_files import load_encoder, resized, save_encoder
from liquid_control.training.encoder_learner import EncoderLearner
from liquid_control.training.encoder_network import EncoderNetwork
from liquid_control.training.frame_store import FrameStore, pack_frames
from liquid_control.training.network import encoder_spec
from liquid_control.training.network_settings import EncoderLearning
from liquid_control.training.run import Training
from liquid_control.training.run_folder import DatasetFacts

EXPLAINED = "explained.json"
FRAMES = "frames"


@dataclass
class EncoderTraining(Training):
    """One run that trains an encoder, in its folder."""

    def run(self) -> None:
        """Run all steps that are not finished."""
        self._step("fly 0", partial(self._fly, 0))
        self._step("learn 0", self._learn_encoder)
        self._step("publish", self._publish_encoder)

    @property
    def _learning(self) -> EncoderLearning:
        if self.settings.encoder is None:
            raise RuntimeError("expected settings with an encoder section")
        return self.settings.encoder

    def _store(self) -> FrameStore:
        learning = self._learning
        paths = [path for path, _ in self._dataset(0)]
        nominal_s = 1.0 / self.settings.base_scenario().camera.rate_hz
        with self.reporter.phase("packing frames", len(paths)) as bar:
            return pack_frames(
                self.folder.root / FRAMES,
                paths,
                learning.height,
                learning.width,
                nominal_s,
                lambda: bar.advance(""),
                self.settings.jobs,
            )

    def _encoder_learner(self) -> EncoderLearner:
        settings, learning = self.settings, self._learning
        if settings.network.encoder:
            trained = load_encoder(settings.network.encoder)
            known = resized(trained, learning.height, learning.width)
            encoder = PerceptionCNN(known.spec)
            encoder.load_arrays(dict(known.arrays))
        else:
            spec = encoder_spec(settings.network, learning.height, learning.width)
            encoder = PerceptionCNN(spec, seed=settings.seed)
        network = EncoderNetwork(encoder, settings.network.motors, settings.seed)
        device = picture_device(settings.learner.device, self.ranks.size)
        threads = settings.learner.threads if device.type == "cpu" else 1
        learner = EncoderLearner(
            network, learning, settings.seed, threads, device, ranks=self.ranks
        )
        learner.restore(self.folder.root)
        return learner

    def _learn_encoder(self) -> None:
        store, learner = self._store(), self._encoder_learner()
        rows, validation = store.split(self.settings.learner.held_out)
        self.ranks.lead(learner, store, rows, folder=self.folder.root / FRAMES)
        with self.reporter.phase("learning", self._learning.steps, learner.step) as bar:
            learner.learn(
                store, rows, self.folder.root, lambda loss: bar.advance(f"loss {loss:.3f}")
            )
        write_curves(self.folder.root, learner.curve)
        scores = learner.explained(store, validation)
        atomic_write(self.folder.root / EXPLAINED, json.dumps(scores, indent=1))
        flights = len(store.starts) - 1
        self.progress = self.progress.learned(0, DatasetFacts(store.sha256, flights, store.frames))
        mean = float(np.mean(list(scores.values())))
        self.reporter.log(
            f"{store.frames} frames of {flights} flights; on held-out flights the encoder "
            f"explains {100.0 * mean:.0f} % of the variance of its {len(scores)} targets"
        )

    def _publish_encoder(self) -> None:
        encoder = self._encoder_learner().average.encoder
        facts = self.progress.datasets[0]
        made = {
            "command": self.progress.command,
            "git_revision": git_revision(),
            "versions": package_versions(),
            "machine": machine(),
            "dataset": {"sha256": facts.sha256, "flights": facts.flights, "frames": facts.frames},
            "explained": json.loads((self.folder.root / EXPLAINED).read_text()),
            "settings": self.settings.model_dump(mode="json"),
        }
        path = self.folder.root / self.settings.name
        save_encoder(path, self.settings.name, encoder.spec, encoder.arrays(), made)
