# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around HQ-learning: other chains, other mazes, and the rule without its parts.

agents_3 to agents_12     the maze of the experiment, walked by shorter and longer chains
second_maze               another maze with the same properties, six agents
key                       the paper's second task: fetch a key, which opens a door; four agents
zigzag                    a corridor of 29 fields that needs exactly five agents
undiscounted              the maze again, where what an agent earns is not discounted
fixed_sub_goals           the maze again, with random sub-goals, drawn once and never learned

python3 study_hq_learning_pomdp.py --seed 0      # about two minutes
python3 study_hq_learning_pomdp.py --quick       # proves that the code runs
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import hq_learning_pomdp
from hq_learning_pomdp import MOVES, ROWS, VIEWS, Maze, System, summary, train_all
import numpy as np


@dataclass(frozen=True)
class Config:
    simulations: Annotated[int, "of agents_12 and of key", (1, 1000)] = 8
    side_simulations: Annotated[int, "of each other row", (1, 1000)] = 2
    trials: Annotated[int, "training trials of a system", (1, 10**7)] = 20_000
    steps: Annotated[int, "steps of a trial at most", (1, 10**6)] = 1000


QUICK = {"simulations": 2, "side_simulations": 2, "trials": 200, "steps": 200}

SECOND_ROWS = (
    ".S.#######",
    ".....#G.##",
    ".#...#...#",
    "...#####.#",
    "#.###.....",
    "..###.....",
    ".###.....#",
    "...#.##.##",
    "......#...",
    "#.....#...",
)
ZIGZAG_ROWS = (
    "S#...#...",
    ".#.#.#.#.",
    ".#.#.#.#.",
    ".#.#.#.#.",
    "...#...#G",
)
KEY_ROWS = (
    "S###########......DG",
    ".###########.##.####",
    ".#####.......##.####",
    ".#####.##.#####.####",
    ".#.....##.#####.####",
    ".#.######.##########",
    ".....####.##########",
    "####.###############",
    "####.....###########",
    "######.#.###########",
    "######.#.###########",
    "######.#......######",
    "##########.##.######",
    "##########.##....###",
    "##########.#####.###",
    "################...K",
)


# ---- the task with a key (K) and a door (D) ----
class KeyMaze(Maze):
    """A maze whose door is a wall, to eye and foot, until the key's field was visited.

    Fields are doubled: field f with the key in hand has the number F + f.
    """

    cost = 0.1

    def __init__(self, rows):
        super().__init__(rows)
        fields = len(self.view)
        kinds = np.array([rows[y][x] for y, x in self.places])  # (F,)
        key, door = np.flatnonzero(kinds == "K")[0], np.flatnonzero(kinds == "D")[0]
        shut = self.after == door  # (F, 4) moves into the door, from elsewhere
        shut[door] = False
        without = np.where(shut, np.arange(fields)[:, None], self.after)  # (F, 4)
        without[without == key] = fields + key
        walls = np.array([wall for _, _, wall in MOVES])  # (4,)
        self.view = np.concatenate([self.view + shut @ walls, self.view])  # (2 F,)
        self.after = np.concatenate([without, fields + self.after])  # (2 F, 4)
        self.places = np.tile(self.places, (2, 1))  # (2 F, 2)
        self.goal += fields


# ---- the controls ----
class Undiscounted(System):
    """Agents whose sub-goals are paid all that was earned under them, undiscounted."""

    def own_return(self, steps, final):
        return final - self.maze.cost * (steps - 1)


class FixedSubGoals(System):
    """Agents whose sub-goals have random values that nothing changes."""

    def __init__(self, maze, config, rng):
        super().__init__(maze, config, rng)
        seen = np.isin(np.arange(VIEWS), maze.view)  # (VIEWS,) views that the maze has
        self.hq = [(seen * rng.random(VIEWS)).tolist() for _ in self.hq]

    def learn_sub_goals(self, begins, wanted, end, final):
        """Learn nothing."""


# ---- the study ----
def rows_of(config):
    """Return what is trained: {row: (maze, settings, kind of system)}."""
    maze = Maze(ROWS)
    six = hq_learning_pomdp.Config(
        simulations=config.side_simulations, trials=config.trials, steps=config.steps
    )
    twelve = replace(six, agents=12, simulations=config.simulations)
    key = replace(twelve, agents=4, reward=500.0, rate_hq=0.01)
    return {
        "agents_3": (maze, replace(six, agents=3), System),
        "agents_4": (maze, replace(six, agents=4), System),
        "agents_8": (maze, replace(six, agents=8), System),
        "agents_12": (maze, twelve, System),
        "second_maze": (Maze(SECOND_ROWS), six, System),
        "key": (KeyMaze(KEY_ROWS), key, System),
        "zigzag": (Maze(ZIGZAG_ROWS), replace(six, agents=5), System),
        "undiscounted": (maze, six, Undiscounted),
        "fixed_sub_goals": (maze, six, FixedSubGoals),
    }


def run(config, seed, progress):
    """Train the systems of one row after the other."""
    rows = rows_of(config)
    seeds = np.random.SeedSequence(seed).spawn(len(rows))  # one for each row
    table = {}
    for (name, (maze, settings, kind)), row_seed in zip(rows.items(), seeds):

        def note(share, text, name=name):
            progress((len(table) + share) / len(rows), f"{name}: {text}")

        tests, speed = train_all(maze, settings, row_seed, note, kind)
        table[name] = summary(tests, maze, settings) | {"steps_per_second": speed}
        table[name]["steps_each"] = tests[:, -1, 0].tolist()
    return table


if __name__ == "__main__":
    hq_learning_pomdp.main(sys.modules[__name__])
