# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""What the model M is worth to the fovea, how the paper trained it, and where learning ends.

The rotation task, with the same starts for all: C learns through M, through the exact derivatives
of the scene in place of M, and through an M that never learned. Then the paper's own training,
plain gradient descent after each example and each trajectory. Then larger and smaller angles at
the start. Last, the net that learned translations follows a moving target, without more training.

    python3 study_saccadic_target_detection.py --seed 0
"""

import sys
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Annotated

import saccadic_target_detection
from saccadic_target_detection import TESTS, CentroidRule, Net, Scene, measure, misses
from saccadic_target_detection import prepare, train_controller, unexplained
import numpy as np


@dataclass(frozen=True)
class Config(saccadic_target_detection.Config):
    paper_examples: Annotated[int, "examples of M in the paper's training", (1, 10**7)] = 100_000
    paper_trajectories: Annotated[int, "trajectories of C in it", (1, 10**7)] = 20_000
    paper_rate: Annotated[float, "both learning rates in it", (1e-6, 10.0)] = 0.1
    angles: Annotated[tuple[float, ...], "start angles, in degrees", (0.0, 180.0)] = (30.0, 90.0)
    speed: Annotated[float, "px that a moving target moves in a step", (0.0, 20.0)] = 3.0
    tracked: Annotated[int, "steps that it is followed for", (1, 1000)] = 30


QUICK = saccadic_target_detection.QUICK | {"paper_examples": 200, "paper_trajectories": 100}


# ---- exact derivatives of the scene, in place of M ----
class WatchedScene(Scene):
    """A scene that keeps the poses of a trajectory, for its derivatives."""

    def reset(self, rng, count):
        x = super().reset(rng, count)
        self.poses = [self.pose]
        return x

    def step(self, c):
        x = super().step(c)
        self.poses.append(self.pose)
        return x


WIDTH = np.array([3.0, 3.0, np.radians(3.0)])  # of the differences: px, px, radians


def slopes(scene, pose, width=WIDTH):
    """Return central differences of the inputs by the pose, (B, 3, F)."""
    aside = np.diag(width)[:, None]  # (3, 1, 3)
    poses = np.stack([pose + aside, pose - aside])  # (2, 3, B, 3)
    above, below = scene.look(poses.reshape(-1, 3)).reshape(2, 3, len(pose), -1)
    slope = (above - below) / (2 * width[:, None, None])  # (3, B, F)
    return slope.transpose(1, 0, 2).astype(np.float32)


def through_scene(controller, scene, trajectory, desired, credited):
    """Return the gradient of the error by the weights of C, with the scene's own derivatives.

    It is that of through_time, with p, the derivative by the pose (B, 3), in place of g.
    """
    xs, hs, cs = trajectory
    g = (xs[-1] - desired) / len(xs[-1])  # (B, F)
    p = (slopes(scene, scene.poses[-1]) @ g[..., None])[..., 0]
    gradient = np.zeros_like(controller.theta)
    for t in reversed(range(len(cs) - credited, len(cs))):
        pose = scene.poses[t]
        cos, sin = np.cos(pose[:, 2]), np.sin(pose[:, 2])  # (B,)
        own = np.stack([cos * p[:, 0] + sin * p[:, 1], cos * p[:, 1] - sin * p[:, 0], p[:, 2]])
        gc = (scene.effects @ own).T.astype(cs[t].dtype)  # (B, outputs)
        dz_h, dz_c, gx = controller.backward(hs[t], cs[t], gc)
        gradient += controller.gradient(xs[t], hs[t], dz_h, dz_c)
        right, up, _ = (cs[t] @ scene.effects).T
        p = p + (slopes(scene, pose) @ gx[..., None])[..., 0]
        p[:, 2] += own[1] * right - own[0] * up  # the heading turns the move itself
    return gradient


# ---- the paper's own training ----
class PlainDescent:
    """Gradient descent without any memory of former gradients."""

    def __init__(self, net, rate):
        self.net = net
        self.rate = rate

    def descend(self, gradient):
        """Change the weights of the net in place."""
        self.net.theta -= self.rate * gradient


def papers(config):
    """Return the settings of the paper: a change of the weights after each example."""
    changes = {"batch": 1, "passes": 1, "rate_m": config.paper_rate, "rate_c": config.paper_rate}
    sizes = {"examples": config.paper_examples, "trajectories": config.paper_trajectories}
    return replace(config, **changes, **sizes)


# ---- a target that moves ----
class MovingScene(Scene):
    """A scene whose target moves on, each in a direction of its own, before each step."""

    def send(self, rng, count, speed):
        """Draw the directions; poses are relative to the target, so they change by this (B, 3)."""
        direction = rng.uniform(-np.pi, np.pi, count)
        apart = -speed * np.stack([np.cos(direction), np.sin(direction), 0 * direction], axis=1)
        self.apart = apart

    def step(self, c):
        self.pose = self.pose + self.apart
        return super().step(c)


LAST = 20  # steps whose distances count


def track(controller, scene, starts, steps):
    """Return the distance (px) from a moving target, the mean over the last steps."""
    x = scene.place(starts)
    distances = []
    for _ in range(steps):
        _, c = controller.forward(x)
        x = scene.step(c)
        distances.append(misses(scene)[0].mean())
    return np.mean(distances[-LAST:])


def follow(config, seed, progress):
    """Learn translations, then follow a moving target; return the metrics of C and of the rule."""
    init_rng, model_rng, train_rng, start_rng, way_rng = map(np.random.default_rng, seed.spawn(5))
    scene = Scene(config, turning=False)
    model, controller = prepare(scene, config, init_rng, model_rng, progress)
    train_controller(controller, model, scene, train_rng, config, progress)
    starts = scene.draw(start_rng, TESTS)
    moving = MovingScene(config, turning=False)
    moving.send(way_rng, len(starts), config.speed)
    return {
        "mean_distance": track(controller, moving, starts, config.tracked),
        "rule_mean_distance": track(CentroidRule(scene), moving, starts, config.tracked),
    }


# ---- the study ----
def attempt(fresh, model, scene, rng, starts, config, progress, **how):
    """Train a copy of a fresh C; return its metrics from these poses."""
    controller = deepcopy(fresh)
    train_controller(controller, model, scene, rng, config, progress, **how)
    return measure(controller, scene, starts, config.moves)


def compare(config, seed, progress):
    """Train the same C through M, through the scene, and through an M that never learned."""
    init, learn, start, *train = map(np.random.default_rng, seed.spawn(6))
    scene = WatchedScene(config, turning=True)
    model, fresh = prepare(scene, config, init, learn, progress)
    ignorant = Net(init, *model.sizes)
    starts = scene.draw(start, TESTS)
    given = starts, config, progress
    return {
        "with_m": attempt(fresh, model, scene, train[0], *given),
        "exact": attempt(fresh, scene, scene, train[1], *given, derive=through_scene),
        "untrained": attempt(fresh, ignorant, scene, train[2], *given),
    }


def as_in_the_paper(config, seed, progress):
    """Train M and C as the paper does; return the metrics of C, and how wrong M is."""
    init, learn, test, start, train = map(np.random.default_rng, seed.spawn(5))
    config = papers(config)
    scene = Scene(config, turning=True)
    model, fresh = prepare(scene, config, init, learn, progress, rule=PlainDescent)
    starts = scene.draw(start, TESTS)
    row = attempt(fresh, model, scene, train, starts, config, progress, rule=PlainDescent)
    return row | {"unexplained": unexplained(model, scene, test)}


def widen(config, seed, progress):
    """Learn from other ranges of start angles; return the share of successes for each."""
    successes = []
    for angle, child in zip(config.angles, seed.spawn(len(config.angles))):
        init, learn, start, train = map(np.random.default_rng, child.spawn(4))
        scene = Scene(replace(config, start_angle=angle), turning=True)
        model, fresh = prepare(scene, config, init, learn, progress)
        starts = scene.draw(start, TESTS)
        row = attempt(fresh, model, scene, train, starts, config, progress)
        successes.append(row["success"])
    return {"degrees": list(config.angles), "success": successes}


def run(config, seed, progress):
    """Run all parts of the study, each with random numbers of its own."""
    seeds = np.random.SeedSequence(seed).spawn(4)
    rows = compare(config, seeds[0], progress)
    return {
        "exact_gap": rows["exact"]["success"] - rows["with_m"]["success"],
        **rows,
        "paper": as_in_the_paper(config, seeds[1], progress),
        "angles": widen(config, seeds[2], progress),
        "tracking": follow(config, seeds[3], progress),
    }


if __name__ == "__main__":
    saccadic_target_detection.main(sys.modules[__name__])
