# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Around the self-referential weight matrix: which rows matter, changes, four functions.

Rows: all rows may change; the answer's row alone (delta-rule fast weights with a fixed programmer);
that row and the rates; all rows but the rates. Each net is asked about functions it never trained
on, and a tanh RNN too.
Streams: 24 examples, each asked and then told; the function changes after 8 and after 16 of them,
unannounced, and the matrix is never reset.
Four functions: AND, OR, XOR and NAND, trained and tested alike.

    python3 study_self_referential_weight_matrix.py --seed 0    # minutes
    python3 study_self_referential_weight_matrix.py --quick     # seconds: it proves the code
"""

import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

import self_referential_weight_matrix
from self_referential_weight_matrix import (
    SOLVED,
    TABLES,
    SelfReferential,
    TanhRnn,
    answers_right,
    episodes,
    present,
    scores,
    split,
    train,
)
import numpy as np


@dataclass(frozen=True)
class Config(self_referential_weight_matrix.Config):
    stream_batch_size: Annotated[int, "streams in an update", (1, 10_000)] = 16

    def __post_init__(self):
        super().__post_init__()
        if not 2 <= self.train_functions <= 14:
            raise ValueError("argument --train-functions: a stream needs 2 functions, of 2 to 14")


QUICK = self_referential_weight_matrix.QUICK | {"updates": 15, "nets": 2}

ROWS = {"all": "ykqb", "answer": "y", "answer_rates": "yb", "all_but_rates": "ykq"}
FOUR = (8, 14, 6, 7)  # AND, OR, XOR, NAND: numbers of rows of TABLES
PHASES, EXAMPLES = 3, 8  # functions in a stream, and examples of each
LATE = slice(4, 8)  # examples of a function whose input was told before, if the net remembers


def streams(functions, count, rng):
    """Draw `count` streams a net: 24 examples of three functions, each asked, then told."""
    nets, size = functions.shape
    which = rng.integers(size, size=(nets, count))  # (N, B)
    places, labels = [], []
    for _ in range(PHASES):
        tables = TABLES[np.take_along_axis(functions, which, 1)]  # (N, B, 4)
        orders = rng.permuted(np.tile(np.arange(4), (nets, count, 2, 1)), axis=3)  # (N, B, 2, 4)
        place = orders.reshape(nets, count, EXAMPLES)
        places.append(place)
        labels.append(np.take_along_axis(tables, place, 2))  # (N, B, 8)
        which = (which + rng.integers(1, size, size=which.shape)) % size  # always another one
    place = np.repeat(np.concatenate(places, 2), 2, axis=2)  # (N, B, 48)
    label = np.repeat(np.concatenate(labels, 2), 2, axis=2)  # (N, B, 48)
    told = np.arange(place.shape[2]) % 2 == 1  # (48,)
    return present(np.moveaxis(place, 2, 0), np.moveaxis(label, 2, 0), told)


def learn(net, draw, functions, config, seed, progress):
    """Train new nets on functions (N, F) as draw presents them; return theta (N, P)."""
    init_rng, data_rng = map(np.random.default_rng, seed.spawn(2))
    theta, _ = train(
        net, lambda count, rng: draw(functions, count, rng), config, init_rng, data_rng, progress
    )
    return theta


def study_rows(training, unseen, config, seeds, progress):
    """Let some rows change or others, and ask each kind of net about unseen functions."""
    nets = {name: SelfReferential(replace(config, plastic=rows)) for name, rows in ROWS.items()}
    nets["rnn"] = TanhRnn(config)
    table = {}
    for seed, (name, net) in zip(seeds, nets.items()):
        theta = learn(net, episodes, training, config, seed, partial(progress, name))
        each = scores(net, theta, unseen)  # (N,)
        table[name] = {
            "held_out": each.mean(),
            "solved": (each >= SOLVED).mean(),
            "nets": each.tolist(),
        }
    return table


def study_streams(training, unseen, config, seeds, progress):
    """Change the function twice, and return how often nets are right at each of 24 examples."""
    budget = replace(config, batch_size=config.stream_batch_size)
    nets = {
        "stream_all": SelfReferential(config),
        "stream_answer": SelfReferential(replace(config, plastic="y")),
        "stream_rnn": TanhRnn(config),
    }
    table = {}
    for seed, (name, net) in zip(seeds, nets.items()):
        theta = learn(net, streams, training, budget, seed, partial(progress, name))
        right = answers_right(net, theta, unseen)  # (24, N, B)
        phases = right.reshape(PHASES, EXAMPLES, -1).mean(2)  # (3, 8)
        late = right.reshape(PHASES, EXAMPLES, *right.shape[1:])[:, LATE].mean((1, 3))  # (3, N)
        table[name] = {
            "first": late[0].mean(),
            "third": late[2].mean(),
            "solved": (late[2] >= SOLVED).mean(),
            "just_changed": phases[1:, 0].mean(),
            "examples": right.mean((1, 2)).tolist(),
            "nets": late[2].tolist(),
        }
    return table


def study_four(config, seeds, test_seed, progress):
    """Train and test on the same four functions."""
    functions = np.tile(FOUR, (config.nets, 1))  # (N, 4)
    known = episodes(functions, config.test_episodes, np.random.default_rng(test_seed))
    table = {}
    nets = {"four": SelfReferential(config), "four_rnn": TanhRnn(config)}
    for seed, (name, net) in zip(seeds, nets.items()):
        theta = learn(net, episodes, functions, config, seed, partial(progress, name))
        each = scores(net, theta, known)  # (N,)
        table[name] = {"accuracy": each.mean(), "solved": (each >= SOLVED).mean()}
    return table


def run(config, seed, progress):
    """Return what each set of rows reaches, what a change costs, and the four functions."""
    split_seed, test_seed, stream_seed, four_seed, *seeds = np.random.SeedSequence(seed).spawn(14)
    training, held_out = split(config, np.random.default_rng(split_seed))
    unseen = episodes(held_out, config.test_episodes, np.random.default_rng(test_seed))
    unseen_streams = streams(held_out, config.test_episodes, np.random.default_rng(stream_seed))
    stages = [*ROWS, "rnn", "stream_all", "stream_answer", "stream_rnn", "four", "four_rnn"]

    def show(name, done, text):
        progress((stages.index(name) + done) / len(stages), f"{name}: {text}")

    table = study_rows(training, unseen, config, seeds[:5], show)
    table |= study_streams(training, unseen_streams, config, seeds[5:8], show)
    table |= study_four(config, seeds[8:], four_seed, show)
    return table | {
        "gain_over_delta": table["all"]["held_out"] - table["answer"]["held_out"],
        "change_loss": table["stream_all"]["first"] - table["stream_all"]["third"],
        "four_accuracy": table["four"]["accuracy"],
    }


if __name__ == "__main__":
    self_referential_weight_matrix.main(sys.modules[__name__])
