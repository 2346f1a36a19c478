# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "ale-py==0.12.1"]
# ///
"""What the clones of resu_pong.py are worth in play, and what their features and spectra tell.

With the same seed, data and clones are those of resu_pong.py itself. Rows of the table:
    units      layer 2 on scenes: each direction's correlation and DSI, moving and still
    spectrum   correlations of layer 1 on Pong, against chance and without centring; of a layer 2
    r2         what a ridge regression reads of the ball from each set of features
    play       points won less points lost per 10,000 raw frames, each player on the same games
    accuracy   of the end-to-end rival, a small convolutional net
    mini       the same cloning on the numpy mini-Pong

    python3 study_resu_pong.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import resu_pong
from resu_pong import BALL_X, BALL_Y, LOST, SIDE, SKIP, WON, Mlp, part_of, pooled, standardise
import numpy as np


@dataclass(frozen=True)
class Config(resu_pong.Config):
    players: Annotated[int, "play: emulators of each player", (2, 1000)] = 16
    play_steps: Annotated[int, "play: agent steps in each", (10, 10**6)] = 1500
    ridges: Annotated[tuple[float, ...], "probes: ridges to choose from", (1e-9, 1e9)] = (
        1.0,
        10.0,
        100.0,
        1e3,
        1e4,
    )
    nulls: Annotated[int, "spectrum: pairings of unrelated runs", (1, 1000)] = 5
    samples: Annotated[int, "spectrum: samples that fit Pong's layer 2", (1000, 10**7)] = 60_000
    cnn_epochs: Annotated[int, "passes of the convolutional net", (1, 1000)] = 4


QUICK = resu_pong.QUICK | {
    "players": 2,
    "play_steps": 30,
    "ridges": (10.0,),
    "nulls": 2,
    "samples": 3000,
    "cnn_epochs": 1,
}


# ---- layer 2 on scenes, unit by unit ----
WIDTHS = (5.0, 10.0, 20.0, 40.0)  # of the edge, samples


def units(config, seed, edge_seed, progress):
    """Return each direction's correlation and the DSI of the better of its two units."""
    _, (fits, moving, still) = resu_pong.see_scenes(config, seed, progress)
    psi = fits[resu_pong.LITTLE][1]
    rngs = [np.random.default_rng(child) for child in edge_seed.spawn(len(WIDTHS))]
    views = [resu_pong.edges(rng, width) for rng, width in zip(rngs, WIDTHS)]
    usual = views[WIDTHS.index(resu_pong.EDGE_WIDTH)]  # (contrasts, ways, 3, T)
    table = {"widths": list(WIDTHS)}
    for name, layer in (("moving", moving), ("still", still)):
        table[f"{name}_sigma"] = layer.sigma.tolist()
        table[f"{name}_dsi"] = by_direction(usual, psi, layer).tolist()
        table[f"{name}_bright_dsi"] = by_direction(usual[:1], psi, layer).tolist()
        best = [by_direction(edge, psi, layer).max() for edge in views]
        table[f"{name}_dsi_by_width"] = best
    return {"units": table}


def by_direction(views, psi, layer):
    """Return the larger DSI of the two units of each direction, (6,)."""
    return resu_pong.selectivity(resu_pong.respond(views, psi, layer)).reshape(2, 6).max(0)


# ---- spectra on Pong ----
def spectrum(config, taught, rng, progress):
    """Compare the correlations of layer 1 with those of unrelated runs and without centring."""
    x, steps = taught.lesson.x, config.steps
    fresh = taught.data.fresh[: len(taught.lesson.parts[0]) // steps]  # (training runs, T)
    starts = resu_pong.windows_of(fresh, config.taps + config.horizon)  # (n,)
    raw, _, _ = resu_pong.correlate(config, x + taught.lesson.mean, starts, starts)
    nulls = []  # the largest correlations of the past of a run with the future of another
    for k in range(config.nulls):
        progress(k / config.nulls, "unrelated runs")
        later = np.roll(starts, rng.integers(steps, len(starts) - steps))
        nulls.append(resu_pong.correlate(config, x, starts, later)[0][0])
    return {
        "spectrum": {
            "sigma": taught.sigma.tolist(),
            "uncentred_sigma": raw.tolist(),
            "null": max(nulls),
            "sigma_2_over_null": taught.sigma[1] / max(nulls),
            "layer_2_no_gap_sigma_8": layer_2(config, taught, 0, rng)[7],
            "layer_2_gap_sigma_8": layer_2(config, taught, config.taps - 1, rng)[7],
        }
    }


ACTIVE = 0.02  # a pixel counts as active beyond this, in full scale
AROUND = np.array([SIDE * row + column for row in (-1, 0, 1) for column in (-1, 0, 1)])  # (9,)


def layer_2(config, taught, gap, rng):
    """Correlate 3x3 neighbourhoods of layer-1 maps with the same 1 + gap steps later.

    With gap = taps - 1 the two share no raw frame; with gap 0 they share all but one.
    """
    lesson, filters = taught.lesson, taught.banks["resu"].astype(np.float32)
    trained = len(lesson.parts[0])
    starts = resu_pong.windows_of(taught.data.fresh[: trained // config.steps], gap + 2)
    inner = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)[1:-1, 1:-1].ravel()  # pixels off the rim
    active = np.argwhere(np.abs(lesson.x[np.ix_(starts, inner)]) > ACTIVE)  # (n, 2)
    chosen = rng.choice(active, min(config.samples, len(active)), replace=False)
    step, around = starts[chosen[:, 0]], inner[chosen[:, 1]][:, None] + AROUND  # (n,), (n, 9)

    def outputs(at):
        windows = lesson.x[lesson.past[at][:, :, None], around[:, None]]  # (n, m, 9)
        z = filters @ windows  # (n, k, 9)
        both = np.concatenate([np.maximum(z, 0), np.maximum(-z, 0)], 1).reshape(len(at), -1)
        return (both - both.mean(0)).astype(float)  # (n, 18 k)

    past, future = outputs(step), outputs(step + 1 + gap)
    return resu_pong.canonical(past.T @ past, future.T @ future, future.T @ past)[0]


# ---- probes ----
def ball(data):
    """Return x, y, vx, vy of the ball (R T, 4) and the steps at which all are known (R T,)."""
    before = np.concatenate([data.state[:, :1], data.state[:, :-1]], 1)  # (R, T, 6)
    v, sure = resu_pong.motion(data.state, before)
    targets = np.concatenate([data.state[..., [BALL_X, BALL_Y]], v], -1)  # (R, T, 4)
    return targets.reshape(-1, 4).astype(np.float32), (sure & ~data.fresh).ravel()


def ridge_probe(x, y, known, parts, ridges):
    """Fit x (N, D) -> y (N, 4) by ridge regression, the ridge chosen on validation.

    Returns R^2 (4,) on the test, and weights (D, 4) and offset (4,) for standardised x.
    """
    (a, ya), (b, yb), (c, yc) = ((x[part[known[part]]], y[part[known[part]]]) for part in parts)
    offset = ya.mean(0)  # (4,)
    gram = (a.T @ a).astype(float)  # (D, D)
    cross = (a.T @ (ya - offset)).astype(float)  # (D, 4)
    weights = [np.linalg.solve(gram + ridge * np.eye(len(gram)), cross) for ridge in ridges]

    def r2(z, target, w):
        error = ((z @ w + offset - target) ** 2).sum(0)
        return 1 - error / ((target - target.mean(0)) ** 2).sum(0)

    best = np.argmax([r2(b, yb, w) for w in weights], 0)  # (4,)
    chosen = np.stack([weights[k][:, i] for i, k in enumerate(best)], 1)  # (D, 4)
    return r2(c, yc, chosen), chosen, offset


def probes(config, taught, progress):
    """Probe the features of every clone; random filters by the mean of their draws."""
    targets, known = ball(taught.data)
    found = {}
    for name, clone in taught.clones.items():
        progress(len(found) / len(taught.clones), name)
        x = resu_pong.features(taught.lesson, clone.filters)
        x = standardise(x, clone.shift, clone.scale)
        found[name] = ridge_probe(x, targets, known, taught.lesson.parts, config.ridges)[0]
    names = ("x", "y", "vx", "vy")
    return {f"r2_{name}": dict(zip(names, values)) for name, values in pooled(found).items()}


# ---- the end-to-end rival: a convolutional net on four frames ----
def patches(x, size):
    """Return patches (N, h, w, size * size * channels), two apart, of (N, H, W, channels)."""
    w = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))[:, ::2, ::2]
    return w.transpose(0, 1, 2, 4, 5, 3).reshape(*w.shape[:3], -1)


class Cnn(Mlp):
    """Convolutions 5x5 of 16 and 3x3 of 32 maps, both with stride 2, then 2048-128-3."""

    first_rate = 2e-3

    def __init__(self, rng):
        first = Mlp((5 * 5 * 4, 16), rng).params
        second = Mlp((3 * 3 * 16, 32), rng).params
        self.params = first + second + Mlp((8 * 8 * 32, 128, 3), rng).params

    def dense(self):
        """Return the two upper layers as a net of their own."""
        net = Mlp((), None)
        net.params = self.params[4:]
        return net

    def convolve(self, x):
        """Return what the dense layers see: (N, 40, 40, 4) -> (N, 2048)."""
        w1, b1, w2, b2 = self.params[:4]
        self.p1 = patches(x, 5)  # (N, 18, 18, 100)
        self.a1 = np.maximum(self.p1 @ w1 + b1, 0)  # (N, 18, 18, 16)
        self.p2 = patches(self.a1, 3)  # (N, 8, 8, 144)
        self.a2 = np.maximum(self.p2 @ w2 + b2, 0)  # (N, 8, 8, 32)
        return self.a2.reshape(len(x), -1)

    def logits(self, x):
        """Return what is highest for the action chosen, (N, 3)."""
        return self.dense().logits(self.convolve(x))

    def gradient(self, x, label):
        """Return the gradient of the mean cross-entropy, like params."""
        dense = self.dense()
        above = dense.gradient(self.convolve(x), label)
        d2 = dense.dx.reshape(self.a2.shape) * (self.a2 > 0)  # (N, 8, 8, 32)
        d_patch = (d2 @ self.params[2].T).reshape(*d2.shape[:3], 3, 3, -1)
        d1 = np.zeros_like(self.a1)  # (N, 18, 18, 16)
        for i in range(3):  # each pixel collects from all the patches that it was in
            for j in range(3):
                d1[:, i : i + 15 : 2, j : j + 15 : 2] += d_patch[:, :, :, i, j]
        d1 *= self.a1 > 0
        return [*self.flat(self.p1, d1), *self.flat(self.p2, d2), *above]

    def flat(self, p, d):
        """Return the gradients of a convolution's weights and biases."""
        p, d = p.reshape(-1, p.shape[-1]), d.reshape(-1, d.shape[-1])
        return p.T @ d, d.sum(0)


class Images:
    """The last four frames of steps, as images: images[steps] is (n, 40, 40, 4)."""

    def __init__(self, lesson):
        self.x, self.past = lesson.x, lesson.past[:, :4]
        self.scale = lesson.x[lesson.parts[0]].std()

    def __getitem__(self, steps):
        return self.stack(self.x[self.past[steps]])

    def stack(self, windows):
        """Turn windows (n, 4, 1600) into images."""
        return (windows / self.scale).transpose(0, 2, 1).reshape(len(windows), SIDE, SIDE, -1)


def learn_cnn(config, lesson, seed, progress):
    """Train the rival as the heads are trained: returns it with its images and accuracy."""
    start_rng, order_rng = map(np.random.default_rng, seed.spawn(2))
    net, images = Cnn(start_rng), Images(lesson)
    orders = [order_rng.permutation(lesson.parts[0]) for _ in range(config.cnn_epochs)]
    resu_pong.tune(net, images, lesson.label, lesson.parts, config.decays, orders, progress)
    return net, images, resu_pong.share_right(net, images, lesson.label, lesson.parts[2])


# ---- play ----
class Memory:
    """The last m frames of B games, newest first; a new game's first frame fills it."""

    def __init__(self, m, mean):
        self.m, self.mean, self.ring = m, mean, None

    def push(self, world):
        """Take in a world's frames and return the windows (B, m, 1600)."""
        x = world.frames / np.float32(255) - self.mean  # (B, 1600)
        if self.ring is None:
            self.ring = np.repeat(x[:, None], self.m, 1)
        self.ring[:, 1:] = self.ring[:, :-1].copy()
        self.ring[:, 0] = x
        self.ring[world.fresh] = x[world.fresh][:, None]
        return self.ring


def clone_policy(clone, mean):
    """Return the policy of a clone: world -> actions (B,)."""
    filters = clone.filters.astype(np.float32)
    memory = Memory(filters.shape[1], mean)

    def act(world):
        x = standardise(resu_pong.encode(memory.push(world), filters), clone.shift, clone.scale)
        return clone.net.logits(x).argmax(1)

    return act


def cnn_policy(net, images, mean):
    """Return the policy of the convolutional net."""
    memory = Memory(4, mean)
    return lambda world: net.logits(images.stack(memory.push(world))).argmax(1)


def expert_policy():
    """Return the policy of the expert, which forgets the last game."""
    last = []

    def act(world):
        before = last.pop() if last else world.state
        before = np.where(world.fresh[:, None], world.state, before)
        last.append(world.state)
        return resu_pong.expert(world.state, before, world.dead_zone)

    return act


def play(world, policy, steps, progress):
    """Return points won less points lost per 10,000 raw frames, of each game (B,)."""
    points = np.zeros(len(world.frames), int)
    for step in range(steps):
        lead = world.state[:, WON] - world.state[:, LOST]
        world.step(policy(world))
        gained = world.state[:, WON] - world.state[:, LOST] - lead
        points += np.where(world.fresh, np.sign(lead), gained)  # the leader makes the last point
        progress((step + 1) / steps, "play")
    return points * 10_000 / (steps * SKIP)


def tournament(config, taught, rival, seed, progress):
    """Let every player play the same games; random filters by the mean of their draws."""
    world_seed, random_seed = seed.spawn(2)
    start = int(world_seed.generate_state(1)[0])
    dice = np.random.default_rng(random_seed)
    mean = taught.lesson.mean
    policies = {"expert": expert_policy(), "cnn": cnn_policy(*rival, mean)}
    policies["chance"] = lambda world: dice.integers(0, 3, len(world.frames))
    policies |= {name: clone_policy(clone, mean) for name, clone in taught.clones.items()}
    scores = {}
    for name, policy in policies.items():
        world = resu_pong.make_world(config, config.players, np.random.default_rng(start))
        report = part_of(progress, *(np.arange(2) + len(scores)) / len(policies), name)
        scores[name] = play(world, policy, config.play_steps, report).mean()
    return {"play": pooled(scores)}


# ---- the study ----
def run(config, seed, progress):
    """Take the clones of resu_pong.py apart, let them play, and repeat the cloning on mini-Pong."""
    scene_seed, pong_seed = np.random.SeedSequence(seed).spawn(2)  # the run's own
    own = np.random.SeedSequence((seed, 1))
    edge_seed, null_seed, cnn_seed, play_seed, mini_seed = own.spawn(5)
    resu_pong.banner(config)
    table = units(config, scene_seed, edge_seed, part_of(progress, 0, 0.02, "scenes"))
    taught = resu_pong.teach(config, pong_seed, part_of(progress, 0.02, 0.3, "cloning"))
    report = part_of(progress, 0.3, 0.35, "spectra")
    table |= spectrum(config, taught, np.random.default_rng(null_seed), report)
    table |= probes(config, taught, part_of(progress, 0.35, 0.4, "probes"))
    report = part_of(progress, 0.4, 0.55, "convolutional net")
    *rival, accuracy = learn_cnn(config, taught.lesson, cnn_seed, report)
    report = part_of(progress, 0.55, 0.85, "play")
    table |= tournament(config, taught, rival, play_seed, report)
    small = replace(config, env="mini")
    again = resu_pong.teach(small, mini_seed, part_of(progress, 0.85, 1, "mini-Pong"))
    mini = resu_pong.accuracies(again.lesson, again.clones)["accuracy"]
    right = resu_pong.accuracies(taught.lesson, taught.clones)["accuracy"]
    return table | {"accuracy": right | {"cnn": accuracy}, "mini": mini}


if __name__ == "__main__":
    resu_pong.main(sys.modules[__name__])
