"""Learning of an encoder and of a core on its frozen features, for the ranks of torchrun.

python -m torch.distributed.run --nproc-per-node 2 ranks_program.py OUT
"""

import os
import sys
from pathlib import Path

import numpy as np
from test_learner import bars
from toy_flight import ToyExpert, fly
from toy_run import toy_settings

from liquid_control.perception.cnn import PerceptionCNN
from liquid_control.training import Actors, train
from liquid_control.training import ranks as ranks_module
from liquid_control.training.encoder_files import save_encoder
from liquid_control.training.encoder_learner import EncoderLearner
from liquid_control.training.encoder_network import EncoderNetwork
from liquid_control.training.frame_store import FrameStore
from liquid_control.training.learner import Learner
from liquid_control.training.network import PolicyNetwork, encoder_spec
from liquid_control.training.ranks import Ranks, leading

STEPS = 30
WINDOWS = 6
NETWORK = {"features": 6, "hidden": 12, "mount": False, "channels": [4, 6, 8, 8]}


def learn_encoder(ranks: Ranks, out: Path) -> None:
    """Learn on single frames, then save the untrained encoder for `learn_core`."""
    settings = toy_settings(
        network=NETWORK, encoder={"steps": STEPS, "batch": 33, "width": 32, "height": 18}
    )
    data = bars()
    columns = {name: getattr(data, name) for name in FrameStore.__slots__ if name != "sha256"}
    store = FrameStore(**columns, sha256="bars")
    spec = encoder_spec(settings.network, 18, 32)
    encoder = PerceptionCNN(spec, seed=0)
    save_encoder(out / "plain", "plain", spec, encoder.arrays(), {})
    network = EncoderNetwork(encoder, settings.network.motors, 0)
    learner = EncoderLearner(network, settings.encoder, 0, ranks=ranks)
    rows = np.arange(store.frames)
    ranks.lead(learner, store, rows, folder=out / "frames")
    learner.learn(store, rows, out / "encoder", lambda loss: None)


def learn_core(ranks: Ranks, out: Path) -> None:
    """Learn on windows of features; they are those of the bars' places."""
    settings = toy_settings(network={"encoder": str(out / "plain")})
    data = bars()
    features = np.random.default_rng(1).normal(size=(1, data.frames, 6)).astype(np.float32)
    features = np.concatenate([features, features])
    features[0, :, 0], features[1, :, 0] = data.labels[:, 1], -data.labels[:, 1]
    columns = {name: getattr(data, name) for name in type(data).__slots__}
    columns |= {"features": features, "images": np.empty((data.frames, 0, 0, 3), np.uint8)}
    dataset = type(data)(**columns)
    network = PolicyNetwork.fresh(settings.network, settings.base_scenario(), 0)
    learner = Learner(network, settings.learner, 0, ranks=ranks)
    learner.begin(0)
    ranks.lead(learner, dataset, STEPS)
    learner.learn(dataset, STEPS, out / "core", lambda loss: None)


if __name__ == "__main__":
    out = Path(sys.argv[1])
    if os.environ["RANK"] == "0":
        with leading(WINDOWS) as ranks:
            learn_encoder(ranks, out)
            learn_core(ranks, out)
    else:
        ranks_module._IN_MEMORY_BYTES = 100_000  # the pictures go into a file
        published = train(toy_settings(), out / "other", lambda: None, Actors(fly, ToyExpert))
        print("followed", published.name)
