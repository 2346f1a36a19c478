# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""What surrounds the world model: what M knows, what else C could read, and longer searches.

1. Likelihood. Nats per frame that M loses on drives it has not seen: with their actions, with the
   actions of another drive, and beside a Gaussian around the present z. Then five Gaussians against
   one, both trained from scratch on the same drives for the same passes.
2. Inputs. C reads h alone, or z and the four z before it: as many numbers as h has.
3. Longer searches. V alone and V with a hidden layer get three times the generations.

V and M are those of the experiment with the same seed.

    python3 study_world_models_carracing.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import world_models_carracing
from world_models_carracing import (
    ARMS,
    BUILD,
    Arm,
    Memory,
    build,
    collect_scouts,
    evolve,
    examine,
    latents,
    mixture,
    mixture_loss,
    named_streams,
    part_of,
    remembered,
    summary,
    train_m,
)
import numpy as np


@dataclass(frozen=True)
class Config(world_models_carracing.Config):
    long_generations: Annotated[int, "generations of the longer searches", (1, 10**6)] = 360


QUICK = world_models_carracing.QUICK | {"long_generations": 4}
STREAMS = ("held_out", "noise", "five", "one", "five_lesson", "one_lesson", "long_tracks", "tracks")
STREAMS += ("h_alone", "stack", "long_v", "long_v_hidden")


# ---- 1: what M knows ----
def nats_per_frame(memory, z, actions, length):
    """Returns -log p of each next z of episodes z (N, T, Z), a mean over frames."""
    states = remembered(memory, z, actions)[:, 1:]  # (N, T - 1, H) what frame t + 1 is told from
    weight = (length[:, None] > np.arange(1, z.shape[1])).astype(np.float32)  # (N, T - 1)
    total = 0.0
    for k in range(len(z)):
        out = mixture(memory.m, states[k])  # (3, K, Z, T - 1)
        total += mixture_loss(out, z[k, 1:].T, weight[k])[0]
    return total / weight.sum()


def still_nats(train_z, train_length, z, length):
    """Returns the same for a Gaussian around the present z, as wide as the steps in training."""
    train_real = np.arange(1, train_z.shape[1]) < train_length[:, None]  # (N, T - 1)
    real = np.arange(1, z.shape[1]) < length[:, None]
    variance = (np.diff(train_z, axis=1)[train_real] ** 2).mean(0)  # (Z,)
    steps = np.diff(z, axis=1)[real]  # (frames, Z)
    return (0.5 * steps**2 / variance + 0.5 * np.log(2 * np.pi * variance)).sum(1).mean()


def twin(config, components, streams, name, lesson, progress):
    """Trains a fresh M with so many Gaussians on a lesson (mu, deviation, actions, length)."""
    memory = Memory(replace(config, components=components), streams[name])
    train_m(config, memory.m, *lesson, streams[f"{name}_lesson"], progress)
    return memory


def likelihood(config, world, nets, data, scouts, streams, progress):
    """Judges M and its rivals on noisy drives on the test tracks."""
    views, actions, length = collect_scouts(
        config, world, nets, scouts, world.test, streams["held_out"]
    )
    mu, deviation = latents(nets["eye"], views)  # (N, T, Z)
    z = mu + deviation * streams["noise"].standard_normal(mu.shape, np.float32)
    train_mu, train_deviation = latents(nets["eye"], data[0])
    lesson = train_mu, train_deviation, *data[1:]
    five = twin(config, config.components, streams, "five", lesson, part_of(progress, 0, 0.5))
    one = twin(config, 1, streams, "one", lesson, part_of(progress, 0.5, 1))
    noise = streams["noise"].standard_normal(train_mu.shape, np.float32)
    return {
        "m": nats_per_frame(nets["m"], z, actions, length),
        "other_actions": nats_per_frame(nets["m"], z, np.roll(actions, 1, 0), length),
        "still": still_nats(train_mu + train_deviation * noise, data[2], z, length),
        "five_gaussians": nats_per_frame(five, z, actions, length),
        "one_gaussian": nats_per_frame(one, z, actions, length),
    }


# ---- 2 and 3: other drivers ----
class StateAlone(Arm):
    """A controller that reads h and not z."""

    def features(self, nets, z, h):
        return nets[self.memory].read(h)

    def layers(self, config):
        return [(config.hidden_m + 1, 2)]


class FrameStack:
    """A memory that learns nothing: it holds the last z."""

    def step(self, z, action, h, c):
        return np.concatenate([z, h], 1)[:, : h.shape[1]], c

    def read(self, h):
        return h


OTHERS = {"h_alone": StateAlone("m"), "stack": Arm("stack")}
LONG = {"long_v": ARMS["v"], "long_v_hidden": ARMS["v_hidden"]}


def drivers(config, world, nets, arms, generations, streams, track_rng, progress):
    """Evolves some arms, and returns how they do on the test tracks."""

    def watch(generation, searches, results):
        means = ", ".join(f"{name} {result[0].mean():.0f}" for name, result in results.items())
        progress((generation + 1) / generations, f"generation {generation + 1}: {means}")

    searches = evolve(config, world, nets, arms, generations, streams, track_rng, watch)
    answers = {name: arm.weights(config, searches[name].answer[None]) for name, arm in arms.items()}
    results = examine(world, nets, arms, answers, world.test)
    return {name: summary(*result) for name, result in results.items()}


def run(config, seed, progress):
    """Builds V and M as the experiment does, judges M, and evolves other drivers."""
    world, nets, data, scouts = build(
        config, named_streams(BUILD, np.random.SeedSequence(seed)), part_of(progress, 0, 0.15)
    )
    streams = named_streams(STREAMS, np.random.SeedSequence([seed, 1]))
    table = {}
    part = part_of(progress, 0.15, 0.25)
    table["nats"] = likelihood(config, world, nets, data, scouts, streams, part)
    nets["stack"] = FrameStack()
    part = part_of(progress, 0.25, 0.45)
    tracks = streams["tracks"]
    table |= drivers(config, world, nets, OTHERS, config.generations, streams, tracks, part)
    part = part_of(progress, 0.45, 1)
    tracks = streams["long_tracks"]
    table |= drivers(config, world, nets, LONG, config.long_generations, streams, tracks, part)
    v, hidden = table["long_v"], table["long_v_hidden"]
    table["long"] = {
        "hidden_minus_v": hidden["score"] - v["score"],
        "v_sd_minus_hidden_sd": v["sd"] - hidden["sd"],
    }
    return table


if __name__ == "__main__":
    world_models_carracing.main(sys.modules[__name__])
