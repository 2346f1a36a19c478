# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""World models: a VAE sees, a mixture-density LSTM remembers, and 162 evolved weights drive.

Paper: D. Ha, J. Schmidhuber, "Recurrent World Models Facilitate Policy Evolution", NeurIPS 2018.
Task: get round a random track that nobody has shown you, from 32 x 32 grey pixels. Neither speed
nor wheel angle can be seen.
Method: V presses a view into 16 numbers z. M learns to predict the next z from z and the action,
and carries a state h. C is linear in z and h, and all that ever sees the reward: CMA-ES evolves it.
Random drives teach V and M, half-evolved drivers collect better ones, and V and M learn again.
Claim: h turns an erratic driver into a steady one (632 +- 251 without, 906 +- 21 with it), and a
hidden layer in C does not (788 +- 141).
Rivals: C on z alone, with a hidden layer, and with the state of an M that was never trained. All
are evolved side by side, on the same tracks with the same budget.

    python3 world_models_carracing.py --seed 0       about two minutes of one core
    python3 world_models_carracing.py --quick        a moment: it proves the code
    python3 study_world_models_carracing.py          what M uses, and longer searches
"""

import math
import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated

# one core is what the budget counts
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    train_tracks: Annotated[int, "random tracks for data and evolution", (1, 900)] = 64
    test_tracks: Annotated[int, "other tracks, on which nothing is chosen", (2, 900)] = 100
    latent: Annotated[int, "latent numbers z of V", (1, 256)] = 16
    hidden_v: Annotated[int, "units in the hidden layers of V", (1, 4096)] = 128
    hidden_m: Annotated[int, "LSTM units of M", (1, 4096)] = 64
    components: Annotated[int, "Gaussians per latent number", (1, 100)] = 5
    window: Annotated[int, "frames of backpropagation through time", (1, 10**4)] = 32
    drives: Annotated[int, "episodes collected per round", (32, 10**5)] = 256
    epochs_v: Annotated[int, "passes of V over the views, per round", (1, 1000)] = 6
    epochs_m: Annotated[int, "passes of M over the episodes, per round", (1, 1000)] = 25
    population: Annotated[int, "candidates per generation", (4, 10**4)] = 32
    episodes: Annotated[int, "episodes of each candidate in a generation", (1, 1000)] = 3
    late_episodes: Annotated[int, "the same, second half of the generations", (1, 1000)] = 6
    generations: Annotated[int, "generations of the search", (1, 10**6)] = 120
    sigma: Annotated[float, "first step of the search, in 1 / sqrt(fan-in)", (1e-6, 100.0)] = 0.3

    def __post_init__(self):
        if max(self.episodes, self.late_episodes) > self.train_tracks:
            raise ValueError("argument --train-tracks: each episode needs a track of its own")


QUICK = {"train_tracks": 6, "test_tracks": 4, "drives": 32, "epochs_v": 1, "epochs_m": 1}
QUICK |= {"population": 4, "episodes": 1, "late_episodes": 2, "generations": 3}

# ---- the world: random closed tracks, and cars on them -------------------------------------------
# Shapes: N cars, K tracks, P points of a centre line.
POINTS, TILES = 400, 100  # of a centre line, at equal arcs
DT, MAX_FRAMES = 0.1, 400  # seconds per frame; frames after which an episode ends
HALF_WIDTH, TILE_REACH, LOST = 3.0, 4.0, 10.0  # m from the centre: road, a tile counts, the end
SIDE, PIXEL, CAR_ROW = 32, 0.75, 24  # a view: pixels, m each; the car's row, heading up
TILE_REWARD, FRAME_COST = 1000 / TILES, 0.4
GAS, BRAKE, GRIP, GRASS_GRIP = 4.0, 7.0, 5.0, 2.0  # m/s^2
DRAG, GRASS_DRAG = 0.0064, 0.3  # 1/m; 1/s
STEER_LIMIT, STEER_LAG, WHEELBASE = 0.5, 0.25, 2.5  # rad; s; m
VALIDATION_TRACKS = 16  # for the learning curve alone


def make_tracks(count, rng):
    """Draws centre lines (K, P, 2) in m, driven in the order of their points.

    r(phi) = 30 (1 + sum_k a_k cos(k phi + psi_k)), k = 2..6. Drawn again where a bend is tighter
    than 5 m, r < 9 m, or parts more than 20 m apart along the track come closer than 9 m.
    """
    k = np.arange(2, 7)[:, None]  # (5, 1)
    phi = np.linspace(0, 2 * np.pi, 125, endpoint=False)  # (125,), to look for tight bends
    found = []
    while len(found) < count:
        a = rng.uniform(0.3, 1, (256, 5, 1)) * 0.6 / k**0.8  # (256, 5, 1)
        psi = rng.uniform(0, 2 * np.pi, (256, 5, 1))  # (256, 5, 1)
        turned = rng.random(256) < 0.5  # (256,)
        wave = a * np.exp(1j * (k * phi + psi))  # (256, 5, 125)
        r = 30 + 30 * wave.real.sum(1)  # (256, 125)
        r1 = -30 * (k * wave).imag.sum(1)  # (256, 125) dr / dphi
        r2 = -30 * (k * k * wave).real.sum(1)  # (256, 125)
        bend = np.abs(r * r + 2 * r1 * r1 - r * r2) / (r * r + r1 * r1) ** 1.5  # 1/m
        for i in np.flatnonzero((r.min(1) >= 9) & (bend.max(1) <= 1 / 5)):
            points = equal_arcs(a[i], psi[i], k)
            if points is not None:
                found.append(points[::-1] if turned[i] else points)
    tracks = np.array(found[:count])  # (K, P, 2)
    return tracks - (tracks.max(1) + tracks.min(1))[:, None] / 2


def equal_arcs(a, psi, k):
    """Returns P points (P, 2) at equal arcs of one curve, or None where it nears itself."""
    phi = np.linspace(0, 2 * np.pi, 1001)  # (1001,)
    radius = 30 + 30 * (a * np.cos(k * phi + psi)).sum(0)  # (1001,)
    curve = radius[:, None] * np.stack([np.cos(phi), np.sin(phi)], 1)  # (1001, 2)
    arc = np.concatenate([[0], np.hypot(*np.diff(curve, axis=0).T).cumsum()])  # (1001,) m
    at = np.linspace(0, arc[-1], POINTS, endpoint=False)  # (P,) m
    points = np.stack([np.interp(at, arc, axis) for axis in curve.T], 1)  # (P, 2)
    gap = np.abs(at[::4, None] - at[::4])  # (P / 4, P / 4) m along the track
    apart = np.minimum(gap, arc[-1] - gap) > 20
    distance = np.hypot(*(points[::4, None] - points[::4]).T)  # (P / 4, P / 4)
    return points if distance[apart].min() >= 9 else None


CELL, CELLS, BLOCK = 0.75, 256, 8  # m per cell of a map of near points; cells along it; a block
SPLIT = 2  # cells of the picture in a cell of the map, along each side
FINE = CELLS * SPLIT  # cells along the picture
ORIGIN = CELLS * CELL / 2  # m from a map's edge to its middle
CARS_AT_ONCE = 64  # whose views are drawn together: they stay in the cache
GRASS, SEAM, ROAD = 0, 204, 255


def square(corners, size):
    """Returns the (row, column) of all cells of squares with these corners (N, 2)."""
    inside = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), -1)
    return (corners[:, None] + inside.reshape(-1, 2)).reshape(-1, 2)


def middles(cells, cell):
    """Returns the places (N, 2) in m of the middles of cells (row, column) of a size in m."""
    return ((cells[:, ::-1] + 0.5) * cell - ORIGIN).astype(np.float32)


class World:
    """Tracks with two maps each, so that neither a step nor a view has to search: the number of a
    point near the nearest one, and a picture seen from above, with a seam at each fifth tile."""

    def __init__(self, tracks):
        self.points = tracks.astype(np.float32)  # (K, P, 2)
        step = np.roll(tracks, -1, 1) - tracks  # (K, P, 2)
        self.heading = np.arctan2(step[..., 1], step[..., 0])  # (K, P)
        self.nearest = np.full((len(tracks), CELLS, CELLS), -1, np.int16)
        self.picture = np.zeros((len(tracks), FINE, FINE), np.uint8)
        for k in range(len(tracks)):
            self.draw_maps(k)

    def draw_maps(self, k):
        """Fills in the two maps of track k, where its road is near."""
        blocks = square(np.zeros((1, 2), np.intp), CELLS // BLOCK)  # (1024, 2)
        _, far = self.search(k, middles(blocks, BLOCK * CELL))
        near = far < LOST + 4 + BLOCK * CELL * 0.71  # (1024,)
        cells = square(blocks[near] * BLOCK, BLOCK)  # (C, 2)
        point, far = self.search(k, middles(cells, CELL))
        self.nearest[k, cells[:, 0], cells[:, 1]] = point

        near = far < HALF_WIDTH + 2  # (C,)
        fine = square(cells[near] * SPLIT, SPLIT)  # (F, 2)
        guess = np.repeat(point[near], SPLIT * SPLIT)  # (F,)
        point, far = self.refine(np.full(len(fine), k), guess, middles(fine, CELL / SPLIT))
        seam = point % (5 * POINTS // TILES) < 2  # (F,)
        colour = np.where(far < HALF_WIDTH, np.where(seam, SEAM, ROAD), GRASS)  # (F,)
        self.picture[k, fine[:, 0], fine[:, 1]] = colour

    def search(self, k, xy):
        """Returns which fourth point of track k is nearest to each place, (N,), and how far."""
        line = self.points[k, ::4]  # (P / 4, 2)
        best = (xy @ line.T - 0.5 * (line * line).sum(1)).argmax(1)  # (N,)
        return 4 * best, np.hypot(*(xy - line[best]).T)

    def refine(self, track, point, xy):
        """Goes from a point close to the nearest one to the nearest: (N,), and its distance."""
        near = (point[:, None] + np.arange(-3, 4)) % POINTS  # (N, 7)
        offset = self.points[track[:, None], near] - xy[:, None]  # (N, 7, 2)
        distance = (offset * offset).sum(2)  # (N, 7) squared
        best = distance.argmin(1)  # (N,)
        rows = np.arange(len(xy))
        return near[rows, best], np.sqrt(distance[rows, best])

    def locate(self, track, xy):
        """Returns the nearest point (N,) and its distance; off the map a car is lost."""
        column, row = np.clip((xy + ORIGIN) / CELL, 0, CELLS - 1).astype(np.intp).T
        point = self.nearest[track, row, column]  # (N,)
        found, far = self.refine(track, point, xy)
        return found, np.where(point < 0, 2 * LOST, far)

    def views(self, track, xy, heading):
        """Returns what the cars see, (N, SIDE * SIDE) of uint8.

        A pixel's place is that of its row straight ahead plus a step to the left. Both are rounded
        to cells of the picture, so that one sum is the pixel's index.
        """
        side = np.arange(SIDE, dtype=np.float32)
        one = np.float32(SPLIT / CELL)  # picture cells in a metre
        ahead = (CAR_ROW - side) * PIXEL * one  # (SIDE,) by row
        left = ((SIDE - 1) / 2 - side) * PIXEL * one  # (SIDE,) by column
        direction = np.stack([np.cos(heading), np.sin(heading)]).astype(np.float32)
        cos, sin = direction[:, :, None]  # (N, 1)
        x, y = ((xy + ORIGIN).astype(np.float32) * one).T[:, :, None]  # (N, 1)
        row = (y + sin * ahead).astype(np.int32) * FINE + (x + cos * ahead).astype(np.int32)
        row = row + (track * FINE * FINE)[:, None]  # (N, SIDE)
        column = np.rint(cos * left) * FINE - np.rint(sin * left)  # (N, SIDE)
        column = column.astype(np.intp)
        out = np.empty((len(track), SIDE, SIDE), np.uint8)
        for first in range(0, len(track), CARS_AT_ONCE):
            some = slice(first, first + CARS_AT_ONCE)
            cell = row[some, :, None] + column[some, None]  # (n, SIDE, SIDE)
            self.picture.ravel().take(cell, out=out[some], mode="clip")
        return out.reshape(len(track), -1)

    def start(self, track, point):
        """Puts N cars on the centre line, at rest and heading along it: what step() moves on."""
        n = len(track)
        return {
            "track": track,
            "point": point,
            "xy": self.points[track, point].astype(float),  # (N, 2) m
            "heading": self.heading[track, point],  # rad
            "speed": np.zeros(n),  # m/s
            "wheel": np.zeros(n),  # rad
            "far": np.zeros(n),  # m from the centre line
            "visited": np.zeros((n, TILES), bool),
            "tiles": np.zeros(n, np.intp),  # visited ones
            "score": np.zeros(n),
            "frames": np.zeros(n, np.intp),
            "idle": np.zeros(n, np.intp),  # frames since the last new tile
        }

    def step(self, cars, action):
        """Moves all cars by a frame, in place, and says which episodes are over, (N,).

        action (N, 2) in [-1, 1]: steer to the left; gas above 0, brake below.
        """
        self.move(cars, *action.T)
        cars["point"], cars["far"] = self.locate(cars["track"], cars["xy"].astype(np.float32))
        rows = np.arange(len(action))
        tile = cars["point"] * TILES // POINTS  # (N,)
        new = ~cars["visited"][rows, tile] & (cars["far"] < TILE_REACH)  # (N,)
        cars["visited"][rows, tile] |= new
        cars["tiles"] += new
        cars["score"] += TILE_REWARD * new - FRAME_COST
        cars["frames"] += 1
        cars["idle"] = np.where(new, 0, cars["idle"] + 1)
        return (cars["tiles"] == TILES) | (cars["far"] > LOST) | (cars["frames"] >= MAX_FRAMES)

    def move(self, cars, steer, pedal):
        """Applies the car's physics for a frame; the wheels follow the command with a lag."""
        grass = cars["far"] > HALF_WIDTH  # (N,)
        speed = cars["speed"]  # (N,)
        force = np.where(pedal > 0, GAS, BRAKE) * pedal - DRAG * speed**2
        force -= GRASS_DRAG * speed * grass
        cars["speed"] = speed = np.maximum(speed + DT * force, 0)
        cars["wheel"] += (STEER_LIMIT * steer - cars["wheel"]) * DT / STEER_LAG
        limit = np.where(grass, GRASS_GRIP, GRIP) / np.maximum(speed, 0.1)  # (N,) rad/s
        turn = np.clip(speed * np.tan(cars["wheel"]) / WHEELBASE, -limit, limit)
        cars["heading"] = cars["heading"] + DT * turn
        direction = np.stack([np.cos(cars["heading"]), np.sin(cars["heading"])], 1)  # (N, 2)
        cars["xy"] += DT * speed[:, None] * direction


def make_world(config, rng):
    """Draws the tracks: some to learn on, some for the learning curve, and those of the test."""
    counts = [config.train_tracks, VALIDATION_TRACKS, config.test_tracks]
    world = World(make_tracks(sum(counts), rng))
    ends = np.cumsum(counts)
    world.train, world.validation, world.test = np.split(np.arange(ends[-1]), ends[:-1])
    return world


# ---- V: a variational autoencoder ----------------------------------------------------------------
# Shapes: B views, D = SIDE * SIDE pixels, H hidden units, Z latent numbers. Nets are dicts.
FREE_NATS = 0.5  # per latent number, which the KL term leaves free


def sigmoid(x):
    """Returns 1 / (1 + exp(-x)), which cannot overflow in this form."""
    return 0.5 * np.tanh(0.5 * x) + 0.5


def make_v(config, rng):
    """Draws V: D -> H relu -> mean and log variance of Z; Z -> H relu -> D logits."""
    pixels, hidden, latent = SIDE * SIDE, config.hidden_v, config.latent
    shapes = {"see": (pixels, hidden), "code": (hidden, 2 * latent)}
    shapes |= {"recall": (latent, hidden), "paint": (hidden, pixels)}
    v = {}
    for name, shape in shapes.items():
        v[name] = rng.standard_normal(shape) * math.sqrt(2 / shape[0])
        v[name + "_bias"] = np.zeros(shape[1])
    v["code"] *= 0.3
    return {name: value.astype(np.float32) for name, value in v.items()}


def encode(v, x):
    """Returns mean and log variance (B, Z) of z, and the hidden layer (B, H), of views (B, D)."""
    seen = np.maximum(x @ v["see"] + v["see_bias"], 0)
    code = seen @ v["code"] + v["code_bias"]  # (B, 2Z)
    latent = code.shape[1] // 2
    return code[:, :latent], code[:, latent:], seen


def decode(v, z):
    """Returns the logits of the pixels (B, D) and the hidden layer (B, H) of z (B, Z)."""
    recalled = np.maximum(z @ v["recall"] + v["recall_bias"], 0)
    return recalled @ v["paint"] + v["paint_bias"], recalled


def v_gradient(v, x, noise):
    """Returns the gradient of V's loss, which is a mean over views x (B, D) in [0, 1]:

    -log p(x | z) + sum_d max(KL_d, free nats), with z = mu + s noise and
    KL_d = (mu^2 + s^2 - 1 - log s^2) / 2, a mean over the batch.
    """
    mu, log_var, seen = encode(v, x)
    s = np.exp(0.5 * log_var)  # (B, Z)
    z = mu + s * noise  # (B, Z)
    logits, recalled = decode(v, z)
    kl = 0.5 * (mu**2 + s * s - 1 - log_var).mean(0)  # (Z,)
    paid = (kl > FREE_NATS) / x.dtype.type(len(x))  # (Z,)
    grads = {}

    def back(name, inputs, d_outputs):
        grads[name] = inputs.T @ d_outputs
        grads[name + "_bias"] = d_outputs.sum(0)
        return d_outputs @ v[name].T

    d_logits = (sigmoid(logits) - x) / x.dtype.type(len(x))  # (B, D)
    d_recalled = back("paint", recalled, d_logits) * (recalled > 0)  # (B, H)
    d_z = back("recall", z, d_recalled)  # (B, Z)
    d_mu = d_z + paid * mu  # (B, Z)
    d_log_var = 0.5 * (d_z * s * noise + paid * (s * s - 1))  # (B, Z)
    d_seen = back("code", seen, np.concatenate([d_mu, d_log_var], 1)) * (seen > 0)  # (B, H)
    grads["see"], grads["see_bias"] = x.T @ d_seen, d_seen.sum(0)
    return grads


# ---- M: an LSTM with a mixture-density head ------------------------------------------------------
# Shapes: T frames, B episodes, R = T B, H units, K Gaussians. From z_t and a_t M makes h_{t+1},
# and from that K logits, means and log deviations for each number of z_{t+1}.
LOG_S = -5, 2  # bounds of a log deviation


def make_m(config, rng):
    """Draws M: forget gates start open, and the means of the Gaussians apart."""
    z, h, k = config.latent, config.hidden_m, config.components
    unit = 1 / math.sqrt(z + 2 + h)
    m = {
        "input": rng.standard_normal((z + 2, 4 * h)) * unit,
        "recurrent": rng.standard_normal((h, 4 * h)) * unit,
        "bias": np.repeat([0.0, 1.0, 0.0, 0.0], h),  # of input, forget and output gate, candidate
        "head": rng.standard_normal((3 * k * z, h)) * 0.1 / math.sqrt(h),
        "head_bias": np.zeros((3, k, z)),
    }
    if k > 1:
        m["head_bias"][1] = np.linspace(-1, 1, k)[:, None]
    return {name: value.astype(np.float32) for name, value in m.items()}


def lstm(m, fed, h, c):
    """Takes one step: returns h and c (B, H) after it, and the gates (B, 4H); fed (B, 4H) is what
    comes from z and the action, with the bias."""
    units = h.shape[1]
    gates = h @ m["recurrent"]
    gates += fed
    gates[:, : 3 * units] *= 0.5  # sigmoid(x) = tanh(x / 2) / 2 + 1 / 2
    np.tanh(gates, out=gates)
    gates[:, : 3 * units] *= 0.5
    gates[:, : 3 * units] += 0.5
    i, f, o, g = (gates[:, k * units : (k + 1) * units] for k in range(4))
    c = f * c + i * g
    return o * np.tanh(c), c, gates


def feed(m, z, action):
    """Returns what z (..., Z) and action (..., 2) send to the gates, (..., 4H)."""
    return np.concatenate([z, action], -1) @ m["input"] + m["bias"]


def mixture(m, h):
    """Returns logits, means and log deviations (3, K, Z, R) of the next z, from h (R, H)."""
    bias = m["head_bias"]
    return (m["head"] @ h.T).reshape(*bias.shape, len(h)) + bias[..., None]


def shares(logits):
    """Returns softmax(logits) over the first axis, and the logarithm of its denominator."""
    peak = logits.max(0)
    e = np.exp(logits - peak)
    total = e.sum(0)
    return e / total, peak + np.log(total)


def mixture_loss(out, target, weight):
    """Returns -log p(target) in nats, summed over z and weighted, and its gradient at out.

    out (3, K, Z, R), target (Z, R), weight (R,). With r the share of a Gaussian in the density:
    d/dlogit = pi - r, d/dmean = -r u / s, d/dlog s = r (1 - u^2), u = (target - mean) / s.
    """
    logits, mean, raw = out
    log_s = np.clip(raw, *LOG_S)
    pi, log_total = shares(logits)
    u = (target - mean) * np.exp(-log_s)  # (K, Z, R)
    log_p = logits - log_total - log_s - 0.5 * u * u - 0.5 * math.log(2 * math.pi)
    r, log_density = shares(log_p)  # (K, Z, R), (Z, R)
    d_out = np.empty_like(out)
    d_out[0] = pi - r
    d_out[1] = -r * u * np.exp(-log_s)
    d_out[2] = r * (1 - u * u) * (raw == log_s)
    d_out *= weight
    return -(log_density * weight).sum(), d_out


def m_gradient(m, z, action, target, weight, h, c):
    """Returns loss, gradient and last (h, c) of a window: z and target (T, B, Z), weight (T, B).

    Backpropagation through time ends at the window's start: h and c (B, H) are taken as given.
    """
    T, B, units = *weight.shape, h.shape[1]
    hs = np.empty((T + 1, B, units), z.dtype)
    cs = np.empty((T + 1, B, units), z.dtype)
    gates = np.empty((T, B, 4 * units), z.dtype)
    fed = feed(m, z, action)  # (T, B, 4H)
    hs[0], cs[0] = h, c
    for t in range(T):
        hs[t + 1], cs[t + 1], gates[t] = lstm(m, fed[t], hs[t], cs[t])
    after = hs[1:].reshape(T * B, units)  # (R, H)
    out = mixture(m, after)
    loss, d_out = mixture_loss(out, target.reshape(T * B, -1).T, weight.ravel())
    d_rows = d_out.reshape(len(m["head"]), -1)  # (3KZ, R)
    d_h = (d_rows.T @ m["head"]).reshape(T, B, units)
    d_gates = lstm_backward(m, d_h, gates, cs).reshape(T * B, -1)  # (R, 4H)
    x = np.concatenate([z, action], 2).reshape(T * B, -1)  # (R, Z + 2)
    grads = {
        "input": x.T @ d_gates,
        "recurrent": hs[:-1].reshape(T * B, units).T @ d_gates,
        "bias": d_gates.sum(0),
        "head": d_rows @ after,
        "head_bias": d_out.sum(3),
    }
    return loss, grads, hs[-1], cs[-1]


def lstm_backward(m, d_h, gates, cs):
    """Returns the errors at the gates' net inputs (T, B, 4H) from those at h (T, B, H)."""
    i, f, o, g = np.split(gates, 4, axis=2)
    squashed = np.tanh(cs[1:])  # (T, B, H)
    leak = o * (1 - squashed**2)  # dc / dh
    slopes = np.concatenate(  # of c (h for the output gate) by the net inputs, (T, B, 4H)
        [g * i * (1 - i), cs[:-1] * f * (1 - f), squashed * o * (1 - o), i * (1 - g**2)], 2
    )
    d_gates = np.empty_like(gates)
    back = m["recurrent"].T
    later_h = later_c = 0  # errors that come back from the step after
    for t in reversed(range(len(d_h))):
        dh = d_h[t] + later_h
        dc = dh * leak[t] + later_c
        np.multiply(slopes[t], np.concatenate([dc, dc, dh, dc], 1), out=d_gates[t])
        later_h = d_gates[t] @ back
        later_c = dc * f[t]
    return d_gates


BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam


class Adam:
    """Adam, with the gradient's norm clipped; it changes the net in place."""

    def __init__(self, net, clip):
        self.net, self.clip, self.steps = net, clip, 0
        self.mean = {name: np.zeros_like(value) for name, value in net.items()}
        self.square = {name: np.zeros_like(value) for name, value in net.items()}

    def step(self, grads, rate):
        """Takes one step against the gradient."""
        self.steps += 1
        norm = math.sqrt(sum(float(np.vdot(grad, grad)) for grad in grads.values()))
        if not math.isfinite(norm):
            raise FloatingPointError(f"gradient is {norm} at update {self.steps}")
        scale = min(1, self.clip / (norm + EPSILON))
        rate *= math.sqrt(1 - BETA_2**self.steps) / (1 - BETA_1**self.steps)
        for name, grad in grads.items():
            grad = scale * grad
            self.mean[name] += (1 - BETA_1) * (grad - self.mean[name])
            self.square[name] += (1 - BETA_2) * (grad * grad - self.square[name])
            self.net[name] -= rate * self.mean[name] / (np.sqrt(self.square[name]) + EPSILON)


# ---- C, and the evolution strategy that finds its weights ----------------------------------------
class CMAES:
    """Evolution strategy with covariance matrix adaptation (N. Hansen, "The CMA evolution strategy:
    a tutorial", 2016), for n weights. ask() draws candidates, tell() learns from their losses."""

    def __init__(self, mean, sigma, population, rng):
        self.mean, self.sigma, self.population, self.rng = mean, sigma, population, rng
        n = self.n = len(mean)
        half = population // 2
        w = math.log(half + 0.5) - np.log(np.arange(1, half + 1))  # (half,)
        self.w = w / w.sum()
        eff = self.eff = 1 / (self.w**2).sum()
        self.c_s = (eff + 2) / (n + eff + 5)
        self.d_s = 1 + self.c_s + 2 * max(0, math.sqrt((eff - 1) / (n + 1)) - 1)
        self.c_c = (4 + eff / n) / (n + 4 + 2 * eff / n)
        self.c_1 = 2 / ((n + 1.3) ** 2 + eff)
        self.c_mu = min(1 - self.c_1, 2 * (eff - 2 + 1 / eff) / ((n + 2) ** 2 + eff))
        self.expected = math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n))  # |N(0, I)|
        self.p_s, self.p_c = np.zeros(n), np.zeros(n)
        self.C, self.basis, self.scales = np.eye(n), np.eye(n), np.ones(n)
        self.generation = 0
        self.answer = np.zeros(n)

    def ask(self):
        """Draws candidates (population, n) from N(mean, sigma^2 C)."""
        normal = self.rng.standard_normal((self.population, self.n))
        self.steps = (normal * self.scales) @ self.basis.T  # (population, n)
        return self.mean + self.sigma * self.steps

    def tell(self, losses):
        """Moves mean, paths, C and sigma towards the better half of the candidates of ask()."""
        self.generation += 1
        best = self.steps[np.argsort(losses, kind="stable")[: len(self.w)]]  # (half, n)
        move = self.w @ best  # (n,)
        self.mean = self.mean + self.sigma * move
        white = self.basis @ ((self.basis.T @ move) / self.scales)  # (n,) C^(-1/2) move
        self.p_s += -self.c_s * self.p_s + math.sqrt(self.c_s * (2 - self.c_s) * self.eff) * white
        length = math.sqrt(self.p_s @ self.p_s)
        usual = math.sqrt(1 - (1 - self.c_s) ** (2 * self.generation))
        steady = length / usual < (1.4 + 2 / (self.n + 1)) * self.expected  # else p_c waits
        gain = steady * math.sqrt(self.c_c * (2 - self.c_c) * self.eff)
        self.p_c += -self.c_c * self.p_c + gain * move
        lost = (not steady) * self.c_c * (2 - self.c_c)
        self.C *= 1 - self.c_1 - self.c_mu + self.c_1 * lost
        self.C += self.c_1 * np.outer(self.p_c, self.p_c) + self.c_mu * (best.T * self.w) @ best
        self.sigma *= math.exp(self.c_s / self.d_s * (length / self.expected - 1))
        if self.generation % max(1, int(1 / (10 * self.n * (self.c_1 + self.c_mu)))) == 0:
            self.C = (self.C + self.C.T) / 2
            values, self.basis = np.linalg.eigh(self.C)
            self.scales = np.sqrt(np.maximum(values, 1e-20))

    def average(self, generation, generations):
        """Makes the answer the mean of the last means: one mean wavers with its tracks' luck."""
        last = min(generations, AVERAGED)
        if generation >= generations - last:
            self.answer = self.answer + self.mean / last


AVERAGED = 20  # last generations whose means make the driver that is tested
PATIENCE = 50  # frames without a new tile after which the search gives an episode up
PEDAL = 0.5  # first bias of the pedal: a foot on the gas
HIDDEN_C = 8  # tanh units of the hidden layer in C: 154 weights, where V + M has 162


@dataclass(frozen=True)
class Arm:
    """What a controller reads: z, and h of a memory where it has one; perhaps a hidden layer."""

    memory: str = ""  # the name of a memory among the nets
    hidden: int = 0

    def features(self, nets, z, h):
        """Returns what C reads, (N, F), from z (N, Z) and h (N, H)."""
        return np.concatenate([z, nets[self.memory].read(h)], 1) if self.memory else z

    def layers(self, config):
        """Returns the numbers of inputs of C's layers with their bias, and of outputs."""
        inputs = config.latent + bool(self.memory) * config.hidden_m + 1
        return [(inputs, self.hidden), (self.hidden + 1, 2)] if self.hidden else [(inputs, 2)]

    def weights(self, config, x):
        """Returns weights of C (P, n) at points x (P, n) of a search, in 1 / sqrt(fan-in)."""
        unit = [np.full(rows * columns, rows**-0.5) for rows, columns in self.layers(config)]
        theta = x * np.concatenate(unit)
        theta[:, -1] += PEDAL
        return theta

    def size(self, config):
        """Returns the number of weights."""
        return sum(rows * columns for rows, columns in self.layers(config))


ARMS = {
    "v": Arm(),
    "v_hidden": Arm(hidden=HIDDEN_C),
    "v_untrained": Arm(memory="untrained"),
    "v_m": Arm(memory="m"),
}


def act(arm, theta, f):
    """Returns the actions (N, 2) of N controllers with weights theta (N, n) that read f (N, F)."""
    for outputs in [arm.hidden, 2] if arm.hidden else [2]:
        size = (f.shape[1] + 1) * outputs
        w = theta[:, :size].reshape(len(f), f.shape[1] + 1, outputs)  # (N, F + 1, outputs)
        f = np.tanh((f[:, None] @ w[:, :-1])[:, 0] + w[:, -1])  # (N, outputs)
        theta = theta[:, size:]
    return f


class Eye:
    """V, and the scale on which its z is passed on."""

    def __init__(self, config, rng):
        self.v = make_v(config, rng)
        self.mean = np.zeros(config.latent, np.float32)
        self.deviation = np.ones(config.latent, np.float32)

    def look(self, views):
        """Returns mean and log variance (N, Z) of V's z for views (N, D) of uint8."""
        return encode(self.v, views * np.float32(1 / 255))[:2]

    def see(self, views):
        """Returns the mean (N, Z), standardised."""
        return (self.look(views)[0] - self.mean) / self.deviation


class Memory:
    """An LSTM M, and the scale on which C reads its h."""

    def __init__(self, config, rng):
        self.m = make_m(config, rng)
        self.mean = np.zeros(config.hidden_m, np.float32)
        self.deviation = np.ones(config.hidden_m, np.float32)

    def step(self, z, action, h, c):
        """Returns h and c (N, H) after z (N, Z) was seen and action (N, 2) taken."""
        return lstm(self.m, feed(self.m, z, action), h, c)[:2]

    def read(self, h):
        """Returns h in units of its deviation."""
        return (h - self.mean) / self.deviation


# ---- driving -------------------------------------------------------------------------------------
def drive(world, nets, crews, track, point, noise=None, watch=None, patience=MAX_FRAMES):
    """Lets all candidates of all crews [(arm, theta (P, n))] drive, all cars side by side.

    Episodes begin on track, at point: (E,), alike for all candidates, or (P, E). noise (T, N, 2)
    is added to the actions and ends the drive after T frames. watch(frame, cars, view, z, action)
    sees each frame of the cars under way. Returns score, share of tiles and frames of each crew,
    (3, P, E).
    """
    crews = [(arm, theta.astype(np.float32)) for arm, theta in crews]
    shapes = [(len(theta), track.shape[-1]) for _, theta in crews]  # (P, E) of each crew
    track, point = (
        np.concatenate([np.broadcast_to(where, shape).ravel() for shape in shapes])
        for where in (track, point)
    )  # (N,)
    edges = np.cumsum([0] + [p * e for p, e in shapes])  # a crew's cars are numbered between two
    cars = world.start(track, point) | {"number": np.arange(edges[-1])}
    cars["h"], cars["c"] = np.zeros((2, edges[-1], len(nets["m"].mean)), np.float32)
    out = np.zeros((3, edges[-1]))
    for frame in range(MAX_FRAMES if noise is None else len(noise)):
        view = world.views(cars["track"], cars["xy"], cars["heading"])  # (N, D)
        z = nets["eye"].see(view)  # (N, Z)
        places = np.searchsorted(cars["number"], edges)  # where each crew's cars stand now
        action = decide(nets, crews, cars, z, places, edges, shapes)  # (N, 2)
        if noise is not None:
            action = np.clip(action + noise[frame, cars["number"]], -1, 1)
        if watch:
            watch(frame, cars, view, z, action)
        remember(nets, crews, cars, z, action, places)
        done = world.step(cars, action) | give_up(cars, patience)
        if done.any():
            cars = compact(cars, done, out)
        if done.all():
            break
    return [part.reshape(3, *s) for part, s in zip(np.split(out, edges[1:-1], 1), shapes)]


def decide(nets, crews, cars, z, places, edges, shapes):
    """Returns the actions (N, 2) of all cars, crew by crew."""
    action = np.empty((len(z), 2), np.float32)
    for k, (arm, theta) in enumerate(crews):
        mine = slice(places[k], places[k + 1])
        if mine.start == mine.stop:
            continue
        candidate = (cars["number"][mine] - edges[k]) // shapes[k][1]  # a row of theta for each car
        f = arm.features(nets, z[mine], cars["h"][mine])  # (n, F)
        action[mine] = act(arm, theta[candidate], f)
    return action


def remember(nets, crews, cars, z, action, places):
    """Lets the memories see the actions that were taken."""
    for k, (arm, _) in enumerate(crews):
        mine = slice(places[k], places[k + 1])
        if arm.memory and mine.start < mine.stop:
            state = cars["h"][mine], cars["c"][mine]
            state = nets[arm.memory].step(z[mine], action[mine], *state)
            cars["h"][mine], cars["c"][mine] = state


def give_up(cars, patience):
    """Says whose patience is at an end, (N,), and charges them the frames that are left."""
    idle = (cars["idle"] >= patience) & (cars["frames"] < MAX_FRAMES)
    cars["score"] -= idle * FRAME_COST * (MAX_FRAMES - cars["frames"])
    return idle


def compact(cars, done, out):
    """Enters the results of the cars that are done into out, and returns the others."""
    tiles = cars["tiles"][done] / TILES
    out[:, cars["number"][done]] = cars["score"][done], tiles, cars["frames"][done]
    others = np.flatnonzero(~done)
    return {name: value.take(others, 0) for name, value in cars.items()}


def evolve(config, world, nets, arms, generations, rngs, track_rng, watch):
    """Evolves the arms {name: arm} side by side with CMA-ES, and returns the searches by name.

    In a generation all candidates of all arms drive the same episodes; the next one has others.
    watch(generation, searches, results) sees each generation.
    """
    searches = {
        name: CMAES(np.zeros(arm.size(config)), config.sigma, config.population, rngs[name])
        for name, arm in arms.items()
    }
    for generation in range(generations):
        late = 2 * generation >= generations
        episodes = config.late_episodes if late else config.episodes
        track = track_rng.permutation(world.train)[:episodes]  # (E,)
        point = track_rng.integers(POINTS, size=episodes)  # (E,)
        crews = [(arm, arm.weights(config, searches[name].ask())) for name, arm in arms.items()]
        results = drive(world, nets, crews, track, point, patience=PATIENCE)
        for search, (score, _, _) in zip(searches.values(), results):
            search.tell(-score.mean(1))
            search.average(generation, generations)
        watch(generation, searches, dict(zip(arms, results)))
    return searches


# ---- training: look around, learn to see and to remember, drive, look around again ---------------
DRIVE_FRAMES = 160  # of an episode that is collected
WANDER, SMOOTH = 1.0, 0.9  # largest deviation of the noise on actions; its share that stays
RANDOM_PEDAL = 0.3  # bias of the pedal in random drives
BATCH_V, LEARNING_RATE_V, CLIP_V = 128, 0.001, 10.0  # views; largest gradient norm
BATCH_M, LEARNING_RATE_M, CLIP_M = 32, 0.005, 1.0  # episodes


def wander(frames, n, rng):
    """Draws low-passed noise (frames, n, 2) for n episodes, of a strength of its own in each."""
    noise = np.zeros((frames, n, 2), np.float32)
    strength = WANDER * rng.random((n, 1))
    now = np.zeros((n, 2))
    for t in range(frames):
        now = SMOOTH * now + math.sqrt(1 - SMOOTH**2) * rng.standard_normal((n, 2))
        noise[t] = strength * now
    return noise


def random_driver(config, count):
    """Returns the weights (count, n) of V alone that leave everything to the noise."""
    theta = np.zeros((count, ARMS["v"].size(config)))
    theta[:, -1] = RANDOM_PEDAL
    return theta


def collect(world, nets, arm, theta, tracks, rng):
    """Collects one noisy episode per row of theta, from a random point of one of the tracks.

    Returns views (N, T, D) of uint8, actions (N, T, 2) and lengths (N,): so many frames are real.
    """
    n = len(theta)
    views = np.zeros((n, DRIVE_FRAMES, SIDE * SIDE), np.uint8)
    actions = np.zeros((n, DRIVE_FRAMES, 2), np.float32)
    length = np.zeros(n, np.intp)

    def keep(frame, cars, view, z, action):
        rows = cars["number"]
        views[rows, frame], actions[rows, frame], length[rows] = view, action, frame + 1

    track = rng.choice(tracks, (n, 1))
    point = rng.integers(POINTS, size=(n, 1))
    drive(world, nets, [(arm, theta)], track, point, wander(DRIVE_FRAMES, n, rng), keep)
    return views, actions, length


def train_v(config, v, views, rng, progress):
    """Fits V to views (frames, D) of uint8; the step shrinks to 0."""
    adam = Adam(v, CLIP_V)
    batches = len(views) // BATCH_V
    for epoch in range(config.epochs_v):
        order = rng.permutation(len(views))
        for k in range(batches):
            x = views[order[k * BATCH_V : (k + 1) * BATCH_V]] * np.float32(1 / 255)  # (B, D)
            noise = rng.standard_normal((BATCH_V, config.latent), np.float32)
            done = adam.steps / (config.epochs_v * batches)
            adam.step(v_gradient(v, x, noise), LEARNING_RATE_V * (1 - done))
            progress(done, f"V learns, pass {epoch + 1}")


def train_m(config, m, mu, deviation, actions, length, rng, progress):
    """Fits M to episodes of z ~ N(mu, deviation^2), (N, T, Z), drawn anew in each pass."""
    adam = Adam(m, CLIP_M)
    n, frames = mu.shape[:2]
    starts = range(0, frames - 1, config.window)
    batches = math.ceil(n / BATCH_M)
    updates = config.epochs_m * batches * len(starts)
    for epoch in range(config.epochs_m):
        z = mu + deviation * rng.standard_normal(mu.shape, np.float32)  # (N, T, Z)
        for rows in np.array_split(rng.permutation(n), batches):
            h = c = np.zeros((len(rows), config.hidden_m), np.float32)
            for t in starts:
                alive = length[rows] > t + 1  # (B,) a next frame is there
                rows, h, c = rows[alive], h[alive], c[alive]
                if not len(rows):
                    break
                part = window(z, actions, length, rows, t, min(t + config.window, frames - 1))
                _, grads, h, c = m_gradient(m, *part, h, c)
                done = adam.steps / updates
                adam.step(grads, LEARNING_RATE_M * (1 - done))
                progress(done, f"M learns, pass {epoch + 1}")


def window(z, actions, length, rows, start, stop):
    """Returns z, actions, the next z and weights that sum to 1, time first, of some episodes."""
    weight = (length[rows] > np.arange(start, stop)[:, None] + 1).astype(np.float32)  # (T, B)
    inputs = [array[rows, start:stop].swapaxes(0, 1) for array in (z, actions)]
    target = z[rows, start + 1 : stop + 1].swapaxes(0, 1)  # (T, B, Z)
    return *inputs, target, weight / weight.sum()


def latents(eye, views):
    """Returns mean and deviation (N, T, Z) of z, standardised, for views (N, T, D)."""
    mu, log_var = (np.stack(part) for part in zip(*map(eye.look, views)))
    return (mu - eye.mean) / eye.deviation, np.exp(0.5 * log_var) / eye.deviation


def learn(config, nets, data, rng, progress):
    """Teaches V all frames, and M what V sees of them; then sets the scales of z and h."""
    views, actions, length = data
    eye = nets["eye"]
    real = np.arange(DRIVE_FRAMES) < length[:, None]  # (N, T)
    train_v(config, eye.v, views[real], rng, part_of(progress, 0, 0.4))
    mu = np.stack([eye.look(episode)[0] for episode in views])[real]  # (frames, Z)
    eye.mean, eye.deviation = mu.mean(0), mu.std(0)
    mu, deviation = latents(eye, views)  # (N, T, Z)
    progress = part_of(progress, 0.4, 1)
    train_m(config, nets["m"].m, mu, deviation, actions, length, rng, progress)
    for name in ("m", "untrained"):
        states = remembered(nets[name], mu, actions)[real]  # (frames, H)
        nets[name].mean = states.mean(0)
        nets[name].deviation = states.std(0) + np.float32(1e-3)


def remembered(memory, z, actions):
    """Returns h (N, T, H) as it stands before each frame of episodes z (N, T, Z)."""
    h = c = np.zeros((len(z), len(memory.m["recurrent"])), np.float32)
    states = np.empty((*z.shape[:2], h.shape[1]), np.float32)
    for t in range(z.shape[1]):
        states[:, t] = h
        h, c = memory.step(z[:, t], actions[:, t], h, c)
    return states


def part_of(progress, low, high):
    """Returns a progress that fills the part from low to high of another one."""
    return lambda done, message: progress(low + (high - low) * done, message)


BUILD = ("tracks", "eye", "m", "untrained", "first_drives", "first_lesson")
BUILD += ("scouts", "scout_tracks", "drives", "lesson")  # random streams of build()


def build(config, streams, progress):
    """Makes a world, and V and M in two rounds: random drives teach them, scouts evolve with them,
    and the scouts' drives teach them again. Returns world, nets, data and the scouts' search."""
    world = make_world(config, streams["tracks"])
    nets = {"eye": Eye(config, streams["eye"])}
    nets |= {name: Memory(config, streams[name]) for name in ("m", "untrained")}
    theta = random_driver(config, config.drives)
    data = collect(world, nets, ARMS["v"], theta, world.train, streams["first_drives"])
    learn(config, nets, data, streams["first_lesson"], part_of(progress, 0.02, 0.3))

    generations = -(-config.generations // 5)
    scouts = evolve(
        config,
        world,
        nets,
        {"v_m": ARMS["v_m"]},
        generations,
        {"v_m": streams["scouts"]},
        streams["scout_tracks"],
        lambda k, *_: progress(0.3 + 0.2 * k / generations, f"scouts, generation {k + 1}"),
    )["v_m"]
    fresh = collect_scouts(config, world, nets, scouts, world.train, streams["drives"])
    data = tuple(np.concatenate(pair) for pair in zip(data, fresh))
    learn(config, nets, data, streams["lesson"], part_of(progress, 0.5, 1))
    return world, nets, data, scouts


def collect_scouts(config, world, nets, search, tracks, rng):
    """Collects noisy episodes by candidates of a search for V + M."""
    asked = math.ceil(config.drives / config.population)
    x = np.concatenate([search.ask() for _ in range(asked)])[: config.drives]
    return collect(world, nets, ARMS["v_m"], ARMS["v_m"].weights(config, x), tracks, rng)


# ---- evaluation: 100 tracks that nothing has seen ------------------------------------------------
def examine(world, nets, arms, weights, tracks):
    """Lets one driver of each arm drive the tracks once, from point 0, with weights[name] (1, n).

    Returns {name: (score, share of tiles, frames)}, each (E,).
    """
    crews = [(arm, weights[name]) for name, arm in arms.items()]
    results = drive(world, nets, crews, tracks, np.zeros_like(tracks))
    return {name: result[:, 0] for name, result in zip(arms, results)}


def scripted(world, cars):
    """Returns the actions (N, 2) of a driver who knows track, place and speed: pure pursuit."""
    track, speed = cars["track"], cars["speed"]
    length = np.hypot(*(world.points[track, 1] - world.points[track, 0]).T)  # (N,) m per point
    ahead = np.round(np.maximum(3.5, 0.55 * speed) / length).astype(np.intp)  # (N,) points
    goal = world.points[track, (cars["point"] + ahead) % POINTS] - cars["xy"]  # (N, 2)
    angle = np.arctan2(goal[:, 1], goal[:, 0]) - cars["heading"]
    wheel = np.arctan(2 * WHEELBASE * np.sin(angle) / np.hypot(*goal.T))  # (N,) rad
    reach = np.arange(50)  # points
    points = (cars["point"][:, None] + reach) % POINTS  # (N, 50)
    here = world.heading[track[:, None], points]  # (N, 50)
    there = world.heading[track[:, None], (points + 4) % POINTS]  # (N, 50)
    bend = np.abs(np.angle(np.exp(1j * (there - here)))) / (4 * length[:, None])  # (N, 50) 1/m
    braking = 2 * 0.7 * BRAKE * reach * length[:, None]  # (N, 50) m^2/s^2
    allowed = np.sqrt(0.9 * GRIP / np.maximum(bend, 1e-3) + braking)  # (N, 50) m/s
    pedal = np.clip(allowed.min(1) - speed, -1, 1)
    return np.stack([np.clip(wheel / STEER_LIMIT, -1, 1), pedal], 1)


def examine_scripted(world, tracks):
    """Returns the scores (E,) of the scripted driver."""
    cars = world.start(tracks, np.zeros_like(tracks))
    score = np.zeros(len(tracks))
    going = np.ones(len(tracks), bool)
    while going.any():
        done = world.step(cars, scripted(world, cars)) & going
        score[done] = cars["score"][done]
        going &= ~done
    return score


def examine_random(config, world, nets, tracks, rng):
    """Returns the scores (E,) of random, low-passed actions."""
    noise = wander(MAX_FRAMES, len(tracks), rng)
    crew = ARMS["v"], random_driver(config, 1)
    return drive(world, nets, [crew], tracks, np.zeros_like(tracks), noise)[0][0, 0]


def summary(score, tiles, frames):
    """Returns the columns of one driver in the table."""
    return {"score": score.mean(), "sd": score.std(), "finished": (tiles == 1).mean()}


def gaps(rows):
    """Returns what the paper's table is about: the differences between the drivers."""
    score = {name: row["score"] for name, row in rows.items()}
    sd = {name: row["sd"] for name, row in rows.items()}
    return {
        "v_m_minus_v": score["v_m"] - score["v"],
        "sd_ratio": sd["v"] / sd["v_m"],
        "v_m_minus_hidden": score["v_m"] - score["v_hidden"],
        "hidden_minus_v": score["v_hidden"] - score["v"],
        "v_sd_minus_hidden_sd": sd["v"] - sd["v_hidden"],
        "v_m_minus_untrained": score["v_m"] - score["v_untrained"],
    }


SEARCH = ("search_tracks", *(f"search_{name}" for name in ARMS), "random_driver")
CURVE_EVERY = 10  # generations


def named_streams(names, seed):
    """Returns a random generator of its own for each name."""
    return dict(zip(names, map(np.random.default_rng, seed.spawn(len(names)))))


def train(config, streams, progress):
    """Builds V and M and evolves the four arms side by side.

    Returns world, nets, drivers {name: weights (1, n)}, the learning curve, frames per second.
    """
    world, nets, _, _ = build(config, streams, part_of(progress, 0, 0.35))
    curve = {"x": [], "y": []}
    frames = []

    def watch(generation, searches, results):
        means = ", ".join(f"{name} {result[0].mean():.0f}" for name, result in results.items())
        done = (generation + 1) / config.generations
        progress(0.35 + 0.6 * done, f"generation {generation + 1}: {means}")
        frames.extend(result[2].sum() for result in results.values())
        if (generation + 1) % CURVE_EVERY == 0:
            mean = {"v_m": ARMS["v_m"].weights(config, searches["v_m"].mean[None])}
            score = examine(world, nets, {"v_m": ARMS["v_m"]}, mean, world.validation)["v_m"][0]
            curve["x"].append(generation + 1)
            curve["y"].append(score.mean())

    began = process_time()
    rngs = {name: streams[f"search_{name}"] for name in ARMS}
    tracks = streams["search_tracks"]
    searches = evolve(config, world, nets, ARMS, config.generations, rngs, tracks, watch)
    speed = sum(frames) / max(process_time() - began, 1e-9)
    drivers = {name: arm.weights(config, searches[name].answer[None]) for name, arm in ARMS.items()}
    return world, nets, drivers, curve, speed


def run(config, seed, progress):
    """Trains, and examines all drivers, learned or not, on the same unseen tracks."""
    streams = named_streams(BUILD + SEARCH, np.random.SeedSequence(seed))
    world, nets, drivers, curve, speed = train(config, streams, progress)
    progress(0.95, "examination")
    results = examine(world, nets, ARMS, drivers, world.test)
    rows = {name: summary(*result) for name, result in results.items()}
    by_chance = examine_random(config, world, nets, world.test, streams["random_driver"])
    return rows | {
        "gap": gaps(rows),
        "script": {"score": examine_scripted(world, world.test).mean()},
        "random": {"score": by_chance.mean()},
        "search": {"frames_per_second": speed},
        "curve": curve,
    }


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
