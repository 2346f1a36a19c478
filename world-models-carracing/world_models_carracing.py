# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""World models: see with a VAE, remember with a mixture-density LSTM, drive with 162 weights
evolved by CMA-ES.

Paper: D. Ha, J. Schmidhuber, "Recurrent World Models Facilitate Policy Evolution", NeurIPS 2018,
arXiv:1809.01999.
Task: get round a random track that nobody has shown you, from 32 x 32 pixels; speed and wheel angle
cannot be seen.
Method: V presses a view into 16 numbers z. M, trained to predict the next z from z and the action,
carries a state h. C is linear in z and h, and all that ever sees the reward: CMA-ES evolves it.
Random drives teach V and M, the first drivers collect better ones, V and M learn again. The
simulator, the nets, their gradients and CMA-ES stand below.
Claim: on 100 unseen tracks h turns an erratic driver into a steady one (paper: 632 +- 251 without,
906 +- 21 with it), and beats a hidden layer in C (788 +- 141). The rivals, an untrained M among
them, are evolved side by side.

    python3 world_models_carracing.py --seed 0     everything, some minutes on one core
    python3 world_models_carracing.py --quick      some seconds: it proves the code
    python3 study_world_models_carracing.py        more rivals; C evolved in M's dreams
"""

import os

# before numpy: one core is what the budget counts
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import math
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Annotated

import numpy as np


@dataclass(frozen=True)
class Config:
    """Every hyperparameter; the defaults are the experiment."""

    train_tracks: Annotated[int, "random tracks for data and evolution", (1, 10**4)] = 64
    test_tracks: Annotated[int, "other tracks, on which nothing is chosen", (2, 10**4)] = 100
    max_frames: Annotated[
        int, "frames after which an episode ends (10 frames a second)", (8, 10**4)
    ] = 400
    roughness: Annotated[
        float, "amplitude of a track's bends (harmonic k: this / k^0.8)", (0.0, 0.6)
    ] = 0.6
    gas: Annotated[float, "acceleration at full gas, m/s^2", (0.1, 50.0)] = 4.0
    brake: Annotated[float, "deceleration at full brake, m/s^2", (0.1, 50.0)] = 7.0
    grip: Annotated[float, "largest sideways acceleration on the road, m/s^2", (0.1, 100.0)] = 5.0
    grass_grip: Annotated[float, "and on the grass", (0.1, 100.0)] = 2.0
    lag: Annotated[float, "time constant of the steering, s", (0.1, 10.0)] = 0.25
    latent: Annotated[int, "latent numbers z of V", (1, 256)] = 16
    hidden_v: Annotated[int, "units in the hidden layers of V", (1, 4096)] = 128
    free_bits: Annotated[
        float, "nats per latent number that the KL term leaves free", (0.0, 10.0)
    ] = 0.5
    drives: Annotated[int, "episodes collected per round", (2, 10**5)] = 256
    drive_frames: Annotated[int, "frames collected per episode", (8, 10**4)] = 160
    wander: Annotated[
        float, "largest deviation of the noise on the actions while collecting", (0.0, 10.0)
    ] = 1.0
    smooth: Annotated[
        float, "share of that noise that stays from one frame to the next", (0.0, 0.999)
    ] = 0.9
    random_pedal: Annotated[float, "bias of the pedal in random drives", (-10.0, 10.0)] = 0.3
    epochs_v: Annotated[int, "passes of V over the collected views, per round", (1, 1000)] = 6
    batch_v: Annotated[int, "views per update of V", (1, 10**5)] = 128
    clip_v: Annotated[float, "largest gradient norm of V", (1e-6, 1e6)] = 10.0
    clip_m: Annotated[float, "largest gradient norm of M", (1e-6, 1e6)] = 1.0
    lr_v: Annotated[float, "step size of V", (0.0, 1.0)] = 0.001
    hidden_m: Annotated[int, "LSTM units of M", (1, 4096)] = 64
    components: Annotated[int, "Gaussians per latent number", (1, 100)] = 5
    window: Annotated[int, "frames of backpropagation through time", (1, 10**4)] = 32
    epochs_m: Annotated[int, "passes of M over the collected episodes, per round", (1, 1000)] = 25
    batch_m: Annotated[int, "episodes per update of M", (1, 10**5)] = 32
    lr_m: Annotated[float, "step size of M", (0.0, 1.0)] = 0.005
    population: Annotated[int, "candidates per generation", (4, 10**4)] = 32
    episodes: Annotated[int, "episodes that each candidate drives in a generation", (1, 1000)] = 3
    late_episodes: Annotated[int, "the same in the second half of the generations", (1, 1000)] = 6
    patience: Annotated[
        int, "frames without a new tile after which evolution gives an episode up", (1, 10**6)
    ] = 50
    scout_generations: Annotated[
        int, "generations of the scouts, whose drives teach V and M again", (1, 10**5)
    ] = 25
    generations: Annotated[int, "generations of the second round", (1, 10**6)] = 120
    averaged: Annotated[
        int, "last generations whose means are averaged: the driver that is tested", (1, 10**6)
    ] = 20
    sigma: Annotated[
        float, "first step size of the search, in units of 1 / sqrt(fan-in)", (1e-6, 100.0)
    ] = 0.3
    warm_frames: Annotated[int, "frames that M sees before it dreams", (1, 10**4)] = 20
    dream_frames: Annotated[int, "frames that it then dreams", (1, 10**4)] = 20
    pedal: Annotated[float, "first bias of the pedal: a foot on the gas", (-10.0, 10.0)] = 0.5
    schools: Annotated[int, "study: seeds of drivers that learn in dreams", (1, 1000)] = 3
    school_rounds: Annotated[
        int, "study: rounds of dreaming, driving and learning from the drives", (1, 1000)
    ] = 5
    school_generations: Annotated[int, "study: generations in the dream, per round", (1, 10**5)] = (
        40
    )
    school_frames: Annotated[int, "study: frames of such a dream", (1, 10**4)] = 150
    school_dreams: Annotated[int, "study: dreams per candidate and generation", (1, 1000)] = 8
    school_epochs: Annotated[int, "study: passes of M over all drives, per round", (1, 1000)] = 10
    temperature: Annotated[float, "study: temperature of such a dream", (0.01, 100.0)] = 1.3
    rings: Annotated[int, "study: seeds of the fixed ring", (1, 1000)] = 10
    ring_generations: Annotated[int, "study: generations on the fixed ring", (1, 10**5)] = 30

    def __post_init__(self):
        if max(self.episodes, self.late_episodes) > self.train_tracks:
            raise ValueError(
                "episodes and late_episodes must not exceed train_tracks: "
                "each has a track of its own"
            )
        if self.warm_frames + self.dream_frames >= self.drive_frames:
            raise ValueError("warm_frames + dream_frames must be less than drive_frames")
        if self.batch_v > 4 * self.drives:
            raise ValueError(
                "batch_v must not exceed 4 drives: "
                "the first round could be too short for one update"
            )


QUICK = {
    "train_tracks": 6,
    "test_tracks": 6,
    "max_frames": 60,
    "drives": 24,
    "drive_frames": 48,
    "epochs_v": 1,
    "epochs_m": 1,
    "batch_v": 32,
    "batch_m": 16,
    "population": 8,
    "episodes": 2,
    "late_episodes": 2,
    "scout_generations": 2,
    "generations": 4,
    "warm_frames": 8,
    "dream_frames": 8,
    "schools": 1,
    "school_rounds": 2,
    "school_generations": 2,
    "school_frames": 8,
    "school_epochs": 1,
    "rings": 2,
    "ring_generations": 2,
}

# ---- the world: random closed tracks, and cars on them -------------------------------------------
# Shapes: N cars, K tracks, P points of a centre line.
POINTS, TILES, DT = 400, 100, 0.1  # points of a centre line, tiles of a track, seconds per frame
HALF_WIDTH, TILE_REACH, LOST = (
    3.0,
    4.0,
    10.0,
)  # distances from the centre line, m: road, a tile counts, the end
SIDE, PIXEL, CAR_ROW = (
    32,
    0.75,
    24,
)  # the view: 32 x 32 pixels of 0.75 m, the car in row 24, heading up
CELL, SPLIT = (
    0.75,
    2,
)  # m per cell of the map of nearest points; picture cells per map cell, along each axis
FRAME_COST, STEER_LIMIT, WHEELBASE, DRAG, GRASS_DRAG = 0.4, 0.5, 2.5, 0.0064, 0.3


def make_tracks(config, count, rng):
    """Centre lines (K, P, 2) in m of closed random tracks, P points at equal arcs, driven in order
    of the points.

    r(phi) = 30 (1 + sum_k a_k cos(k phi + psi_k)), k = 2..6. Redrawn where a bend is tighter than 5
    m, r < 9 m, or two parts more than 20 m apart along the track come closer than 9 m.
    """
    k = np.arange(2, 7)[:, None]
    coarse, phi = (np.linspace(0, 2 * np.pi, n, endpoint=False) for n in (125, 1000))
    found = []
    while len(found) < count:
        a = rng.uniform(0.3, 1, (256, 5, 1)) * config.roughness / k**0.8
        psi, turn = rng.uniform(0, 2 * np.pi, (256, 5, 1)), rng.random(256) < 0.5
        wave = a * np.exp(1j * (k * coarse + psi))  # (256, 5, 125)
        r, r1, r2 = (
            30 + 30 * wave.real.sum(1),
            -30 * (k * wave).imag.sum(1),
            -30 * (k * k * wave).real.sum(1),
        )
        bend = np.abs(r * r + 2 * r1 * r1 - r * r2) / (r * r + r1 * r1) ** 1.5  # curvature, 1/m
        for i in np.flatnonzero((r.min(1) >= 9) & (bend.max(1) <= 1 / 5)):
            radius = 30 + 30 * (a[i] * np.cos(k * phi + psi[i])).sum(0)
            closed = radius[:, None] * np.stack([np.cos(phi), np.sin(phi)], 1)
            closed = np.concatenate([closed, closed[:1]])
            arc = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
            at = np.linspace(0, arc[-1], POINTS, endpoint=False)
            points = np.stack([np.interp(at, arc, closed[:, j]) for j in (0, 1)], 1)
            some, there = at[::4], points[::4]
            gap = np.abs(some[:, None] - some)
            far = np.minimum(gap, arc[-1] - gap) > 20
            if np.hypot(*(there[:, None] - there).T)[far].min() >= 9:
                found.append(points[::-1] if turn[i] else points)
    return (
        np.array(found[:count])
        - np.array([(p.max(0) + p.min(0)) / 2 for p in found[:count]])[:, None]
    )


class World:
    """Tracks with two maps each, so that neither a step nor a view has to search: the number of the
    nearest point of the centre line, and a picture seen from above (grass 0, road 255, at every
    fifth tile a seam of 204)."""

    pixels, starts = (
        SIDE * SIDE,
        POINTS,
    )  # size of a view; how many points an episode may start from

    def __init__(self, config, tracks):
        self.config, self.points = config, tracks.astype(np.float32)  # (K, P, 2)
        step = np.roll(tracks, -1, 1) - tracks
        self.heading = np.arctan2(step[..., 1], step[..., 0])  # (K, P)
        block = 8  # cells
        self.size = 2 * block * math.ceil((np.abs(tracks).max() + LOST + 24) / CELL / block)
        self.origin = self.size * CELL / 2
        self.nearest = np.full((len(tracks), self.size, self.size), -1, np.int16)
        fine = self.size * SPLIT
        self.picture = np.zeros((len(tracks), fine, fine), np.uint8)
        corner = np.arange(0, self.size, block)
        blocks = np.stack(np.meshgrid(corner, corner, indexing="ij"), -1).reshape(-1, 2)
        inside = np.stack(np.meshgrid(*[np.arange(block)] * 2, indexing="ij"), -1).reshape(-1, 2)
        parts = np.stack(np.meshgrid(*[np.arange(SPLIT)] * 2, indexing="ij"), -1).reshape(-1, 2)
        for k, line in enumerate(self.points):

            def closest(cells, cell, line=line):
                """Number of the point nearest to the centre of each (row, column), and how far it
                is."""
                xy = ((cells[:, ::-1] + 0.5) * cell - self.origin).astype(np.float32)
                score = xy @ line.T - 0.5 * (line * line).sum(1)
                best = score.argmax(1)
                return best, np.hypot(*(xy - line[best]).T)

            _, far = closest(blocks / block, block * CELL)
            cells = (blocks[far < LOST + 2 + block * CELL * 0.71, None] + inside).reshape(-1, 2)
            best, far = closest(cells, CELL)
            self.nearest[k, cells[:, 0], cells[:, 1]] = best
            near = far < HALF_WIDTH + CELL
            tiny = (cells[near, None] * SPLIT + parts).reshape(-1, 2)
            xy = ((tiny[:, ::-1] + 0.5) * CELL / SPLIT - self.origin).astype(np.float32)
            best, far = self.refine(np.full(len(xy), k), np.repeat(best[near], SPLIT * SPLIT), xy)
            seam = best % (POINTS // TILES * 5) < 2
            self.picture[k, tiny[:, 0], tiny[:, 1]] = np.where(
                far < HALF_WIDTH, np.where(seam, 204, 255), 0
            )
        self.flat = self.picture.ravel()

    def refine(self, track, point, xy):
        """From a point close to the nearest one to the nearest: its number (N,) and its distance
        (N,)."""
        near = (point[:, None] + np.arange(-3, 4)) % POINTS
        offset = self.points[track[:, None], near] - xy[:, None]
        square = (offset * offset).sum(2)
        best = square.argmin(1)
        rows = np.arange(len(xy))
        return near[rows, best], np.sqrt(square[rows, best])

    def locate(self, track, xy):
        """The nearest point of the centre line, (N,), and its distance; where there is no map, the
        car is lost."""
        cell = np.clip((xy + self.origin) / CELL, 0, self.size - 1).astype(np.int64)
        point = self.nearest[track, cell[:, 1], cell[:, 0]]
        found, far = self.refine(track, point, xy)
        return found, np.where(point < 0, 2 * LOST, far)

    def views(self, track, xy, heading):
        """What the cars see: (N, SIDE * SIDE) of uint8. Fixed point, 16 bits of fraction: a floor
        is a shift."""
        n, fine, one = len(track), self.picture.shape[1], 65536 * SPLIT / CELL
        ahead = ((CAR_ROW - np.arange(SIDE)) * PIXEL * one)[:, None]  # by row
        left = ((SIDE - 1) / 2 - np.arange(SIDE)) * PIXEL * one  # by column
        cos, sin = np.cos(heading)[:, None, None], np.sin(heading)[:, None, None]
        x, y = ((xy + self.origin) * one).T[:, :, None, None]
        cell = (y + sin * ahead).astype(np.int32) + (cos * left).astype(np.int32)  # (N, SIDE, SIDE)
        cell >>= 16
        cell *= fine
        column = (x + cos * ahead).astype(np.int32) - (sin * left).astype(np.int32)
        column >>= 16
        cell += column
        cell += (track * fine * fine).astype(np.int32)[:, None, None]
        return self.flat[cell].reshape(n, -1)

    def start(self, track, point):
        """Cars (N,) at rest on the centre line, heading along it: the state that step() moves
        on."""
        n = len(track)
        return {
            "track": track,
            "point": point,
            "xy": self.points[track, point].astype(np.float64),
            "heading": self.heading[track, point],
            "speed": np.zeros(n),
            "wheel": np.zeros(n),
            "far": np.zeros(n),
            "visited": np.zeros((n, TILES), bool),
            "score": np.zeros(n),
            "frames": np.zeros(n, int),
            "idle": np.zeros(n, int),
        }

    def step(self, cars, action):
        """Move all cars by one frame, in place. action (N, 2) in [-1, 1]: steer to the left; gas
        above 0, brake below.

        Neither the speed nor the angle of the wheels, which follows the command with a lag, can be
        seen. Returns whether each episode is over: all tiles visited, lost, or out of time.
        """
        config, grass = self.config, cars["far"] > HALF_WIDTH
        steer, pedal = action.T
        speed = cars["speed"]
        force = (
            np.where(pedal > 0, config.gas, config.brake) * pedal
            - DRAG * speed**2
            - GRASS_DRAG * speed * grass
        )
        speed = cars["speed"] = np.maximum(speed + DT * force, 0)
        cars["wheel"] += (STEER_LIMIT * steer - cars["wheel"]) * DT / config.lag
        limit = np.where(grass, config.grass_grip, config.grip) / np.maximum(speed, 0.1)
        turn = np.clip(speed * np.tan(cars["wheel"]) / WHEELBASE, -limit, limit)
        cars["heading"] = cars["heading"] + DT * turn
        cars["xy"] += (DT * speed)[:, None] * np.stack(
            [np.cos(cars["heading"]), np.sin(cars["heading"])], 1
        )
        cars["point"], cars["far"] = self.locate(cars["track"], cars["xy"].astype(np.float32))
        rows, tile = np.arange(len(speed)), cars["point"] * TILES // POINTS
        new = ~cars["visited"][rows, tile] & (cars["far"] < TILE_REACH)
        cars["visited"][rows, tile] |= new
        cars["score"] += 1000 / TILES * new - FRAME_COST
        cars["frames"] += 1
        cars["idle"] = np.where(new, 0, cars["idle"] + 1)
        return cars["visited"].all(1) | (cars["far"] > LOST) | (cars["frames"] >= config.max_frames)


# ---- V: a variational autoencoder ----------------------------------------------------------------
# Shapes: B batch, Z latent numbers, H hidden units, D = SIDE * SIDE pixels. Nets are dicts of
# arrays.


def sigmoid(x):
    return 0.5 * np.tanh(0.5 * x) + 0.5


def make_v(config, rng, pixels=SIDE * SIDE):
    """D -> H relu -> mean and log variance of Z; Z -> H relu -> D logits."""
    d, h, z = pixels, config.hidden_v, config.latent
    sizes = {"in": (d, h), "code": (h, 2 * z), "out": (z, h), "pixels": (h, d)}
    v = {
        name: rng.standard_normal(shape) * math.sqrt(2 / shape[0]) for name, shape in sizes.items()
    }
    v["code"] *= 0.3
    v |= {name + "_bias": np.zeros(shape[1]) for name, shape in sizes.items()}
    return {name: value.astype(np.float32) for name, value in v.items()}


def encode(v, views):
    """Mean and log variance (B, Z) each of the posterior over z, and the hidden layer (B, H), from
    views (B, D)."""
    hidden = np.maximum(views @ v["in"] + v["in_bias"], 0)
    code = hidden @ v["code"] + v["code_bias"]
    latent = code.shape[1] // 2
    return code[:, :latent], code[:, latent:], hidden


def decode(v, z):
    """Logits of the pixels (B, D) and the hidden layer (B, H), from z (B, Z)."""
    hidden = np.maximum(z @ v["out"] + v["out_bias"], 0)
    return hidden @ v["pixels"] + v["pixels_bias"], hidden


def v_gradients(v, x, noise, free_bits):
    """Loss per view, -E[log p(x|z)] + sum_d max(KL_d, free_bits) in nats, and its gradient; x (B,
    D) in [0, 1].

    KL_d = (mu^2 + s^2 - 1 - log s^2) / 2 is a mean over the batch: a dimension below its free bits
    is left alone. z = mu + s noise (reparameterisation): the error at z goes to mu as it is, to log
    s^2 times s noise / 2.
    """
    mu, log_var, seen = encode(v, x)
    s = np.exp(0.5 * log_var)
    z = mu + s * noise
    logits, drawn = decode(v, z)
    kl = 0.5 * (mu**2 + s * s - 1 - log_var).mean(0)
    share = x.dtype.type(1 / len(x))
    cross = (np.maximum(logits, 0) - x * logits + np.log1p(np.exp(-np.abs(logits)))).sum() * share
    grads = {}

    def back(error, inputs, name):
        grads[name], grads[name + "_bias"] = inputs.T @ error, error.sum(0)
        return error @ v[name].T

    to_drawn = back((sigmoid(logits) - x) * share, drawn, "pixels") * (drawn > 0)
    to_z = back(to_drawn, z, "out")
    paid = (kl > free_bits) * share
    to_code = np.concatenate([to_z + paid * mu, 0.5 * (to_z * s * noise + paid * (s * s - 1))], 1)
    to_seen = back(to_code, seen, "code") * (seen > 0)
    grads["in"], grads["in_bias"] = x.T @ to_seen, to_seen.sum(0)
    return cross + np.maximum(kl, free_bits).sum(), grads, cross, kl


# ---- M: an LSTM with a mixture-density head ------------------------------------------------------
# Shapes: T frames, B episodes, H units, K components. One step reads [z_t | a_t | h_t] and makes
# h_{t+1}, from which the head reads, for each latent number on its own, K logits, K means and K log
# deviations of z_{t+1}.


def make_m(config, rng):
    inputs, h, components = config.latent + 2, config.hidden_m, config.components
    m = {
        "step": rng.standard_normal((inputs + h, 4 * h)) / math.sqrt(inputs + h),
        "step_bias": np.zeros(4 * h),
        "head": rng.standard_normal((h, config.latent * 3 * components)) * 0.1 / math.sqrt(h),
    }
    m["step_bias"][h : 2 * h] = 1  # forget gates start open
    bias = np.zeros((config.latent, 3, components))
    bias[:, 1] = np.linspace(-1, 1, components) if components > 1 else 0  # means start apart
    m["head_bias"] = bias.ravel()
    return {name: value.astype(np.float32) for name, value in m.items()}


def lstm(m, x, h, c):
    """One step: h and c after it, and the gates (B, 4H): input, forget, output, candidate."""
    units = h.shape[1]
    gates = np.concatenate([x, h], 1) @ m["step"]
    gates += m["step_bias"]
    gates[:, : 3 * units] = sigmoid(gates[:, : 3 * units])
    np.tanh(gates[:, 3 * units :], out=gates[:, 3 * units :])
    i, f, o, g = (gates[:, k * units : (k + 1) * units] for k in range(4))
    c = f * c + i * g
    return o * np.tanh(c), c, gates


def mixture(m, h, latent):
    """Logits, means and log deviations (..., Z, K) of the next z, from h (..., H)."""
    out = (h @ m["head"] + m["head_bias"]).reshape(*h.shape[:-1], latent, 3, -1)
    return out[..., 0, :], out[..., 1, :], out[..., 2, :]


def nll_of(parts, target, weight):
    """Negative log-likelihood in nats, summed over z and weighted by frame: weight (...), target
    (..., Z).

    With r the share of each component in the density: d/dlogit = pi - r, d/dmean = r (mean - z) /
    s^2, d/dlog s = r (1 - (z - mean)^2 / s^2). log s is clamped to [-5, 2]; outside, its gradient
    is 0.
    """
    logits, mean, raw = parts
    log_s = np.clip(raw, -5, 2)
    log_pi = logits - np.logaddexp.reduce(logits, -1, keepdims=True)
    u = (target[..., None] - mean) * np.exp(-log_s)
    log_p = log_pi - log_s - 0.5 * u * u - 0.5 * math.log(2 * math.pi)
    total = np.logaddexp.reduce(log_p, -1, keepdims=True)
    r = np.exp(log_p - total)
    w = weight[..., None, None]
    to_out = np.stack(
        [np.exp(log_pi) - r, -r * u * np.exp(-log_s), r * (1 - u * u) * (raw == log_s)], -2
    )
    return -(total * w).sum(), to_out * w[..., None]


def m_gradients(m, x, target, weight, h, c):
    """Loss, gradient and last (h, c) of one window: x (T, B, Z + 2), target (T, B, Z), weight (T,
    B), h and c (B, H).

    Backpropagation through time inside the window; the state it starts from is taken as given.
    """
    (T, B, _), units, latent = x.shape, h.shape[1], target.shape[2]
    hs, cs = np.empty((T + 1, B, units), x.dtype), np.empty((T + 1, B, units), x.dtype)
    gates = np.empty((T, B, 4 * units), x.dtype)
    hs[0], cs[0] = h, c
    for t in range(T):
        hs[t + 1], cs[t + 1], gates[t] = lstm(m, x[t], hs[t], cs[t])
    loss, to_out = nll_of(mixture(m, hs[1:], latent), target, weight)
    to_out = to_out.reshape(T, B, -1)
    to_h = to_out @ m["head"].T
    to_gates = np.empty_like(gates)
    i, f, o, g = (gates[..., k * units : (k + 1) * units] for k in range(4))
    squashed = np.tanh(cs[1:])
    recurrent = m["step"][x.shape[2] :].T
    later_h = later_c = 0
    for t in range(T - 1, -1, -1):
        dh = to_h[t] + later_h
        dc = dh * o[t] * (1 - squashed[t] ** 2) + later_c
        slopes = (
            dc * g[t] * i[t] * (1 - i[t]),
            dc * cs[t] * f[t] * (1 - f[t]),
            dh * squashed[t] * o[t] * (1 - o[t]),
        )
        to_gates[t] = np.concatenate([*slopes, dc * i[t] * (1 - g[t] ** 2)], 1)
        later_h, later_c = to_gates[t] @ recurrent, dc * f[t]

    def total(a, b):
        return a.reshape(T * B, -1).T @ b.reshape(T * B, -1)

    grads = {
        "step": np.concatenate([total(x, to_gates), total(hs[:-1], to_gates)]),
        "step_bias": to_gates.sum((0, 1)),
        "head": total(hs[1:], to_out),
        "head_bias": to_out.sum((0, 1)),
    }
    return loss, grads, hs[-1], cs[-1]


class Adam:
    """Kingma and Ba, 2015, with the gradient's norm clipped; it changes the net in place."""

    def __init__(self, net, clip):
        self.net, self.clip, self.steps = net, clip, 0
        self.m, self.v = (
            {name: np.zeros_like(value) for name, value in net.items()} for _ in range(2)
        )

    def step(self, grads, rate):
        self.steps += 1
        norm = math.sqrt(sum(float((g * g).sum()) for g in grads.values()))
        if not math.isfinite(norm):
            raise FloatingPointError(f"gradient is {norm} at update {self.steps}")
        scale = min(1, self.clip / (norm + 1e-12))
        rate *= math.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        for name, g in grads.items():
            m, v = self.m[name], self.v[name]
            m += 0.1 * (scale * g - m)
            v += 0.001 * ((scale * g) ** 2 - v)
            self.net[name] -= rate * m / (np.sqrt(v) + 1e-8)


# ---- C: a few weights, and the evolution strategy that finds them --------------------------------


class CMAES:
    """Evolution strategy with covariance matrix adaptation (Hansen, "The CMA evolution strategy: a
    tutorial", 2016).

    ask() draws lam candidates (lam, n) from N(mean, sigma^2 C); tell(losses) moves mean, sigma and
    C. The answer is the mean, averaged over the last generations: the mean itself still wavers with
    their luck.
    """

    def __init__(self, mean, sigma, lam, rng):
        n = len(mean)
        self.mean, self.sigma, self.lam, self.rng, self.n = (
            np.array(mean, float),
            sigma,
            lam,
            rng,
            n,
        )
        half = lam // 2
        w = math.log(half + 0.5) - np.log(np.arange(1, half + 1))
        self.w = w / w.sum()
        eff = self.eff = 1 / (self.w**2).sum()
        self.c_s = (eff + 2) / (n + eff + 5)
        self.d_s = 1 + self.c_s + 2 * max(0, math.sqrt((eff - 1) / (n + 1)) - 1)
        self.c_c = (4 + eff / n) / (n + 4 + 2 * eff / n)
        self.c_1 = 2 / ((n + 1.3) ** 2 + eff)
        self.c_mu = min(1 - self.c_1, 2 * (eff - 2 + 1 / eff) / ((n + 2) ** 2 + eff))
        self.expected = math.sqrt(n) * (
            1 - 1 / (4 * n) + 1 / (21 * n * n)
        )  # length of a standard normal vector
        self.p_s, self.p_c, self.C = np.zeros(n), np.zeros(n), np.eye(n)
        self.basis, self.scales, self.generation = np.eye(n), np.ones(n), 0
        self.answer = np.zeros(n)

    def ask(self):
        self.steps = (self.rng.standard_normal((self.lam, self.n)) * self.scales) @ self.basis.T
        return self.mean + self.sigma * self.steps

    def tell(self, losses):
        self.generation += 1
        best = self.steps[np.argsort(losses, kind="stable")[: len(self.w)]]  # (lam / 2, n)
        move = self.w @ best
        self.mean += self.sigma * move
        white = self.basis @ ((self.basis.T @ move) / self.scales)  # C^(-1/2) move
        self.p_s += -self.c_s * self.p_s + math.sqrt(self.c_s * (2 - self.c_s) * self.eff) * white
        length = math.sqrt(self.p_s @ self.p_s)
        usual = math.sqrt(1 - (1 - self.c_s) ** (2 * self.generation))
        steady = (
            length / usual < (1.4 + 2 / (self.n + 1)) * self.expected
        )  # else the rank-one path waits
        self.p_c += (
            -self.c_c * self.p_c + steady * math.sqrt(self.c_c * (2 - self.c_c) * self.eff) * move
        )
        lost = (not steady) * self.c_c * (2 - self.c_c)
        self.C *= 1 - self.c_1 - self.c_mu + self.c_1 * lost
        self.C += self.c_1 * np.outer(self.p_c, self.p_c) + self.c_mu * (best.T * self.w) @ best
        self.sigma *= math.exp(self.c_s / self.d_s * (length / self.expected - 1))
        every = max(1, int(1 / (10 * self.n * (self.c_1 + self.c_mu))))
        if self.generation % every == 0:
            self.C = (self.C + self.C.T) / 2
            values, self.basis = np.linalg.eigh(self.C)
            self.scales = np.sqrt(np.maximum(values, 1e-20))

    def average(self, generation, generations, last):
        if generation >= generations - last:
            self.answer += self.mean / min(generations, last)


@dataclass(frozen=True)
class Arm:
    """What a controller reads, and whether it has a tanh layer between that and its two outputs."""

    z: int = 1  # how many frames of z
    memory: str = ""  # whose h: "m", the trained one, or "raw", one left as it was initialised
    hidden: int = 0

    def inputs(self, config):
        return self.z * config.latent + bool(self.memory) * config.hidden_m

    def size(self, config):
        n = self.inputs(config)
        return (n + 1) * self.hidden + (self.hidden + 1) * 2 if self.hidden else (n + 1) * 2


ARMS = {"v": Arm(), "v_hidden": Arm(hidden=8), "v_raw": Arm(memory="raw"), "v_m": Arm(memory="m")}
BLIND = Arm(z=0)
MORE_ARMS = {"h_only": Arm(z=0, memory="m"), "v_stack": Arm(z=4), "blind": BLIND}


def act(arm, theta, f):
    """Actions (N, 2) of N controllers with weights theta (N, n) that read f (N, F)."""
    n = len(f)

    def layer(f, theta, outputs):
        w = theta[:, : (f.shape[1] + 1) * outputs].reshape(n, f.shape[1] + 1, outputs)
        return np.tanh((f[:, None] @ w[:, :-1])[:, 0] + w[:, -1])

    if arm.hidden:
        cut = (f.shape[1] + 1) * arm.hidden
        f, theta = layer(f, theta[:, :cut], arm.hidden), theta[:, cut:]
    return layer(f, theta, 2)


def drive(world, nets, crews, track, point, noise=None, watch=None, patience=10**9):
    """Let all candidates of all crews drive, all cars side by side.

    crews: [(arm, theta (P, n))]. Episodes begin on track, at point: (E,), the same for every
    candidate, or (P, E). noise (T, N, 2) is added to the actions, and ends the drive after T
    frames. watch(frame, ids, cars, view, z, h, action) sees each frame of the cars under way. A car
    that meets no new tile for so many frames as patience is taken out, and charged the rest of its
    time. Returns per crew score, share of tiles and frames: (3, P, E).
    """
    config, E = world.config, track.shape[-1]
    crews = [(arm, theta.astype(np.float32)) for arm, theta in crews]
    counts = [len(theta) * E for _, theta in crews]
    total = sum(counts)
    ids, candidate = (
        np.arange(total),
        np.concatenate([np.repeat(np.arange(n // E), E) for n in counts]),
    )
    cars = world.start(
        *(
            np.concatenate([np.broadcast_to(where, (n // E, E)).ravel() for n in counts])
            for where in (track, point)
        )
    )
    h, c = np.zeros((2, total, config.hidden_m), np.float32)
    past = np.zeros((total, 3 * config.latent), np.float32)
    out = np.zeros((3, total))
    for frame in range(config.max_frames if noise is None else len(noise)):
        view = world.views(cars["track"], cars["xy"], cars["heading"])
        z = (encode(nets["v"], view * np.float32(1 / 255))[0] - nets["z_mean"]) / nets["z_std"]
        action, end = np.empty((len(ids), 2), np.float32), np.cumsum(counts)
        for (arm, theta), stop, n in zip(crews, end, counts):
            s = slice(stop - n, stop)
            f = [z[s]] * (arm.z > 0) + [past[s]] * (arm.z > 1)
            if arm.memory:
                f.append((h[s] - nets[arm.memory + "_mean"]) / nets[arm.memory + "_std"])
            f = np.concatenate([*f, np.empty((n, 0), np.float32)], 1)
            action[s] = act(arm, theta[candidate[s]], f)
        if noise is not None:
            action = np.clip(action + noise[frame, ids], -1, 1)
        if watch:
            watch(frame, ids, cars, view, z, h, action)
        for (arm, _), stop, n in zip(crews, end, counts):
            s = slice(stop - n, stop)
            if arm.memory and n:
                h[s], c[s], _ = lstm(
                    nets[arm.memory], np.concatenate([z[s], action[s]], 1), h[s], c[s]
                )
        past = np.concatenate([z, past[:, : -config.latent]], 1)
        done = world.step(cars, action)
        idle = ~done & (cars["idle"] >= patience)
        cars["score"] -= idle * FRAME_COST * (config.max_frames - cars["frames"])
        done |= idle
        if done.any():
            out[:, ids[done]] = (
                cars["score"][done],
                cars["visited"][done].mean(1),
                cars["frames"][done],
            )
            keep = ~done
            counts = [int(keep[stop - n : stop].sum()) for stop, n in zip(end, counts)]
            cars = {name: value[keep] for name, value in cars.items()}
            ids, candidate, h, c, past = ids[keep], candidate[keep], h[keep], c[keep], past[keep]
            if not len(ids):
                break
    split = np.cumsum([len(theta) * E for _, theta in crews])[:-1]
    return [part.reshape(3, -1, E) for part in np.split(out, split, 1)]


def scales(arm, config):
    """The unit of each weight (n,) in the search: 1 / sqrt(fan-in), so that sigma means the same in
    every arm."""
    n, outputs = arm.inputs(config) + 1, arm.hidden or 2
    second = (arm.hidden + 1) * 2 if arm.hidden else 0
    return np.repeat([1 / math.sqrt(n), 1 / math.sqrt(arm.hidden + 1)], [n * outputs, second])


def weights(arm, config, x):
    """Weights of C from points x of a search, which starts at 0: all weights 0, but a foot on the
    gas."""
    theta = x * scales(arm, config)
    theta[..., -1] += config.pedal
    return theta


def evolve(config, world, nets, arms, generations, rngs, track_rng, callback=None):
    """CMA-ES for several arms side by side, on the same random tracks; returns the searches, one
    per arm.

    Each generation all candidates drive the same episodes, tracks and starts are new in the next
    one. A search's answer is the mean of its distribution, averaged over the last generations: the
    mean itself still wavers with their luck.
    """
    searches = [
        CMAES(np.zeros(arm.size(config)), config.sigma, config.population, rng)
        for arm, rng in zip(arms, rngs)
    ]
    for generation in range(generations):
        episodes = config.late_episodes if 2 * generation >= generations else config.episodes
        track = track_rng.permutation(config.train_tracks)[:episodes]
        point = track_rng.integers(world.starts, size=episodes)
        crews = [(arm, weights(arm, config, search.ask())) for arm, search in zip(arms, searches)]
        results = drive(world, nets, crews, track, point, patience=config.patience)
        for search, (score, _, _) in zip(searches, results):
            search.tell(-score.mean(1))
            search.average(generation, generations, config.averaged)
        if callback:
            callback(generation, searches, results)
    return searches


# ---- training: look around, learn to see and to remember, drive, look around again ---------------


def wander(config, frames, n, rng):
    """Low-passed noise (frames, n, 2) for n episodes, of a strength of its own in each, up to
    config.wander."""
    noise, now = np.zeros((frames, n, 2), np.float32), np.zeros((n, 2))
    strength = config.wander * rng.random((n, 1))
    for t in range(frames):
        now = config.smooth * now + math.sqrt(1 - config.smooth**2) * rng.standard_normal((n, 2))
        noise[t] = strength * now
    return noise


def collect(world, nets, arm, theta, rng, unseen=False):
    """One episode per row of theta, from a random point of a random training track (unseen: test
    track), with low-passed noise on the actions, of a random strength per episode.

    Returns views (N, T, D) uint8, actions (N, T, 2), lengths (N,), so many frames of a row are
    real, and the reward of each frame that is followed by another one, (N, T - 1).
    """
    config, n = world.config, len(theta)
    frames = config.drive_frames
    views, actions = (
        np.zeros((n, frames, world.pixels), np.uint8),
        np.zeros((n, frames, 2), np.float32),
    )
    length, score = np.zeros(n, int), np.zeros((n, frames))
    noise = wander(config, frames, n, rng)

    def keep(frame, ids, cars, view, z, h, action):
        views[ids, frame], actions[ids, frame], length[ids] = view, action, frame + 1
        score[ids, frame] = cars["score"]

    first, count = (config.train_tracks, config.test_tracks) if unseen else (0, config.train_tracks)
    track, point = first + rng.integers(count, size=(n, 1)), rng.integers(world.starts, size=(n, 1))
    drive(world, nets, [(arm, theta)], track, point, noise, keep)
    return views, actions, length, np.diff(score, axis=1).astype(np.float32)


def train_v(config, v, views, rng, callback=None):
    """Fit V to views (frames, D) uint8."""
    adam, size = Adam(v, config.clip_v), config.batch_v
    updates = config.epochs_v * (len(views) // size)
    for epoch in range(config.epochs_v):
        order = rng.permutation(len(views))
        for k in range(len(views) // size):
            x = views[order[k * size : (k + 1) * size]] * np.float32(1 / 255)
            noise = rng.standard_normal((size, config.latent), np.float32)
            loss, grads, *_ = v_gradients(v, x, noise, config.free_bits)
            adam.step(grads, config.lr_v * (1 - adam.steps / updates))
            if callback:
                callback(epoch, loss)


def see(v, views, batch=4096):
    """Mean and log variance (N, T, Z) of V's posterior, for views (N, T, D)."""
    flat = views.reshape(-1, views.shape[2])
    parts = [
        encode(v, flat[k : k + batch] * np.float32(1 / 255))[:2] for k in range(0, len(flat), batch)
    ]
    return (np.concatenate(part).reshape(*views.shape[:2], -1) for part in zip(*parts))


def train_m(config, m, mu, deviation, actions, length, rng, callback=None):
    """Fit M to episodes of z ~ N(mu, deviation^2), (N, T, Z), drawn anew in each pass, and actions
    (N, T, 2)."""
    adam, n, frames = Adam(m, config.clip_m), *mu.shape[:2]
    starts = range(0, frames - 1, config.window)
    batches = math.ceil(n / config.batch_m)
    updates = config.epochs_m * batches * len(starts)
    for epoch in range(config.epochs_m):
        z = mu + deviation * rng.standard_normal(mu.shape, np.float32)
        for rows in np.array_split(rng.permutation(n), batches):
            h = c = np.zeros((len(rows), config.hidden_m), np.float32)
            for t in starts:
                stop = min(t + config.window, frames - 1)
                alive = length[rows] > t + 1
                rows, h, c = rows[alive], h[alive], c[alive]
                if not len(rows):
                    break
                x = np.concatenate([z[rows, t:stop], actions[rows, t:stop]], 2).swapaxes(0, 1)
                weight = (length[rows] > np.arange(t, stop)[:, None] + 1).astype(np.float32)
                target = z[rows, t + 1 : stop + 1].swapaxes(0, 1)
                loss, grads, h, c = m_gradients(m, x, target, weight / weight.sum(), h, c)
                adam.step(grads, config.lr_m * max(0, 1 - adam.steps / updates))
                if callback:
                    callback(epoch, loss)


def latents(nets, views):
    """What V sees in views (N, T, D): mean and deviation (N, T, Z) of its posterior, both in
    standardised units."""
    mu, log_var = see(nets["v"], views)
    return (mu - nets["z_mean"]) / nets["z_std"], np.exp(0.5 * log_var) / nets["z_std"]


def learn(config, nets, data, rng):
    """One round of V on all frames, of M on what V sees of them, then the scales on which C reads z
    and h."""
    views, actions, length, _ = data
    real = np.arange(views.shape[1]) < length[:, None]
    train_v(config, nets["v"], views[real], rng)
    mu, _ = see(nets["v"], views)
    nets["z_mean"], nets["z_std"] = mu[real].mean(0), mu[real].std(0)
    mu, deviation = latents(nets, views)
    train_m(config, nets["m"], mu, deviation, actions, length, rng)
    for name in ("m", "raw"):
        h = c = np.zeros((len(mu), config.hidden_m), np.float32)
        seen = []
        for t in range(mu.shape[1]):
            seen.append(h[real[:, t]])
            h, c, _ = lstm(nets[name], np.concatenate([mu[:, t], actions[:, t]], 1), h, c)
        seen = np.concatenate(seen)
        nets[name + "_mean"], nets[name + "_std"] = seen.mean(0), seen.std(0) + np.float32(1e-3)


def train(config, seed, arms, progress=None, callback=None):
    """Two rounds: random drives teach V and M, with which scouts evolve; the scouts' drives, with
    the first ones, teach V and M again; then every arm is evolved, all side by side on the same
    tracks.

    Returns the world, the nets, the searches by name and the data of V and M (see collect).
    callback(generation, nets, searches, results) sees each generation of the second round.
    """
    seeds = np.random.SeedSequence(seed).spawn(3 + len(arms))
    rng, track_rng = np.random.default_rng(seeds[0]), np.random.default_rng(seeds[1])
    tracks = make_tracks(
        config, config.train_tracks + config.test_tracks, np.random.default_rng(seeds[2])
    )
    world, tell = World(config, tracks), progress or (lambda fraction, message: None)
    nets = {
        "v": make_v(config, rng),
        "m": make_m(config, rng),
        "raw": make_m(config, rng),
        "z_mean": np.zeros(config.latent, np.float32),
        "z_std": np.ones(config.latent, np.float32),
    }
    tell(0.02, "random drives; V and M learn")
    data = collect(world, nets, BLIND, np.tile([0, config.random_pedal], (config.drives, 1)), rng)
    learn(config, nets, data, rng)
    tell(0.1, "scouts evolve")
    scout = ARMS["v_m"]
    (search,) = evolve(config, world, nets, [scout], config.scout_generations, [rng], track_rng)
    scouts = np.concatenate([search.ask() for _ in range(-(-config.drives // config.population))])[
        : config.drives
    ]
    fresh = collect(world, nets, scout, weights(scout, config, scouts), rng)
    data = tuple(np.concatenate(pair) for pair in zip(data, fresh))
    tell(0.15, f"{data[2].sum()} frames seen; V and M learn again")
    learn(config, nets, data, rng)

    def watch(generation, searches, results):
        means = ", ".join(
            f"{name} {score.mean():.0f}" for name, (score, _, _) in zip(arms, results)
        )
        tell(0.25 + 0.7 * generation / config.generations, f"generation {generation}: {means}")
        if callback:
            callback(generation, nets, dict(zip(arms, searches)), results)

    rngs = [np.random.default_rng(s) for s in seeds[3:]]
    searches = evolve(
        config, world, nets, list(arms.values()), config.generations, rngs, track_rng, watch
    )
    return world, nets, dict(zip(arms, searches)), data


# ---- evaluation: 100 tracks that nothing has seen ------------------------------------------------


def scripted(world, cars):
    """The privileged driver's action (N, 2): it knows the centre line, its own place and speed;
    pure pursuit."""
    config, speed, track = world.config, cars["speed"], cars["track"]
    length = np.hypot(*(world.points[track, 1] - world.points[track, 0]).T)  # m per point
    ahead = np.maximum(3.5, 0.55 * speed)
    goal = (
        world.points[track, (cars["point"] + np.round(ahead / length).astype(int)) % POINTS]
        - cars["xy"]
    )
    angle = np.arctan2(goal[:, 1], goal[:, 0]) - cars["heading"]
    wheel = np.arctan(2 * WHEELBASE * np.sin(angle) / np.hypot(*goal.T))
    reach = np.arange(0, 50)  # points
    points = (cars["point"][:, None] + reach) % POINTS
    h = world.heading[track[:, None], points]
    h2 = world.heading[track[:, None], (points + 4) % POINTS]
    bend = np.abs(np.angle(np.exp(1j * (h2 - h)))) / (4 * length[:, None])
    allowed = np.sqrt(
        0.9 * config.grip / np.maximum(bend, 1e-3)
        + 2 * 0.7 * config.brake * reach * length[:, None]
    )
    wanted = allowed.min(1)
    return np.stack([np.clip(wheel / STEER_LIMIT, -1, 1), np.clip(wanted - speed, -1, 1)], 1)


def examine(world, nets, arms, searches, watch=None):
    """The answers of the searches drive all test tracks once, from point 0: {name: (score, share of
    tiles, frames)}."""
    config = world.config
    crews = [(arm, weights(arm, config, searches[name].answer)[None]) for name, arm in arms.items()]
    track = config.train_tracks + np.arange(config.test_tracks)
    return dict(
        zip(
            arms,
            (result[:, 0] for result in drive(world, nets, crews, track, 0 * track, watch=watch)),
        )
    )


def examine_scripted(world):
    """The same for the privileged driver."""
    config = world.config
    track = config.train_tracks + np.arange(config.test_tracks)
    cars, out = world.start(track, 0 * track), np.zeros((3, len(track)))
    going = np.ones(len(track), bool)
    while going.any():
        done = world.step(cars, scripted(world, cars)) & going
        out[:, done] = cars["score"][done], cars["visited"][done].mean(1), cars["frames"][done]
        going &= ~done
    return out


def paired_p(difference, rng, draws=20_000):
    """Two-sided p value of a mean difference (E,) under random flips of the signs."""
    flips = rng.choice([-1.0, 1.0], (draws, len(difference)))
    return (1 + (np.abs(flips @ difference) >= abs(difference.sum()) - 1e-9).sum()) / (1 + draws)


def model_nll(m, z, actions, length):
    """Nats per frame of M's density over whole episodes of standardised z (N, T, Z), each from a
    blank state."""
    h = c = np.zeros((len(z), m["step"].shape[1] // 4), np.float32)
    weight = (length > np.arange(1, z.shape[1])[:, None]).astype(np.float32)  # (T - 1, N)
    total = 0.0
    for t in range(len(weight)):
        h, c, _ = lstm(m, np.concatenate([z[:, t], actions[:, t]], 1), h, c)
        total += float(nll_of(mixture(m, h, z.shape[2]), z[:, t + 1], weight[t])[0])
    return total / float(weight.sum())


def persistence_nll(train_z, train_length, z, length):
    """The same for "the next z is this one, give or take": Gaussians as wide as the steps of the
    training data."""

    def steps(z, length):
        return np.diff(z, axis=1)[np.arange(1, z.shape[1]) < length[:, None]]

    variance = (steps(train_z, train_length) ** 2).mean(0)
    return float(
        (0.5 * steps(z, length) ** 2 / variance + 0.5 * np.log(2 * np.pi * variance)).sum(1).mean()
    )


def dream(m, z, actions, warm):
    """M left to itself after warm frames of z (N, T, Z): fed its own mean and the real actions (N,
    T, 2), it goes on.

    Returns what it expects at frames warm + 1 ... T - 1.
    """
    h = c = np.zeros((len(z), m["step"].shape[1] // 4), np.float32)
    now, out = z[:, 0], []
    for t in range(z.shape[1] - 1):
        h, c, _ = lstm(m, np.concatenate([now, actions[:, t]], 1), h, c)
        now = z[:, t + 1]
        if t >= warm:
            logits, mean, _ = mixture(m, h, z.shape[2])
            now = (np.exp(logits - np.logaddexp.reduce(logits, -1, keepdims=True)) * mean).sum(-1)
            out.append(now)
    return np.stack(out, 1)


def judge_m(config, world, nets, searches, data, rng):
    """How well M predicts drives on test tracks, against three rivals and without the right
    actions."""
    arm = ARMS["v_m"]
    drivers = np.concatenate(
        [searches["v_m"].ask() for _ in range(-(-config.drives // config.population))]
    )
    drivers = weights(arm, config, drivers[: config.drives])
    views, actions, length, _ = collect(world, nets, arm, drivers, rng, unseen=True)
    mu, deviation = latents(nets, views)
    z = mu + deviation * rng.standard_normal(mu.shape, np.float32)
    train_mu, train_deviation = latents(nets, data[0])
    single = make_m(replace(config, components=1), rng)
    train_m(config, single, train_mu, train_deviation, *data[1:3], rng)
    train_z = train_mu + train_deviation * rng.standard_normal(train_mu.shape, np.float32)
    out = {
        "m_nll": model_nll(nets["m"], z, actions, length),
        "m_nll_one_gaussian": model_nll(single, z, actions, length),
        "m_nll_persistence": persistence_nll(train_z, data[2], z, length),
        "m_nll_shuffled_actions": model_nll(nets["m"], z, np.roll(actions, 1, 0), length),
    }
    warm, ahead = config.warm_frames, config.dream_frames
    long = length > warm + ahead
    out["dream_episodes"] = int(long.sum())
    if out["dream_episodes"]:
        z, actions = mu[long, : warm + ahead + 1], actions[long]
        for name, guess in (
            ("dream", dream(nets["m"], z, actions, warm)),
            ("still", z[:, warm : warm + 1]),
        ):
            error = np.sqrt(((guess - z[:, warm + 1 :]) ** 2).mean((0, 2)))  # (ahead,)
            out |= {f"{name}_error_first": float(error[0]), f"{name}_error_last": float(error[-1])}
    return out


def env_speed(world, rng, cars=512, frames=50):
    """Frames of single cars per second: a step and a view each, nothing else."""
    track = rng.integers(len(world.points), size=cars)
    state, action = (
        world.start(track, rng.integers(POINTS, size=cars)),
        rng.uniform(-0.2, 0.2, (cars, 2)),
    )
    start = perf_counter()
    for _ in range(frames):
        world.views(state["track"], state["xy"], state["heading"])
        world.step(state, action)
    return cars * frames / (perf_counter() - start)


def compare(config, world, nets, arms, searches, rng):
    """Scores of all arms and of the rivals that learn nothing, on the same test tracks; differences
    are paired."""
    script, drives = examine_scripted(world), examine(world, nets, arms, searches)
    track = config.train_tracks + np.arange(config.test_tracks)
    noise = wander(config, config.max_frames, len(track), rng)
    ((random, _, _),) = drive(
        world, nets, [(BLIND, np.array([[0, config.random_pedal]]))], track, 0 * track, noise
    )
    out = {
        "scripted_score": float(script[0].mean()),
        "scripted_tiles": float(script[1].mean()),
        "random_score": float(random.mean()),
    }
    for name, (score, tiles, frames) in drives.items():
        out |= {
            f"{name}_score": float(score.mean()),
            f"{name}_sd": float(score.std()),
            f"{name}_tiles": float(tiles.mean()),
            f"{name}_finished": float((tiles == 1).mean()),
            f"{name}_frames": float(frames.mean()),
            f"{name}_weights": arms[name].size(config),
        }
    out["v_m_over_scripted"] = out["v_m_score"] / out["scripted_score"]
    for name in arms:
        if name != "v_m":
            difference = drives["v_m"][0] - drives[name][0]
            out |= {
                f"v_m_minus_{name}": float(difference.mean()),
                f"v_m_minus_{name}_p": paired_p(difference, rng),
            }
    return out


def run(config, seed, progress=None):
    """The whole experiment: V, M, four arms of C, all rivals on the same 100 unseen tracks, and how
    good M is."""
    world, nets, searches, data = train(config, seed, ARMS, progress)
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(100)[99])
    out = compare(config, world, nets, ARMS, searches, rng)
    out["v_hidden_minus_v"] = out["v_hidden_score"] - out["v_score"]
    out["v_sd_minus_v_m_sd"] = out["v_sd"] - out["v_m_sd"]
    out |= judge_m(config, world, nets, searches, data, rng)
    for rival in ("persistence", "one_gaussian", "shuffled_actions"):
        out[f"m_gain_over_{rival}"] = out[f"m_nll_{rival}"] - out["m_nll"]
    return out | {"frames_seen": int(data[2].sum()), "env_steps_per_second": env_speed(world, rng)}


# ---- the study: a driver schooled in dreams, a ring that tests little, and the other controls ----


def look_back(config, nets, data, rng):
    """Everything that M's state says of the drives so far: h and c (F, H) after each frame that
    another one follows, the weights by which the reward (H + 1,) and the end (H + 1,) are read off,
    and the scale on which h is read.

    The reward is a ridge regression on h. That the car is lost in the next frame is a logistic one,
    by Newton's method.
    """
    views, actions, length, reward = data
    mu, deviation = latents(nets, views)
    z = mu + deviation * rng.standard_normal(mu.shape, np.float32)
    h = c = np.zeros((len(z), config.hidden_m), np.float32)
    hs, cs = np.zeros((2, *reward.shape, config.hidden_m), np.float32)
    for t in range(reward.shape[1]):
        h, c, _ = lstm(nets["m"], np.concatenate([z[:, t], actions[:, t]], 1), h, c)
        hs[:, t], cs[:, t] = h, c
    frame = np.arange(reward.shape[1])
    real = frame + 1 < length[:, None]
    last = real & (frame + 2 == length[:, None]) & (length[:, None] < views.shape[1])
    h, c = hs[real], cs[real]
    nets["m_mean"], nets["m_std"] = h.mean(0), h.std(0) + np.float32(1e-3)
    x = np.append(
        (h - nets["m_mean"]) / nets["m_std"], np.ones((len(h), 1)), 1
    )  # (F, H + 1) of float64
    pays = np.linalg.solve(x.T @ x + np.eye(len(x.T)), x.T @ reward[real])
    ends = np.zeros(len(x.T))
    for _ in range(12):
        p = sigmoid(x @ ends)
        slope = x.T @ (last[real] - p) - ends
        ends = ends + np.linalg.solve((x.T * (p * (1 - p))) @ x + np.eye(len(x.T)), slope)
    return h, c, pays.astype(np.float32), ends.astype(np.float32)


def sample(parts, temperature, uniform, normal):
    """z (..., Z) drawn from M's mixtures at a temperature, by which logits are divided and
    variances multiplied.

    uniform and normal, (..., Z), are the dice: the same dice draw the same luck from similar
    mixtures.
    """
    logits, mean, log_s = parts
    share = np.exp((logits - logits.max(-1, keepdims=True)) / temperature)
    share = np.cumsum(share, -1)
    k = (uniform[..., None] * share[..., -1:] > share[..., :-1]).sum(-1)[..., None]
    mean, log_s = (np.take_along_axis(part, k, -1)[..., 0] for part in (mean, log_s))
    return mean + np.exp(np.clip(log_s, -5, 2)) * math.sqrt(temperature) * normal


def dreamt_return(config, nets, arm, theta, past, rng):
    """What candidates theta (P, n) expect to earn, (P, E), in E dreams that start from what M
    remembers of real drives.

    No car, no camera: M draws the next z, C acts on it and on h, M moves on, and its state tells
    the reward. A dream pays as long as the car is not lost, and the price of a frame from then on:
    each counts with its probability.
    """
    h, c, pays, ends = past
    moments = rng.integers(len(h), size=config.school_dreams)
    h, c = np.tile(h[moments], (len(theta), 1)), np.tile(c[moments], (len(theta), 1))
    theta = np.repeat(theta.astype(np.float32), config.school_dreams, 0)
    total, alive = np.zeros(len(h)), np.ones(len(h))
    f = (h - nets["m_mean"]) / nets["m_std"]
    for _ in range(config.school_frames):
        uniform = np.tile(
            rng.random((config.school_dreams, config.latent), np.float32),
            (len(h) // len(moments), 1),
        )
        normal = np.tile(
            rng.standard_normal((len(moments), config.latent), np.float32),
            (len(h) // len(moments), 1),
        )
        z = sample(mixture(nets["m"], h, config.latent), config.temperature, uniform, normal)
        action = act(arm, theta, np.concatenate([z, f], 1))
        h, c, _ = lstm(nets["m"], np.concatenate([z, action], 1), h, c)
        f = (h - nets["m_mean"]) / nets["m_std"]
        total += alive * (f @ pays[:-1] + pays[-1]) - (1 - alive) * FRAME_COST
        alive *= 1 - sigmoid(f @ ends[:-1] + ends[-1])
    return total.reshape(-1, config.school_dreams)


def school(config, world, nets, data, rng):
    """C learns to drive in M's dreams: evolve in the dream, let those candidates drive, teach M
    from all drives, again.

    The search never drives: what happens on the training tracks teaches M, and the rewards seen
    there what M's states are worth. Changes M, in place. Yields after each round: the driver, a
    point of the search; the reward per frame that the last candidates earned in the dream; the
    number of real frames that M has seen.
    """
    arm, answer, search = ARMS["v_m"], np.zeros(ARMS["v_m"].size(config)), None
    for _ in range(config.school_rounds):
        if search:
            drivers = np.concatenate(
                [search.ask() for _ in range(-(-config.drives // config.population))]
            )
            fresh = collect(world, nets, arm, weights(arm, config, drivers[: config.drives]), rng)
            data = tuple(np.concatenate(pair) for pair in zip(data, fresh))
            mu, deviation = latents(nets, data[0])
            train_m(
                replace(config, epochs_m=config.school_epochs),
                nets["m"],
                mu,
                deviation,
                *data[1:3],
                rng,
            )
        past = look_back(config, nets, data, rng)
        search = CMAES(answer, config.sigma, config.population, rng)
        for generation in range(config.school_generations):
            earned = dreamt_return(config, nets, arm, weights(arm, config, search.ask()), past, rng)
            search.tell(-earned.mean(1))
            search.average(generation, config.school_generations, config.averaged)
        answer = search.answer
        yield answer, float(earned.mean()) / config.school_frames, int(data[2].sum())


class Ring:
    """One fixed track, one start, two laws of motion: a world that tests little, kept as a warning.

    r(s) = 8 + 1.4 cos(4 pi s + 0.7) + 0.6 cos(6 pi s + 1.9), 256 points; v <- clip(v + 0.1 throttle
    - 0.04 v, 0, 1.6), heading += 0.4 steer v; 16 x 16 black and white pixels of 0.5 m around the
    car. A frame pays 30 laps driven, minus 0.5 per m beyond 1.4 m from the centre; lost at 2.8 m.
    It has the methods of World, for drive() and all above it.
    """

    pixels, starts, size = 256, 1, 256

    def __init__(self, config):
        self.config, s = config, np.arange(self.size) / self.size
        r = 8 + 1.4 * np.cos(4 * np.pi * s + 0.7) + 0.6 * np.cos(6 * np.pi * s + 1.9)
        self.line = np.stack([r * np.cos(2 * np.pi * s), r * np.sin(2 * np.pi * s)], 1)
        step = np.roll(self.line, -1, 0) - self.line
        self.heading = np.arctan2(step[:, 1], step[:, 0])
        cells = (np.arange(200) + 0.5) * 0.12 - 12
        rows = [self.locate(np.stack([np.full(200, x), cells], 1))[1] for x in cells]
        self.mask = np.where(np.array(rows) < 1.4, 255, 0).astype(np.uint8)
        self.ahead = (3.75 - 0.5 * np.arange(16))[
            :, None
        ]  # by row; to the left, by column, the same numbers

    def locate(self, xy):
        score = xy @ self.line.T - 0.5 * (self.line**2).sum(1)
        point = score.argmax(1)
        return point, np.hypot(*(xy - self.line[point]).T)

    def views(self, track, xy, heading):
        cos, sin = np.cos(heading)[:, None, None] / 0.12, np.sin(heading)[:, None, None] / 0.12
        x, y = ((xy + 12) / 0.12).T[:, :, None, None]
        column = (x + cos * self.ahead) - sin * self.ahead.T  # (N, 16, 16), in cells of 0.12 m
        row = (y + sin * self.ahead) + cos * self.ahead.T
        cell = np.clip(column, 0, 199).astype(np.int32) * 200 + np.clip(row, 0, 199).astype(
            np.int32
        )
        return self.mask.ravel()[cell].reshape(len(xy), -1)

    def start(self, track, point):
        n = len(track)
        return {
            "track": track,
            "point": point,
            "xy": self.line[point].copy(),
            "heading": self.heading[point],
            "speed": np.zeros(n),
            "visited": np.zeros((n, self.size), bool),
            "score": np.zeros(n),
            "frames": np.zeros(n, int),
            "idle": np.zeros(n, int),
        }

    def step(self, cars, action):
        steer, throttle = action[:, 0], (action[:, 1] + 1) / 2
        speed = cars["speed"] = np.clip(0.96 * cars["speed"] + 0.1 * throttle, 0, 1.6)
        cars["heading"] = cars["heading"] + 0.4 * steer * speed
        cars["xy"] += speed[:, None] * np.stack(
            [np.cos(cars["heading"]), np.sin(cars["heading"])], 1
        )
        point, far = self.locate(cars["xy"])
        half = self.size // 2
        laps = ((point - cars["point"] + half) % self.size - half) / self.size
        cars["point"] = point
        cars["visited"][np.arange(len(point)), point] = True
        cars["score"] += 30 * laps - 0.5 * np.maximum(0, far - 1.4)
        cars["frames"] += 1
        return (far > 2.8) | (cars["frames"] >= self.config.max_frames)


RING = {
    "max_frames": 120,
    "train_tracks": 1,
    "episodes": 1,
    "late_episodes": 1,
    "averaged": 1,
    "population": 24,
    "drives": 64,
    "drive_frames": 120,
    "hidden_v": 64,
    "hidden_m": 32,
    "batch_v": 64,
}


def dictate(ring, nets, crew):
    """The actions (T, 1, 2) of a crew of one on its way round the ring."""
    actions, start = [], np.array([0])
    drive(ring, nets, [crew], start, start, watch=lambda *seen: actions.append(seen[-1]))
    return np.array(actions)


def recite(ring, actions, start=0):
    """Scores (N,) of cars that look at nothing: actions (T, N, 2) known by heart, all from one
    point of the ring."""
    n = actions.shape[1]
    cars, going, score = (
        ring.start(np.zeros(n, int), np.full(n, start)),
        np.ones(n, bool),
        np.zeros(n),
    )
    for action in actions:
        done = ring.step(cars, action)
        score[going] = cars["score"][going]
        going &= ~done
    return score


def ring_drivers(config, seed):
    """Who gets round the ring: C with V and M, C with V, C with a V and an M that learned nothing.

    Returns the scores, V + M's seconds, and what V + M's actions earn with closed eyes, from the
    same start and from 15 others; with open eyes, from these others, "elsewhere".
    """
    begun, config = perf_counter(), replace(config, **RING)
    ring, rng = Ring(config), np.random.default_rng([seed, 1])
    nets = {
        "v": make_v(config, rng, ring.pixels),
        "m": make_m(config, rng),
        "raw": make_m(config, rng),
        "z_mean": np.zeros(config.latent, np.float32),
        "z_std": np.ones(config.latent, np.float32),
    }
    naive = nets | {
        name: {key: value.copy() for key, value in nets[name].items()} for name in ("v", "m")
    }
    data = collect(ring, nets, BLIND, np.tile([0, config.random_pedal], (config.drives, 1)), rng)
    learn(config, nets, data, rng)
    out, points, arms = (
        {},
        np.arange(0, ring.size, 16),
        {"v_m": ARMS["v_m"], "v": ARMS["v"], "naive": ARMS["v_m"]},
    )
    for name, arm in arms.items():
        if name == "naive":
            nets = naive
            learn(replace(config, epochs_v=0, epochs_m=0), nets, data, rng)
        (search,) = evolve(config, ring, nets, [arm], config.ring_generations, [rng], rng)
        out.setdefault("ring_seconds", perf_counter() - begun)
        crew = arm, weights(arm, config, search.answer)[None]
        score = drive(ring, nets, [crew], 0 * points, points)[0][0, 0]
        out |= {f"ring_{name}": float(score[0]), f"ring_{name}_elsewhere": float(score[1:].mean())}
        if name == "v_m":
            actions = dictate(ring, nets, crew)
            closed = [float(recite(ring, actions, point)[0]) for point in points]
            out |= {
                "ring_closed_eyes": closed[0],
                "ring_closed_eyes_elsewhere": float(np.mean(closed[1:])),
            }
    return out


def ring_controls(config, rng):
    """The best of 4,010 constant actions, and a search for 30 actions, each held for 4 frames, to
    be known by heart."""
    config = replace(config, **RING)
    ring, hold = Ring(config), 4
    steer, throttle = np.meshgrid(np.linspace(-1, 1, 401), np.linspace(0.1, 1, 10))
    constant = np.stack([steer.ravel(), 2 * throttle.ravel() - 1], 1)
    search = CMAES(np.zeros(2 * config.max_frames // hold), config.sigma, config.population, rng)

    def play(x):
        actions = np.tanh(x.reshape(len(x), -1, 2)).swapaxes(0, 1)
        return recite(ring, np.repeat(actions, hold, 0))

    for _ in range(20 * config.ring_generations):
        search.tell(-play(search.ask()))
    return {
        "ring_constant": float(recite(ring, np.tile(constant, (config.max_frames, 1, 1))).max()),
        "ring_by_heart": float(play(search.mean[None])[0]),
        "ring_by_heart_drives": 20 * config.ring_generations * config.population,
    }


def study(config, seed, progress=None):
    """The other controls, evolved beside V + M with the same budget: h alone, the last four z, no
    input at all. Then drivers that evolve in M's dreams, for several seeds; then the fixed ring,
    for more."""
    tell = progress or (lambda fraction, message: None)
    arms, driven = {"v_m": ARMS["v_m"]} | MORE_ARMS, []
    world, nets, searches, data = train(
        config,
        seed,
        arms,
        lambda fraction, message: tell(0.4 * fraction, message),
        lambda *seen: driven.append(seen[3][0][2].sum()),
    )
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(100)[99])
    out = compare(config, world, nets, arms, searches, rng)
    out["v_m_frames_driven"] = int(sum(driven))
    lists = {}
    for k in range(config.schools):
        world, nets, _, data = train(replace(config, generations=0), seed + k, {})
        script, track = (
            examine_scripted(world)[0].mean(),
            config.train_tracks + np.arange(config.test_tracks),
        )
        lessons = school(config, world, nets, data, np.random.default_rng([seed + k, 2]))
        for lesson, (answer, promised, frames_seen) in enumerate(lessons):
            crew = ARMS["v_m"], weights(ARMS["v_m"], config, answer)[None]
            score, tiles, frames = drive(world, nets, [crew], track, 0 * track)[0][:, 0]
            now = {
                "score": score.mean(),
                "sd": score.std(),
                "tiles": tiles.mean(),
                "scripted": script,
                "promised": promised,
                "paid": score.sum() / frames.sum(),
                "frames_seen": frames_seen,
            }
            for name, value in now.items():
                lists.setdefault(f"school_{k}_{name}", []).append(float(value))
            tell(
                0.4 + 0.5 * (k + (lesson + 1) / config.school_rounds) / config.schools,
                f"school {k}, round {lesson + 1}: {score.mean():.0f} on unseen tracks",
            )
    for k in range(config.rings):
        for name, value in ring_drivers(config, seed + k).items():
            lists.setdefault(name, []).append(value)
        tell(0.9 + 0.1 * (k + 1) / config.rings, f"ring {k}: {value:.0f}")
    return out | lists | ring_controls(config, np.random.default_rng([seed, 3]))


# ---- tail: the command line, byte-identical in every stub; its text stands in SPEC.md ----
import argparse, json, os, pathlib, shutil, sys, time, tomllib, typing  # noqa: E401, E402


def add_setting(parser, name, hint, default):
    """Add a field of Config as a flag that refuses words of another kind or out of its range."""
    kind, *many = typing.get_args(hint.__origin__) or [hint.__origin__]  # tuple[kind, ...] or kind
    text, *legal = hint.__metadata__
    how = {"action": argparse.BooleanOptionalAction}
    if kind is not bool:

        def value(word):
            if (word in legal[0]) if kind is str else legal[0][0] <= kind(word) <= legal[0][1]:
                return kind(word)
            raise ValueError  # argparse then says: argument FLAG: invalid NAME value: 'WORD'

        span = " or ".join(legal[0]) if kind is str else f"{kind.__name__} in {list(legal[0])}"
        value.__name__ = span
        text = f"{text}, {span}"
        how = {"type": value, "nargs": "+" if many else None, "metavar": kind.__name__.upper()}
    text = f"{text}; default {default}".replace("%", "%%")
    parser.add_argument(f"--{name.replace('_', '-')}", help=text, default=argparse.SUPPRESS, **how)


def plain(said):
    """A message as one line of bounded length, with control characters as escapes."""
    return repr(str(said))[1:-1][:300]


def command_line(this):
    """The parser of a program's flags: a few of every program, and one for each field of Config."""
    name, form = pathlib.Path(this.__file__).name, argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(name, description=this.__doc__, formatter_class=form)
    parser.error = lambda said: parser.exit(2, f"{name}: {plain(said)} (see --help)\n")
    parser.add_argument("--quick", action="store_true", help="seconds: it proves the code alone")
    parser.add_argument("--all", action="store_true", help="print every metric, not only claims")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="keep the record there")
    seed = typing.Annotated[int, "seed of every random number", (0, 2**32 - 1)]
    add_setting(parser, "seed", seed, 0)
    for setting, hint in typing.get_type_hints(this.Config, include_extras=True).items():
        add_setting(parser, setting, hint, getattr(this.Config, setting))
    return parser


def passes(claim, value):
    """Whether the value of a claim's metric passes the claim's test."""
    value = float("nan") if value is None else value  # which passes no test
    if "within" in claim:
        low, high = claim["within"]
        return low <= value <= high
    bar = claim["threshold"]
    tests = {">=": value >= bar, "<=": value <= bar, ">": value > bar, "<": value < bar}
    return (tests | {"==": value == bar})[claim["op"]]


def claims_of(here):
    """The card's claims about the program at `here`, each tried for what the report needs of it."""
    card, source = here.with_name("card.toml"), "study" if here.stem[:6] == "study_" else "run"
    claims = tomllib.loads(card.read_text("utf-8"))["claims"] if card.exists() else []
    claims = [claim for claim in claims if claim.get("from", "run") == source]
    for claim in claims:
        passes(claim, 0.0), claim["metric"], claim["says"], claim["paper"], claim["level"]
    return claims


def flatten(table, prefix=""):
    """{row: {column: number}} as {"row.column": number}. FloatingPointError: one is nan or inf."""
    flat = {}
    for name, value in table.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        elif value is not None and not np.all(np.isfinite(value)):
            raise FloatingPointError(f"metric {prefix}{name} is {value}")
        else:
            flat[prefix + name] = value
    return flat


def print_report(numbers, claims, everything):
    """Print each claim with its test, the headline first, then the verdict; or all metrics too."""
    text = {name: "none" if v is None else f"{v:.5g}" for name, v in numbers.items()}
    for name in text if everything or not claims else ():
        print(f"  {name:<{max(map(len, text))}}  {text[name]}")
    failed = [claim for claim in claims if not passes(claim, numbers[claim["metric"]])]
    for claim in claims:
        needed = f"{claim.get('op', 'within')} {claim.get('threshold', claim.get('within'))}"
        paper = "an extra, not judged" if claim["level"] == "extra" else f"paper: {claim['paper']}"
        print(f"{'fails' if claim in failed else 'holds'}  {claim['says']}")
        print(f"       {claim['metric']} {text[claim['metric']]}, needed {needed}; {paper}")
    levels = {claim["level"] for claim in failed}
    verdict = "partial" if "paper" in levels else "reproduces"
    verdict = "does not reproduce" if "trend" in levels else verdict
    if claims:
        print(f"this run: {verdict}; {len(claims) - len(failed)} of {len(claims)} claims hold")


def progress_on_stderr(started):
    """A progress(fraction, message): one live line on a terminal, elsewhere a line each 10 s."""
    live, shown = sys.stderr.isatty(), [0.0]

    def progress(fraction, message):
        now = time.monotonic()
        if now - shown[0] >= (0.1 if live else 10):
            shown[0] = now
            line = f"{fraction:4.0%} {now - started:4.0f} s  {plain(message)}"
            line = line[: shutil.get_terminal_size().columns - 1]
            begin, end = ("\r\033[K", "") if live else ("", "\n")
            print(f"{begin}{line}", end=end, file=sys.stderr, flush=True)

    return progress


def write_record(path, record):
    """Write or replace the file in one step: a full disk or Ctrl-C leaves what was there."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(json.dumps(record, default=lambda number: number.item()) + "\n", "utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def main(this, argv=None):
    """Run a module. Exit code 0: it ran; 1: it diverged; 2: unusable arguments; 130: Ctrl-C."""
    here, started, parser = pathlib.Path(this.__file__), time.monotonic(), command_line(this)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # what a terminal cannot show costs no record
    given = vars(parser.parse_args(argv))
    if odd := [name for name, value in given.items() if value == []]:  # argparse on FLAG=--
        parser.error(f"argument --{odd[0].replace('_', '-')}: expected a value")
    seed, path = given.pop("seed", 0), given.pop("json")
    quick, everything = given.pop("quick"), given.pop("all")
    try:
        taken = path and path.exists() and not path.is_file()
        if taken or path and not os.access(f"{path.parent}/", os.W_OK):
            parser.error(f"argument --json: no file can be written at {path}")
        given = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
        config = this.Config(**((this.QUICK if quick else {}) | given))
    except (OSError, ValueError) as error:
        parser.error(error)
    try:
        claims = claims_of(here)
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        parser.error(f"card.toml beside it cannot be used: {type(error).__name__} {error}")
    try:
        metrics = flatten(this.run(config, seed, progress_on_stderr(started)))
        record = {"seed": seed, "quick": quick, "config": vars(config), "metrics": metrics}
        record["seconds"] = time.monotonic() - started
        record["processor_seconds"] = time.process_time()
        if path:
            write_record(path, record)
    except KeyboardInterrupt:
        sys.exit(130)
    except (FloatingPointError, MemoryError, OSError) as error:
        sys.exit(f"{parser.prog} stopped: {plain(error)}")
    numbers = {name: v for name, v in metrics.items() if not isinstance(v, list)}
    if lost := [claim["metric"] for claim in claims if claim["metric"] not in numbers]:
        sys.exit(f"{parser.prog}: card.toml names {lost[0]}, which run() returns no number for")
    try:
        cost = f"{record['processor_seconds']:.1f} s of one core"
        print(f"\n{here.stem}, seed {seed}, {cost}{', a quick run: no claim is proved' * quick}")
        print_report(numbers, claims, everything)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads, head for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main(sys.modules[__name__])
