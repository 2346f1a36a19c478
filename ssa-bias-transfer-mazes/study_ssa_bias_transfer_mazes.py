# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around the success-story algorithm, on goals that cost LS 2^8 to 2^16 steps.

as_published   ALS and SSA+ALS of the experiment, at two learning rates: total steps
method_1       the same, but every new list of goals starts without a bias
random         a found program makes not itself more probable, but a random one of its length
per_epoch      the stack is looked after once an epoch, at its first solution
floor          after each change no probability is below a floor
mirror         after the last epoch left and right change places in the maze, for ten epochs
               more: steps then, and how many changes were undone, of those that stood
large_maze     plain LS, one goal, a maze of about 950 free fields, as in the paper's experiment 1

    python3 study_ssa_bias_transfer_mazes.py --seed 0
    python3 study_ssa_bias_transfer_mazes.py --quick
"""

import copy
import sys
from dataclasses import dataclass, replace
from typing import Annotated

import ssa_bias_transfer_mazes
from ssa_bias_transfer_mazes import Adaptive, Language, SuccessStory, choose_goals, live
import numpy as np


@dataclass(frozen=True)
class Config(ssa_bias_transfer_mazes.Config):
    hardest: Annotated[float, "log2 of the steps that LS needs for the last", (2.0, 30.0)] = 16.0
    rates: Annotated[tuple[float, ...], "learning rates of ALS", (0.0, 1.0)] = (0.1, 0.5)
    floor: Annotated[float, "least probability in the row floor", (0.0, 0.05)] = 1e-3
    large_size: Annotated[int, "rooms per side of the large maze", (3, 40)] = 22


QUICK = ssa_bias_transfer_mazes.QUICK | {"large_size": 8}
MIRROR = [1, 0, 6, 5, 7, 3, 2, 4]  # each instruction with left and right exchanged


class RandomChange:
    """A mixin: what becomes more probable is a random program, as long as the one found."""

    def change(self, program):
        """Change the policy towards a program of random instructions without jumps."""
        length = len(self.language.columns(program))
        guess = self.rng.integers(1, 9, length)  # (length,) digits
        super().change(guess @ self.language.place[:length])


class Floored:
    """A mixin: no legal choice becomes less probable than a floor."""

    def change(self, program):
        """Change the policy as usual, then raise what is too low and let each part sum to 1."""
        super().change(program)
        self.policy = np.where(self.language.uniform(), np.maximum(self.policy, self.floor), 0)
        for part in self.language.parts:
            total = self.policy[:, part].sum(1, keepdims=True)  # (L, 1), 0: no target is legal
            self.policy[:, part] /= np.maximum(total, np.finfo(float).tiny)


class EpochStory(SuccessStory):
    """A story whose changes are judged, kept and undone together if they are of one epoch."""

    begun = True  # an epoch, without a change so far

    def change(self, program):
        """Judge at the first change of an epoch only."""
        if self.begun:
            super().change(program)
        else:
            Adaptive.change(self, program)
        self.begun = False


class RandomAdaptive(RandomChange, Adaptive):
    """ALS with random changes."""


class RandomStory(RandomChange, SuccessStory):
    """SSA with random changes."""


class FlooredAdaptive(Floored, Adaptive):
    """ALS with a floor."""


class FlooredStory(Floored, SuccessStory):
    """SSA+ALS with a floor."""


ROWS = {
    "as_published": {"als": Adaptive, "ssa": SuccessStory},
    "method_1": {"als": Adaptive, "ssa": SuccessStory},
    "random": {"als": RandomAdaptive, "ssa": RandomStory},
    "per_epoch": {"ssa": EpochStory},
    "floor": {"als": FlooredAdaptive, "ssa": FlooredStory},
}


def population(language, config, streams):
    """Return the learners of all rows but method_1, and (row, column) for each."""
    learners, places = [], []
    for row, kinds in ROWS.items():
        for name, kind in kinds.items() if row != "method_1" else ():
            for rate in config.rates:
                learners.append(kind(language, rate))
                learners[-1].rng = np.random.default_rng(streams.spawn(1)[0])
                learners[-1].floor = config.floor
                places.append((row, f"{name}_{rate}"))
    return learners, places


def lives(language, maze, fields, limit, learners, config, progress):
    """Let learners live epoch by epoch, so that EpochStory knows; return their steps (S,)."""
    total = 0
    for listed in range(config.first_goals, config.goals + 1):
        one = replace(config, goals=listed, first_goals=listed, epochs_per_set=1)
        for epoch in range(config.epochs_per_set):
            progress(0.7 * listed / config.goals, f"{listed} goals, epoch {epoch}")
            for learner in learners:
                learner.begun = True
            steps, _ = live(language, maze, fields, limit, learners, one, lambda *_: None)
            total = total + steps.sum((0, 1))  # (S,)
    return total


def mirrored(maze):
    """Return the maze with left and right exchanged in what the instructions do."""
    world = copy.copy(maze)
    world.after = maze.after[:, [*MIRROR, 8]]
    world.cost = maze.cost[:, [*MIRROR, 8]]
    world.path = maze.path[:, MIRROR]
    return world


def after_the_turn(language, world, fields, limit, learners, config):
    """Return how learners who know another maze fare in this one with all goals, beside LS."""
    one = replace(config, first_goals=config.goals, method=2)
    stories = [learner for learner in learners if isinstance(learner, SuccessStory)]
    turn = [learner.time for learner in stories]
    stood = [len(learner.stack) for learner in stories]
    everyone = [*learners, Adaptive(language, 0.0)]  # the last never changes: it is plain LS
    steps, _ = live(language, world, fields, limit, everyone, one, lambda *_: None)
    als, ssa = steps.sum((0, 1))[:-1].reshape(2, -1)  # (rates,)
    table = {"ls": steps[:, :, -1].sum()}
    for k, rate in enumerate(config.rates):
        left = sum(then < turn[k] for then, _, _ in stories[k].stack)
        row = {"als": als[k], "ssa": ssa[k], "stood": stood[k], "left": left}
        table |= {f"{name}_{rate}": number for name, number in row.items()}
    return table


def large_maze(config, rng):
    """Return what LS pays for the hardest of two goals in a large maze, and the maze's size."""
    large = replace(config, size=config.large_size, goals=2, first_goals=1)
    maze, fields, cost = choose_goals(Language(large), large, rng)
    distance = maze.distances()[fields[-1]]
    return {"fields": maze.free.sum(), "ls_steps": cost[-1], "distance": distance}


def run(config, seed, progress):
    """Run all rows on one maze."""
    task, changes, large = np.random.SeedSequence(seed).spawn(3)
    language = Language(config)
    maze, fields, cost = choose_goals(language, config, np.random.default_rng(task))
    limit = config.limit_factor * cost  # (G,)
    learners, places = population(language, config, changes)
    total = lives(language, maze, fields, limit, learners, config, progress)  # (S,)
    table = {row: {} for row in ROWS}
    for (row, column), count in zip(places, total, strict=True):
        table[row][column] = count
    afresh = [kind(language, r) for kind in ROWS["method_1"].values() for r in config.rates]
    steps, _ = live(
        *(language, maze, fields, limit, afresh, replace(config, method=1)),
        lambda share, text: progress(0.7 + 0.1 * share, f"method 1, {text}"),
    )
    for name, counts in zip(("als", "ssa"), steps.sum((0, 1)).reshape(2, -1), strict=True):
        table["method_1"] |= {f"{name}_{r}": n for r, n in zip(config.rates, counts, strict=True)}
    progress(0.8, "the mirrored maze")
    known = learners[: 2 * len(config.rates)]  # those of the row as_published
    table["mirror"] = after_the_turn(language, mirrored(maze), fields, limit, known, config)
    progress(0.9, "the large maze")
    table["large_maze"] = large_maze(config, np.random.default_rng(large))
    repeats = config.epochs_per_set * np.arange(config.goals, 0, -1).clip(
        max=config.goals - config.first_goals + 1
    )  # (G,) in how many epochs each goal is listed
    return {"ls": {"steps": repeats @ cost}} | table


if __name__ == "__main__":
    ssa_bias_transfer_mazes.main(sys.modules[__name__])
