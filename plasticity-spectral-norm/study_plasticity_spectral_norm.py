# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Eight kinds of nets in both parts: which keep learning, and has that to do with dead units?

Beside ReLU and spectral normalisation: leaky ReLU, Mish, LayerNorm and RMSNorm before the ReLU,
ReDo (Sokar et al., ICML 2023), which redraws dormant units every 100 updates, and a spectral net
with one trainable gain per layer. All are drawn, taught and tested as in the experiment.
Part A: accuracy over the tasks, the last hidden layer at the end, and what a reset costs ReDo.
Part B: success on unseen levels, its order beside the source's, and whether a copy of the encoder,
taken after each phase, can still be taught one labelling of frames as well as a fresh net.

    python3 study_plasticity_spectral_norm.py --seed 0
"""

import sys
from dataclasses import dataclass
from typing import Annotated

import plasticity_spectral_norm
from plasticity_spectral_norm import (
    FILMED,
    ReLUNet,
    SpectralNet,
    accuracy,
    draw_lessons,
    draw_season,
    film,
    learn_game,
    learn_task,
    make_levels,
    memorise,
    memoriser,
    orthogonal,
    player,
    retained,
    share_of,
)
import numpy as np


@dataclass(frozen=True)
class Config(plasticity_spectral_norm.Config):
    dormant: Annotated[float, "ReDo: a unit's share of the mean activation", (0.0, 1.0)] = 0.025
    redo_every: Annotated[int, "ReDo: updates between two resets", (1, 10**6)] = 100


QUICK = plasticity_spectral_norm.QUICK | {
    "tasks": 4,
    "iterations": 2,
    "test_levels": 20,
    "redo_every": 3,
}


# ---- the kinds of nets ----
class LeakyNet(ReLUNet):
    """Units that pass 1 % of what is negative."""

    def activate(self, n, z):
        return np.maximum(z, 0.01 * z)

    def activate_back(self, n, z, dh):
        return np.where(z > 0, dh, 0.01 * dh)


class MishNet(ReLUNet):
    """h = z tanh(softplus z), in its rational form: m = e^z (e^z + 2), h = z m / (m + 2)."""

    def shape(self, z):
        """Return t = tanh(softplus z) and e^z; beyond z = 20 nothing changes any more."""
        e = np.exp(np.minimum(z, 20))
        m = e * (e + 2)
        return m / (m + 2), e

    def activate(self, n, z):
        return z * self.shape(z)[0]

    def activate_back(self, n, z, dh):
        t, e = self.shape(z)
        return dh * (t + z * (1 - t * t) * e / (1 + e))


class RMSNormNet(ReLUNet):
    """ReLU of y = g z / rms + c, where rms is taken over the units of a layer, and c is 0."""

    def extras(self, hidden_size):
        """g of both layers."""
        return [np.ones(hidden_size)] * 2

    def shift(self, n):
        """Return c, which LayerNorm has."""
        return 0

    def normal(self, n, z):
        """Return zhat (N, H), rms (N, 1), and y (N, H)."""
        rms = np.sqrt((z * z).mean(1, keepdims=True) + 1e-5)
        zhat = z / rms
        return zhat, rms, zhat * self.parts[6 + n] + self.shift(n)

    def activate(self, n, z):
        return np.maximum(self.normal(n, z)[2], 0)

    def activate_back(self, n, z, dh):
        zhat, rms, y = self.normal(n, z)
        dy = dh * (y > 0)
        self.slopes[6 + n][:] = (dy * zhat).sum(0)
        dn = dy * self.parts[6 + n]  # (N, H)
        return (dn - zhat * (dn * zhat).mean(1, keepdims=True)) / rms


class LayerNormNet(RMSNormNet):
    """The same with z - mean z in place of z, and a trainable shift c."""

    def extras(self, hidden_size):
        """g of both layers, then c of both."""
        return [*super().extras(hidden_size), np.zeros(hidden_size), np.zeros(hidden_size)]

    def shift(self, n):
        return self.parts[8 + n]

    def normal(self, n, z):
        return super().normal(n, z - z.mean(1, keepdims=True))

    def activate_back(self, n, z, dh):
        self.slopes[8 + n][:] = (dh * (self.normal(n, z)[2] > 0)).sum(0)
        dz = super().activate_back(n, z, dh)
        return dz - dz.mean(1, keepdims=True)


class GainNet(SpectralNet):
    """A spectral net whose layers multiply W / sigma by a trainable a, sqrt 2 at the start."""

    def extras(self, hidden_size):
        """a of both layers."""
        return [np.full(1, 2**0.5)] * 2

    def weights(self, n):
        return self.parts[6 + n] * super().weights(n)

    def weights_back(self, n, d_weights):
        self.slopes[6 + n][:] = np.vdot(d_weights, super().weights(n))
        super().weights_back(n, self.parts[6 + n] * d_weights)


class ReDoNet(ReLUNet):
    """A ReLU net that redraws its dormant units now and then.

    A unit is dormant if its mean activation on the last batch is at most `dormant` times that of
    its layer. Then its incoming weights are drawn anew, its bias and its outgoing weights are set
    to zero, and so are Adam's moments of all these.
    """

    dormant, redo_every = 0.025, 100

    def __init__(self, rng, hidden_size, heads, kind=np.float32):
        super().__init__(rng, hidden_size, heads, kind)
        self.rng = rng
        self.resets = []  # (update, units redrawn)

    def forward(self, x):
        result = super().forward(x)
        self.seen = result[1]  # the inputs of the three layers
        return result

    def descend(self, learning_rate):
        super().descend(learning_rate)
        if self.updates % self.redo_every == 0:
            count = sum(self.recycle(n) for n in (1, 0))
            self.resets.append((self.updates, count))

    def recycle(self, n):
        """Redraw the dormant units of hidden layer n; returns how many."""
        activity = np.abs(self.seen[n + 1]).mean(0)  # (H,)
        old = activity <= self.dormant * activity.mean()
        W = self.parts[2 * n]
        fresh = orthogonal(self.rng, *W.shape, 2**0.5)
        W[:, old] = fresh[:, old]
        for vector in (self.theta, self.m, self.v):
            parts = self.views(vector)
            if vector is not self.theta:
                parts[2 * n][:, old] = 0
            parts[2 * n + 1][old] = 0
            parts[2 * n + 2][old] = 0  # outgoing rows
        return int(old.sum())


def kinds(config):
    """Return every kind of net by its name."""
    redo = {"dormant": config.dormant, "redo_every": config.redo_every}
    return {
        "relu": ReLUNet,
        "leaky": LeakyNet,
        "mish": MishNet,
        "layernorm": LayerNormNet,
        "rmsnorm": RMSNormNet,
        "redo": type("ReDoNet", (ReDoNet,), redo),
        "sn": SpectralNet,
        "sn_gain": GainNet,
    }


# ---- part A ----
NEAR = 10  # batches on either side of a reset


def saw_tooth(resets, online, per_task):
    """Return the mean fall of the batches' accuracy from before to after a reset, None without one.

    Resets without a dormant unit and those near either end of a task do not count.
    """
    falls = []
    for update, units in resets:
        place = update % per_task
        if units and NEAR <= place <= per_task - NEAR:
            before, after = online[update - NEAR : update], online[update : update + NEAR]
            falls.append(np.mean(before) - np.mean(after))
    return np.mean(falls) if falls else None


def overtaken(low, high):
    """Return the task from which on `low` stays above `high`, None if it ends below."""
    ahead = np.array(low) > np.array(high)  # (tasks,)
    behind = np.flatnonzero(~ahead)
    first = behind[-1] + 1 if len(behind) else 0
    return int(first) + 1 if first < len(ahead) else None


def part_a(lessons, config, progress):
    """Let all kinds of nets meet all tasks."""
    table, curves = {}, {}
    names = kinds(config)
    for n, (name, kind) in enumerate(names.items()):
        tell = share_of(progress, n / len(names), (n + 1) / len(names))
        curves[name], online, row, net = memorise(kind, lessons, config, tell)
        row["retained"] = retained(row)
        row["accuracy"] = curves[name]
        if name == "redo":
            row["fall_at_reset"] = saw_tooth(net.resets, online, len(online) // config.tasks)
            row["redrawn"] = sum(units for _, units in net.resets)
        table[f"a_{name}"] = row
    return table | {"a": {"sn_ahead_from": overtaken(curves["sn"], curves["relu"])}}


# ---- part B ----
SOURCE = {  # the source's test rewards; 10 for every coin
    "relu": 5.80,
    "leaky": 4.94,
    "mish": 5.72,
    "layernorm": 4.65,
    "rmsnorm": 4.21,
    "redo": 5.73,
    "sn": 6.96,
}


def kendall(one, other):
    """Return Kendall's tau of two rankings of the same things; a tie counts as nothing."""
    pairs = [(i, j) for i in range(len(one)) for j in range(i)]
    signs = [np.sign(one[i] - one[j]) * np.sign(other[i] - other[j]) for i, j in pairs]
    return float(np.mean(signs))


class Exam:
    """One labelling of raw game frames, for copies of the players' encoders."""

    def __init__(self, config, seed):
        levels, script, shuffle, labels, order, self.weights = seed.spawn(6)
        frames = film(make_levels(levels, FILMED), np.random.default_rng(script))
        frames = np.random.default_rng(shuffle).permutation(np.unique(frames, axis=0))
        self.frames = frames[: config.frames]
        self.labels = np.random.default_rng(labels).integers(config.classes, size=config.frames)
        rows = np.tile(np.arange(config.frames), (config.epochs_per_task, 1))
        self.order = np.random.default_rng(order).permuted(rows, axis=1)
        self.config = config

    def score(self, kind, encoder=None):
        """Teach a copy of `encoder`, or a fresh net, the labelling: its accuracy."""
        net = memoriser(kind, self.config, self.weights)
        if encoder is not None:
            for n, (part, old) in enumerate(zip(net.parts, encoder.parts, strict=True)):
                if n not in (4, 5):  # the head stays fresh
                    part[:] = old
            for _ in range(50):  # power iteration settles on the copied weights
                net.before_update()
        learn_task(net, self.frames, self.labels, self.order, self.config.learning_rate)
        return accuracy(net, self.frames, self.labels)


def part_b(season, exam, config, progress):
    """Let all kinds of nets play; after each phase a copy sits the exam."""
    table = {}
    names = kinds(config)
    for n, (name, kind) in enumerate(names.items()):
        tell = share_of(progress, n / len(names), (n + 1) / len(names))
        fresh = exam.score(kind)
        net = player(kind, config, season.weights)

        def sit(net, kind=kind, fresh=fresh):
            return {"copy": exam.score(kind, net) / max(fresh, 1 / config.frames)}

        rows = learn_game(net, season, config, tell, sit)
        for phase, row in enumerate(rows, 1):
            table[f"b_{name}_{phase}"] = row
    return table


# ---- the study ----
def run(config, seed, progress):
    """Draw what the experiment draws with this seed; the exam has a stream of its own."""
    memory, game, more = np.random.SeedSequence(seed).spawn(3)
    table = part_a(draw_lessons(config, memory), config, share_of(progress, 0, 0.45))
    exam = Exam(config, more)
    season = draw_season(config, game)
    table |= part_b(season, exam, config, share_of(progress, 0.45, 1))
    ends = {name: table[f"b_{name}_{config.phases}"]["test"] for name in kinds(config)}
    best = max(ends[name] for name in ("leaky", "layernorm", "rmsnorm"))
    table["claims"] = {"best_of_three": best - ends["relu"]}
    table["b"] = {"tau": kendall([ends[name] for name in SOURCE], list(SOURCE.values()))}
    return table


if __name__ == "__main__":
    plasticity_spectral_norm.main(sys.modules[__name__])
