# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""How far a plain net gets on one core, what depth is worth, and which bending helps.

Long: the smallest net of the paper's table, 784-1000-500-10, for as many epochs as some six
minutes allow, with stronger elastic fields than the experiment has.
Depth: one, two, three and five hidden layers with 0.52 million weights each. All four learn the
same bent digits in the same order, each at the learning rate that suits it.
Kinds: the experiment's net on the first 15,000 digits, with nothing bent, with rotation and
stretch alone, with elastic fields alone, and with both at three strengths.
Test digits are looked at once, at the end of each training.

    python3 study_mnist_deep_mlp.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import mnist_deep_mlp
from mnist_deep_mlp import (
    CLASSES,
    SIDE,
    Net,
    answers,
    bent_digits,
    draw,
    learning_rates,
    mnist,
    newborn,
    per_cent,
    shades,
    train,
    train_epoch,
)
import numpy as np


@dataclass(frozen=True)
class Config(mnist_deep_mlp.Config):
    long_hidden: Annotated[tuple[int, ...], "layers of the long training", (1, 9999)] = (1000, 500)
    long_epochs: Annotated[int, "epochs of the long training", (1, 10**4)] = 70
    long_elastic_rms: Annotated[float, "elastic displacement in it, pixels", (0.0, 28.0)] = 1.0
    depth_epochs: Annotated[int, "epochs for one to five layers", (1, 10**4)] = 10
    kinds_epochs: Annotated[int, "epochs for each kind of bending", (1, 10**4)] = 10
    kinds_digits: Annotated[int, "training digits for them", (10, 60000)] = 15000


QUICK = mnist_deep_mlp.QUICK | {
    "long_hidden": (50, 20),
    "long_epochs": 2,
    "depth_epochs": 1,
    "kinds_epochs": 1,
    "kinds_digits": 1000,
}


def error(net, test):
    """Return the share of test digits that a net gets wrong, in per cent."""
    return per_cent(answers(net, shades(test.images)) != test.labels)


# ---- a long training ----
def long(stream, part, test, config, progress):
    """Train the paper's smallest net; errors in per cent."""
    how = replace(
        config,
        hidden=config.long_hidden,
        epochs=config.long_epochs,
        elastic_rms=config.long_elastic_rms,
    )
    net, orders, maps = draw(how, stream)
    seen = []

    def watch(n, training_error):
        seen.append(training_error)
        progress((n + 1) / how.epochs, f"long, training error {training_error:.2f} %")

    train(net, bent_digits(maps, part, how), part.labels, orders, how, watch)
    return {"error": error(net, test), "training_error": seen[-1], "weights": net.vector.size}


# ---- depth ----
class Depth(NamedTuple):
    """Hidden layers, the learning rate that suits them, and how many such nets are trained.

    The rate is the one, of 0.025, 0.05, 0.1, 0.2 and 0.4, with the fewest errors on bent training
    digits in short trainings. Test digits had no say in it.
    """

    hidden: tuple
    learning_rate: float
    nets: int


DEPTHS = {  # nets of 520,000 weights, to a tenth of a per cent; two of those that a claim compares
    "one": Depth((654,), 0.1, 2),
    "two": Depth((500, 250), 0.05, 1),
    "three": Depth((430, 294, 184), 0.05, 1),
    "five": Depth((400, 300, 200, 100, 50), 0.05, 2),
}


def depth(stream, part, test, depths, config, progress):
    """Train nets of equal size side by side; mean errors in per cent."""
    how = replace(config, epochs=config.depth_epochs)
    _, orders, maps = draw(how, stream)
    starts = map(np.random.default_rng, stream.spawn(sum(kind.nets for kind in depths.values())))
    nets = []
    for name, kind in depths.items():
        setting = replace(how, hidden=kind.hidden, learning_rate=kind.learning_rate)
        rates = learning_rates(setting)  # (epochs, updates)
        nets += [(name, newborn(next(starts), setting), rates) for _ in range(kind.nets)]
    for n, shown in enumerate(bent_digits(maps, part, how)):
        progress(n / how.epochs, "depth")
        seen = {name: [] for name in depths}
        for name, net, rates in nets:
            seen[name].append(train_epoch(net, shown, part.labels, orders[n], rates[n], how))
    wrong = {name: [error(net, test) for of, net, _ in nets if of == name] for name in depths}
    row = {name: sum(some) / len(some) for name, some in wrong.items()}
    row |= {f"{name}_training": sum(some) / len(some) for name, some in seen.items()}
    return row | {"one_minus_five": row["one"] - row["five"]}


# ---- which bending ----
def variants(config):
    """Return the settings of each kind of bending."""
    straight = {"rotation": 0.0, "scaling": 0.0}
    changes = {
        "none": straight | {"elastic_rms": 0.0},
        "affine": {"elastic_rms": 0.0},
        "elastic": straight,
        "both_0_35": {"elastic_rms": 0.35},
        "both_0_7": {"elastic_rms": 0.7},
        "both_1_1": {"elastic_rms": 1.1},
    }
    return {name: replace(config, **change) for name, change in changes.items()}


def kinds(stream, part, test, config, progress):
    """Train the experiment's net on fewer digits with each kind of bending; errors in per cent."""
    how = replace(config, epochs=config.kinds_epochs, train_digits=config.kinds_digits)
    some = part._replace(images=part.images[: how.train_digits])
    some = some._replace(labels=part.labels[: how.train_digits])
    start, orders, _ = draw(how, stream)
    settings = variants(how)
    streams = stream.spawn(len(settings))
    row = {}
    for n, (name, setting) in enumerate(settings.items()):
        progress(n / len(settings), f"bending: {name}")
        net = Net(start.vector.copy(), (SIDE * SIDE, *how.hidden, CLASSES))
        maps = np.random.default_rng(streams[n])
        epochs = bent_digits(maps, some, setting)
        train(net, epochs, some.labels, orders, setting, lambda *_: None)
        row[name] = error(net, test)
    return row


# ---- the study ----
def run(config, seed, progress):
    """Train for each of the three parts, from streams that the experiment does not use."""
    part = mnist("train", config.train_digits)
    test = mnist("t10k", None)
    streams = np.random.SeedSequence(seed).spawn(6)[3:]
    how = part, test
    return {
        "long": long(streams[0], *how, config, lambda f, said: progress(0.78 * f, said)),
        "depth": depth(
            streams[1], *how, DEPTHS, config, lambda f, said: progress(0.78 + 0.16 * f, said)
        ),
        "kinds": kinds(streams[2], *how, config, lambda f, said: progress(0.94 + 0.06 * f, said)),
    }


if __name__ == "__main__":
    mnist_deep_mlp.main(sys.modules[__name__])
