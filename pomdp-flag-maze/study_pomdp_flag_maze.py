# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around the flag maze: M and C at once, and what their parts are good for.

parallel   M and C take turns from the first step, instead of one after the other
unmixed    M is only shown the actions that were made, never mixtures of two
tanh       M has plain tanh units in place of gated ones

Each row trains nets of its own on walks of its own, with the experiment's budgets; fewer nets in
the last two rows.

    python3 study_pomdp_flag_maze.py --seed 0      # a minute and a half
    python3 study_pomdp_flag_maze.py --quick       # proves that the code runs
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import pomdp_flag_maze
from pomdp_flag_maze import (
    Controller,
    ControllerTrainer,
    Model,
    ModelTrainer,
    checks_due,
    draw_mazes,
    learn_in_model,
    mean_over,
    side_accuracy,
    test,
    trained_lengths,
    walk,
)
import numpy as np


@dataclass(frozen=True)
class Config(pomdp_flag_maze.Config):
    turn: Annotated[int, "C's updates in a turn of the row parallel", (1, 100_000)] = 50
    few: Annotated[int, "nets of the rows unmixed and tanh", (1, 100)] = 2


QUICK = pomdp_flag_maze.QUICK | {"nets": 1, "turn": 5, "few": 1}


class TanhModel(Model):
    """M with plain units, h' = tanh(a), whose recurrent weights start near 0.9 times identity."""

    def layout(self, config):
        H = config.hidden_m
        return {"W": (9, H), "U": (H, H), "b": (1, H), "V": (H, 7), "v": (1, 7)}

    def start(self, rng):
        H = self.V.shape[1]
        self.W[:] = 0.4 * rng.standard_normal(self.W.shape)
        self.U[:] = 0.9 * np.eye(H) + 0.2 / np.sqrt(H) * rng.standard_normal(self.U.shape)
        self.V[:] = 2.5 * rng.standard_normal(self.V.shape) / np.sqrt(H)

    def step(self, x, h):
        h = np.tanh(x @ self.W + h @ self.U + self.b)  # (N, B, H)
        return h, h

    def step_back(self, dh, tape):
        da = dh * (1 - tape**2)  # (N, B, H)
        return da, da @ self.U.swapaxes(1, 2)


def learn_in_parallel(walks, config, seeds, progress):
    """Let M and C take turns from the start, with the same batches in all; returns both."""
    model_seed, controller_seed, *streams = seeds
    batch, dream, check = (np.random.default_rng(stream) for stream in streams)
    model = Model(np.random.default_rng(model_seed), config)
    controller = Controller(np.random.default_rng(controller_seed), config)
    teacher = ModelTrainer(model, walks, config, batch)
    trainer = ControllerTrainer(model, controller, walks, config, dream, check)
    taught = 0
    for k in range(config.updates_c):
        turn_ends = min(k + config.turn, config.updates_c)
        while k % config.turn == 0 and taught < config.batches_m * turn_ends / config.updates_c:
            teacher.step(taught / config.batches_m)
            taught += 1
        trainer.step(k / config.updates_c)
        if checks_due(k, k + 1, config.updates_c):
            trainer.keeper.check()
        progress(k / config.updates_c, "models and controllers take turns")
    return model, trainer


def learn_with_tanh(walks, config, seeds, progress):
    """Train M with plain units, then C inside it."""
    return learn_in_model(walks, config, seeds, progress, TanhModel)


def row(learn, config, seed, progress):
    """Train nets in one way, and test them; a list holds the success of each net."""
    data, walk_seed, test_seed, probe, *seeds = seed.spawn(9)
    mazes = draw_mazes(np.random.default_rng(data), config, (config.nets, config.episodes))
    walks = walk(np.random.default_rng(walk_seed), *mazes)
    model, trainer = learn(walks, config, seeds, progress)
    lengths = trained_lengths(config)
    keeper = trainer.keeper
    success = test(keeper.controller, keeper.kept, lengths, test_seed)
    each = mean_over(success, lengths)  # (N,)
    accuracy = side_accuracy(model, config.lengths[1], probe)
    return {"success": each.mean(), "accuracy": accuracy, "each": each.tolist()}


def run(config, seed, progress):
    """Train the three rows, one after the other."""
    few = replace(config, nets=config.few)
    ways = {
        "parallel": (learn_in_parallel, config),
        "unmixed": (learn_in_model, replace(few, mixed=0.0)),
        "tanh": (learn_with_tanh, few),
    }
    table = {}
    for k, (stream, (name, (learn, settings))) in enumerate(
        zip(np.random.SeedSequence(seed).spawn(len(ways)), ways.items())
    ):

        def note(share, text, k=k, name=name):
            progress((k + share) / len(ways), f"{name}: {text}")

        table[name] = row(learn, settings, stream, note)
    return {"success_parallel": table["parallel"]["success"]} | table


if __name__ == "__main__":
    pomdp_flag_maze.main(sys.modules[__name__])
