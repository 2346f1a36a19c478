# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "ale-py==0.12.1"]
# ///
"""ReSU: features found in closed form, without backpropagation, on moving scenes and on Pong.

A rectified spectral unit projects the recent past of its input on the direction that says most
about the near future (canonical correlation analysis, CCA) and half-wave rectifies.

Paper: S. Qin, J. L. Pughe-Sanford, A. Genkin, P. G. Ozdil, P. Greengard, A. M. Sengupta, D. B.
Chklovskii, "A Network of Biologically Inspired Rectified Spectral Units (ReSUs) Learns Hierarchical
Features Without Error Backpropagation", arXiv:2512.23146, 2025.
Claim: on gliding scenes the units of one pixel get the filters of the fly's lamina cells, which
widen and lose lobes as noise grows; units of layer 2, which see three pixels, become selective for
the direction of motion, like T4 cells.
Beyond the paper, the same units watch emulated Atari Pong, and a small net imitates an expert from
what they show: are they better than random filters, PCA, or the raw frames of their window?

    python3 resu_pong.py               emulated Pong if ale-py is there, else a numpy mini-Pong
    python3 resu_pong.py --env mini    numpy alone
    python3 resu_pong.py --help        every setting
"""

import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated, NamedTuple

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np

try:  # GPL-2.0, its wheel carries the ROMs: imported where present, never shipped
    import ale_py
    import ale_py.roms

    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    ROM = ale_py.roms.get_rom_path("pong")
except (ImportError, AttributeError, OSError):  # none, or one too old or broken to be of use
    ale_py = ROM = None
INSTALL = "pip install ale-py==0.12.1"
NOISE = (0.005, 0.05, 0.5, 1.5)  # on a pixel of the scenes; layer 2 is fitted at the second level


@dataclass(frozen=True)
class Config:
    env: Annotated[str, "auto: ale if installed, else mini", ("auto", "ale", "mini")] = "auto"
    runs: Annotated[int, "Pong: games of the expert, 70 % to train on", (3, 200)] = 20
    steps: Annotated[int, "Pong: agent steps (of 4 raw frames) per run", (24, 10**5)] = 1000
    noise_share: Annotated[float, "Pong: share of random actions", (0.0, 1.0)] = 0.25
    sticky: Annotated[float, "Pong: chance that a frame repeats the last action", (0.0, 0.9)] = 0.25
    taps: Annotated[int, "Pong: window of the past, agent steps", (2, 64)] = 8
    horizon: Annotated[int, "Pong: window of the future, agent steps", (1, 64)] = 4
    filters: Annotated[int, "Pong: filters of an encoder", (2, 64)] = 4
    random_draws: Annotated[int, "Pong: draws of random filters", (1, 100)] = 5
    lines: Annotated[int, "scenes: lines of dead leaves", (3, 10_000)] = 120
    scene_noise: Annotated[tuple[float, ...], "scenes: four noise levels, SDs", (1e-4, 99.0)] = (
        NOISE
    )
    hidden_size: Annotated[int, "head: units in each of two layers", (1, 4096)] = 128
    epochs: Annotated[int, "head: passes, of which validation chooses one", (1, 1000)] = 6
    decays: Annotated[tuple[float, ...], "head: weight decays to try", (0.0, 10.0)] = (1e-3, 1e-2)

    def __post_init__(self):
        if self.env == "ale" and ROM is None:
            raise ValueError(f"argument --env: ale needs the emulator: {INSTALL}")
        if self.filters > min(self.taps, self.horizon):
            raise ValueError("argument --filters: must not exceed --taps or --horizon")
        if self.steps < 2 * (self.taps + self.horizon):
            raise ValueError("argument --steps: must be at least twice --taps and --horizon")
        if len(self.scene_noise) != 4:
            raise ValueError("argument --scene-noise: needs four levels")

    @property
    def emulated(self):
        return self.env != "mini" and ROM is not None


QUICK = {
    "env": "mini",
    "runs": 5,
    "steps": 150,
    "random_draws": 1,
    "lines": 12,
    "hidden_size": 16,
    "epochs": 2,
    "decays": (1e-3,),
}


# ---- the method: canonical correlation of past and future ----
FLOOR = 1e-6  # least eigenvalue of a covariance, relative to its largest


def inverse_root(c):
    """Return c^(-1/2) of a covariance c (n, n)."""
    values, vectors = np.linalg.eigh(c)
    values = np.maximum(values, FLOOR * values[-1])  # (n,)
    return vectors / np.sqrt(values) @ vectors.T  # (n, n)


def canonical(pp, ff, fp):
    """Correlate a past of m numbers with a future of h, given C_pp, C_ff and C_fp.

    G = C_ff^(-1/2) C_fp C_pp^(-1/2) = U S V^T, and the filters Psi = V^T C_pp^(-1/2) are such that
    Psi C_pp Psi^T = I. Returns S (k,) and Psi (k, m), k = min(m, h). The sign of a filter is free:
    its largest tap is made positive.
    """
    root_p = inverse_root(pp)  # (m, m)
    root_f = inverse_root(ff)  # (h, h)
    _, sigma, vt = np.linalg.svd(root_f @ fp @ root_p, full_matrices=False)
    psi = vt @ root_p  # (k, m)
    largest = np.abs(psi).argmax(1)[:, None]  # (k, 1)
    return sigma, psi * np.sign(np.take_along_axis(psi, largest, 1))


# ---- scenes: dead leaves glide past one photoreceptor ----
WINDOW = 50  # samples of the past, and of the future
LINE, LEAVES = 1400, 3000  # samples of a line, and leaves on it
NARROW, WIDE = 4.0, 400.0  # samples, of the leaves
BLUR = 5  # samples, SD of the eye's optics
LEVELS = ("least_noise", "little_noise", "much_noise", "most_noise")  # names of the noise levels
LITTLE = 1  # the level of the authors' second layer
LEAST_LOBE = 0.1  # share of a filter's absolute area that makes a lobe


def dead_leaves(lines, rng):
    """Draw grey values (L, T): segments of width w^-2.5 cover one another and are blurred."""
    share = rng.random((lines, LEAVES))
    width = (NARROW**-1.5 + share * (WIDE**-1.5 - NARROW**-1.5)) ** (-1 / 1.5)  # (L, leaves)
    start = rng.uniform(-WIDE, LINE, (lines, LEAVES))
    grey = rng.random((lines, LEAVES))
    low = np.maximum(start, 0).astype(int)
    high = np.maximum(start + width, 0).astype(int)
    scene = np.full((lines, LINE), 0.5)
    for row, *leaves in zip(scene, low.tolist(), high.tolist(), grey.tolist()):
        for a, b, g in zip(*leaves):
            row[a:b] = g
    kernel = np.exp(-0.5 * (np.arange(-4 * BLUR, 4 * BLUR + 1) / BLUR) ** 2)
    scene = np.stack([np.convolve(row, kernel / kernel.sum(), "valid") for row in scene])  # (L, T)
    return (scene - scene.mean(1, keepdims=True)) / scene.std(1, keepdims=True)


def fit_pixel(scene):
    """Return the correlations (W,) and filters (W, W), newest tap first, of lines (L, T)."""
    gram = np.zeros((2 * WINDOW, 2 * WINDOW))
    for row in scene:
        windows = np.lib.stride_tricks.sliding_window_view(row, 2 * WINDOW)  # (n, 2 W)
        windows = np.concatenate([windows[:, WINDOW - 1 :: -1], windows[:, WINDOW:]], 1)
        gram += windows.T @ windows
    p, f = slice(0, WINDOW), slice(WINDOW, None)
    return canonical(gram[p, p], gram[f, f], gram[f, p])


def areas(taps):
    """Return the absolute areas of a filter's runs of one sign, as shares of the whole."""
    edges = np.flatnonzero(np.diff(np.sign(taps))) + 1
    parts = np.array([np.abs(part).sum() for part in np.split(taps, edges)])
    return parts / parts.sum()


def lobes(psi):
    """Count the lobes of the first two filters."""
    return sum(int((areas(taps) >= LEAST_LOBE).sum()) for taps in psi[:2])


def like_lamina(low, band):
    """Say whether one filter is low-pass, like the cell L3, and one band-pass, like L1 and L2."""
    positive = [np.maximum(taps, 0).sum() / np.abs(taps).sum() for taps in (low, band)]
    return max(positive[0], 1 - positive[0]) >= 0.9 and 0.3 <= positive[1] <= 0.7


# ---- layer 2: three neighbouring pixels, each seen through filters 1 and 2 ----
SHIFT = 13  # samples that the scene needs from one pixel to the next
DELAY = 5  # samples from the present to the future that layer 2 predicts
OUTPUT_NOISE = 0.01  # added to each output of layer 1, in its SDs
EDGE_WIDTH, EDGE_NOISE = 20.0, 0.005  # of the test stimulus tanh(k / EDGE_WIDTH)
LEAST_PEAK = 0.25  # a unit whose peak is lower, in SDs of its direction, does not count


class Layer2(NamedTuple):
    """Six directions in the outputs of layer 1: filters 1 and 2 at the pixels 0, 1 and 2."""

    sigma: np.ndarray  # (6,) canonical correlations
    psi: np.ndarray  # (6, 6) filters
    scale: np.ndarray  # (6, 1) SD of each output of layer 1
    mean: np.ndarray  # (6, 1) of the scaled outputs


def three_pixels(scene):
    """Let lines (..., T) glide from pixel 0 to pixel 2: returns what each sees (..., 3, T - 26)."""
    length = scene.shape[-1] - 2 * SHIFT
    return np.stack([scene[..., k * SHIFT :][..., :length] for k in (2, 1, 0)], -2)


def without_motion(views):
    """Shift the lines against each other, so that no two pixels of views (L, 3, T) share one."""
    return np.stack([np.roll(views[:, k], k, axis=0) for k in range(3)], 1)


def layer_1(views, psi):
    """Return filter 1 and the ON half of filter 2 at each pixel: (..., 3, T) -> (..., 6, T')."""
    windows = np.lib.stride_tricks.sliding_window_view(views, WINDOW, -1)[..., ::-1]
    first = windows @ psi[0]  # (..., 3, T')
    second = np.maximum(windows @ psi[1], 0)  # (..., 3, T')
    return np.stack([first, second], -2).reshape(*first.shape[:-2], 6, -1)


def fit_layer_2(views, psi, rng):
    """Correlate the six outputs of layer 1 with themselves DELAY samples later."""
    outputs = layer_1(views, psi)  # (L, 6, T')
    scale = outputs.std((0, 2))[:, None]  # (6, 1)
    outputs = outputs / scale + OUTPUT_NOISE * rng.standard_normal(outputs.shape)
    mean = outputs.mean((0, 2))[:, None]  # (6, 1)
    outputs -= mean
    past = outputs[..., :-DELAY].swapaxes(1, 2).reshape(-1, 6)  # (n, 6)
    future = outputs[..., DELAY:].swapaxes(1, 2).reshape(-1, 6)  # (n, 6)
    count = len(past)
    sigma, filters = canonical(
        past.T @ past / count, future.T @ future / count, future.T @ past / count
    )
    return Layer2(sigma, filters, scale, mean)


def edges(rng, width=EDGE_WIDTH):
    """Draw a bright and a dark edge that move from pixel 0 to 2, and back: (2, 2, 3, T)."""
    edge = np.tanh(np.arange(-200, 200) / width)  # (400,)
    forth = three_pixels(np.stack([edge, -edge]))  # (contrasts, 3, T)
    views = np.stack([forth, forth[:, ::-1]], 1)  # (contrasts, ways, 3, T)
    return views + EDGE_NOISE * rng.standard_normal(views.shape)


def respond(views, psi, layer):
    """Return the ON and OFF units of layer 2: (..., 3, T) -> (..., 12, T')."""
    z = layer.psi @ (layer_1(views, psi) / layer.scale - layer.mean)  # (..., 6, T')
    return np.concatenate([np.maximum(z, 0), np.maximum(-z, 0)], -2)


def selectivity(responses):
    """Return the DSI of each unit, from responses (contrasts, ways, units, T) to an edge.

    R is a unit's peak for an edge of either contrast that moves one way or the other, and
    DSI = (R_preferred - R_null) / (R_preferred + R_null).
    """
    peaks = responses.max((0, 3))  # (ways, units)
    dsi = np.abs(peaks[0] - peaks[1]) / np.maximum(peaks.sum(0), 1e-12)  # (units,)
    return np.where(peaks.max(0) >= LEAST_PEAK, dsi, 0.0)


def see_scenes(config, seed, progress):
    """Fit both layers to scenes: returns the table, and what the pictures show."""
    leaves, noise, sensor, units, still, probe, other = map(np.random.default_rng, seed.spawn(7))
    scene = dead_leaves(config.lines, leaves)  # (L, T)
    fits = []  # (sigma, psi) of each noise level
    for level, strength in enumerate(config.scene_noise):
        progress(level / 6, f"noise {strength:g}")
        fits.append(fit_pixel(scene + strength * noise.standard_normal(scene.shape)))
    psi = fits[LITTLE][1]
    views = three_pixels(scene)  # (L, 3, T)
    views = views + config.scene_noise[LITTLE] * sensor.standard_normal(views.shape)
    progress(4 / 6, "layer 2, moving")
    moving = fit_layer_2(views, psi, units)
    progress(5 / 6, "layer 2, still")
    control = fit_layer_2(without_motion(views), psi, still)
    dsi = selectivity(respond(edges(probe), psi, moving)).max()
    dsi_control = selectivity(respond(edges(other), psi, control)).max()
    count = [lobes(filters) for _, filters in fits]
    return {
        "dsi": dsi,
        "dsi_control": dsi_control,
        "dsi_lead": dsi - dsi_control,
        "lobes": dict(zip(LEVELS, count)),
        "lobes_lost": count[0] - count[-1],
        "l3_l12": int(like_lamina(fits[-1][1][0], psi[1])),
    }, (fits, moving, control)


# ---- Pong, emulated or in numpy ----
# Both worlds run B games in lockstep and show the same: frames (B, 1600) uint8, the 160x160 court
# in means of 4x4 blocks; state (B, 6) in the emulator's memory units, below; fresh (B,), a game has
# just begun. A step is 4 raw frames.
SIDE, SKIP = 40, 4  # pixels of a side after pooling, raw frames of an agent step
COURT = slice(34, 194)  # its rows on the screen
BALL_X, BALL_Y, PADDLE, RIVAL, LOST, WON = range(6)  # columns of a state
MEMORY = [49, 54, 51, 50, 13, 14]  # the addresses of these columns in the console's RAM
NOOP, UP, DOWN = range(3)
PADDLE_X, TOP, BOTTOM = 188, 48, 204  # limits of the ball, in memory units


def shrink(screens):
    """Return rounded means of 4x4 blocks, (B, 210, 160) -> (B, 1600) uint8."""
    rows = screens[:, COURT].reshape(-1, SIDE, 4, 4 * SIDE).sum(2, dtype=np.uint16)  # (B, 40, 160)
    sums = rows.reshape(-1, SIDE * SIDE, 4).sum(2, dtype=np.uint16)  # (B, 1600)
    return ((sums + 8) >> 4).astype(np.uint8)


class Atari:
    """B emulators, each with its own seed, which they would ignore if no action ever stuck."""

    dead_zone = 8  # of the expert, px

    def __init__(self, config, seeds):
        self.machines = [self.machine(config, int(seed)) for seed in seeds]
        names = ("NOOP", "RIGHT", "LEFT")  # by NOOP, UP, DOWN
        self.actions = [getattr(ale_py.Action, name) for name in names]
        self.screens = np.empty((len(seeds), 210, 160), np.uint8)
        self.fresh = np.ones(len(seeds), bool)
        self.look()

    def machine(self, config, seed):
        """Start one console."""
        machine = ale_py.ALEInterface()
        machine.setInt("random_seed", seed)
        machine.setFloat("repeat_action_probability", config.sticky)
        machine.setInt("frame_skip", 1)
        machine.loadROM(ROM)
        return machine

    def look(self):
        """Read the screens and the memory."""
        for machine, screen in zip(self.machines, self.screens):
            machine.getScreenGrayscale(screen)
        self.frames = shrink(self.screens)
        self.state = np.array([machine.getRAM()[MEMORY] for machine in self.machines], int)

    def step(self, actions):
        """Take each game an agent step on; a finished one starts anew."""
        for b, machine in enumerate(self.machines):
            for _ in range(SKIP):
                machine.act(self.actions[actions[b]])
            self.fresh[b] = machine.game_over()
            if self.fresh[b]:
                machine.reset_game()
        self.look()


class MiniPong:
    """B games of a small Pong with the emulator's court, sizes, grey levels and paddle dynamics.

    Positions are px of the court; memory units are these plus 49 across and plus 48 (ball) or 47
    (paddles) down.
    """

    dead_zone = 6

    def __init__(self, config, seeds):
        games = len(seeds)
        self.rng = np.random.default_rng(seeds)
        self.sticky, self.raw_frames = config.sticky, 0
        self.fresh = np.ones(games, bool)
        self.ball = np.zeros((games, 2))  # x, y of its upper left corner
        self.speed = np.zeros((games, 2))  # px per raw frame
        self.paddle = np.full(games, 72.0)  # y of the upper edge, as drawn
        self.target = np.full(games, 72.0)  # where it will come to rest
        self.rival = np.full(games, 72.0)
        self.pause = np.full(games, 60)  # raw frames until the serve
        self.last = np.zeros(games, int)  # action
        self.points = np.zeros((games, 2), int)  # lost, won
        self.look()

    def look(self):
        """Draw the frames and write the memory."""
        rival = np.floor(self.rival)
        x, y = np.where(self.pause[:, None] == 0, np.floor(self.ball), [-49, -48]).T  # (B,) each
        state = [x + 49, y + 48, self.paddle + 47, rival + 47, *self.points.T]
        self.state = np.stack(state, 1).astype(int)  # (B, 6)
        image = np.full((len(x), SIDE, SIDE), 87.0)
        for left, top, wide, high, grey in (
            (x, y, 2, 4, 236),
            (np.full_like(x, 140), self.paddle, 4, 16, 147),
            (np.full_like(x, 16), rival, 4, 16, 148),
        ):
            image += (grey - 87) * cover(top, high)[:, :, None] * cover(left, wide)[:, None]
        self.frames = np.floor(image.clip(0, 255) + 0.5).astype(np.uint8).reshape(len(x), -1)

    def step(self, actions):
        """Take each game an agent step on."""
        self.fresh[:] = False
        for _ in range(SKIP):
            self.raw_frame(np.asarray(actions))
        self.look()

    def raw_frame(self, actions):
        """Take each game a raw frame on."""
        games = len(self.pause)
        self.last = np.where(self.rng.random(games) < self.sticky, self.last, actions)
        self.move_paddles(self.rng.random(games) < 0.07)
        before = self.ball[:, 0].copy()  # (B,)
        self.fly()
        self.bounce(before, self.paddle, 138, 1)
        self.bounce(before, self.rival, 20, -1)
        self.score(self.rng.integers(20, 136, games), self.rng.integers(0, 8, games))
        self.raw_frames += 1

    def move_paddles(self, skips):
        """Move the target at once, and the drawn paddles on every second frame."""
        push = 5.6 * ((self.last == DOWN) * 1.0 - (self.last == UP))  # (B,)
        self.target = (self.target + push).clip(-8, 152)
        if self.raw_frames % 2 == 0:
            self.paddle = np.round((self.paddle + self.target) / 2)
            to_ball = np.where(self.pause > 0, 0, self.ball[:, 1] - 6 - self.rival)
            moved = self.rival + np.where(skips, 0, to_ball.clip(-2, 2))
            self.rival = moved.clip(-8, 152)

    def fly(self):
        """Move the balls that are in play, and reflect them off the walls."""
        self.ball += self.speed * (self.pause == 0)[:, None]
        y, low = self.ball[:, 1], BOTTOM - TOP
        outside = (y < 0) | (y > low)  # (B,)
        self.ball[:, 1] = np.abs(np.where(y > low, 2 * low - y, y))
        self.speed[:, 1] *= np.where(outside, -1, 1)

    def bounce(self, before, top, edge, side):
        """Return the balls that meet a paddle (its edge at x, side 1: the right one)."""
        x, y = self.ball.T
        hit = (self.pause == 0) & (side * self.speed[:, 0] > 0) & (side * x >= side * edge)
        hit &= (side * before < side * edge) & (y + 4 > top) & (y < top + 16)  # (B,)
        segment = np.floor((y + 2 - top) / 2).clip(0, 7) - 3.5  # (B,) of eight
        fast = np.minimum(1.08 * np.abs(self.speed[:, 0]), 3)
        fast = np.where(np.abs(segment) == 3.5, np.maximum(fast, 2), fast)
        bounced = np.stack([-side * fast, 0.55 * segment * np.maximum(1, 0.7 * fast)], 1)
        self.speed = np.where(hit[:, None], bounced, self.speed)
        self.ball[:, 0] = np.where(hit, edge, x)

    def score(self, serve_y, serve_speed):
        """Count the balls that have left the court, and serve where the pause is over."""
        x = self.ball[:, 0]
        out = np.stack([x >= 158, x < 0], 1) & (self.pause == 0)[:, None]  # (B, 2) lost, won
        self.points += out
        serve = (self.pause == 1)[:, None]  # (B, 1)
        self.pause = np.where(out.any(1), 60, np.maximum(self.pause - 1, 0))
        start = np.stack([np.full(len(x), 79), serve_y], 1)
        across = np.where(serve_speed < 4, 1, -1)
        down = np.array([-1, -0.5, 0.5, 1])[serve_speed % 4]
        self.ball = np.where(serve, start, self.ball)
        self.speed = np.where(serve, np.stack([across, down], 1), self.speed)


def cover(low, size):
    """Return the share of each 4-px cell that is covered from low (B,) on: (B, 40)."""
    cell = 4 * np.arange(SIDE)
    inside = np.minimum(cell + 4, low[:, None] + size) - np.maximum(cell, low[:, None])
    return inside.clip(0, 4) / 4


def make_world(config, games, rng):
    """Start games with seeds of their own, in the emulator or in numpy."""
    seeds = rng.integers(0, 2**31 - 1, games, dtype=np.int64)
    return (Atari if config.emulated else MiniPong)(config, seeds)


# ---- the expert and its demonstrations ----
def visible(state):
    """Say whether the ball is on the court; the memory keeps old values while it is away."""
    x, y = state[..., BALL_X], state[..., BALL_Y]
    return (x >= 50) & (x <= 204) & (y >= TOP) & (y <= BOTTOM + 1)


def motion(state, before):
    """Return the ball's change (..., 2) over a step, and whether it can be trusted."""
    v = (state - before)[..., :2]
    return v, visible(state) & visible(before) & (np.abs(v) < 30).all(-1)


def expert(state, before, dead_zone):
    """Steer to where the ball will arrive: memory (B, 6) now and a step before -> actions (B,)."""
    v, sure = motion(state, before)
    x, y, paddle = state[:, BALL_X], state[:, BALL_Y], state[:, PADDLE]
    height = BOTTOM - TOP
    arrival = y + v[:, 1] * (PADDLE_X - x) / np.maximum(v[:, 0], 1)  # (B,) if there were no walls
    arrival = BOTTOM - np.abs((arrival - TOP) % (2 * height) - height)
    aim = np.where(v[:, 0] > 0, arrival, (y + 126) / 2)
    coasting = 0.4 * (paddle - before[:, PADDLE])
    e = aim - (paddle + coasting + 7)  # (B,) px; centres meet at 7
    return np.where(sure, np.where(e > dead_zone, DOWN, np.where(e < -dead_zone, UP, NOOP)), NOOP)


class Data(NamedTuple):
    """Runs of the expert: what was seen, where things were, what the expert would do."""

    frames: np.ndarray  # (R, T, 1600) uint8
    state: np.ndarray  # (R, T, 6)
    label: np.ndarray  # (R, T)
    fresh: np.ndarray  # (R, T) bool


def demonstrate(world, steps, share, rng, progress):
    """Let the expert play, with a share of random actions, so that its recoveries are seen."""
    games = len(world.frames)
    seen = []
    before = world.state
    for t in range(steps):
        before = np.where(world.fresh[:, None], world.state, before)  # (R, 6)
        label = expert(world.state, before, world.dead_zone)  # (R,)
        action = np.where(rng.random(games) < share, rng.integers(0, 3, games), label)
        seen.append((world.frames, world.state, label, world.fresh.copy()))
        before = world.state
        world.step(action)
        if t % 20 == 0:
            progress(t / steps, "the expert plays")
    return Data(*(np.stack(part, 1) for part in zip(*seen)))


# ---- layer 1 on Pong: the last steps of one pixel, the same filters for all ----
class Lesson(NamedTuple):
    """Demonstrations that are ready to learn from."""

    x: np.ndarray  # (R T, 1600) frames less their mean over the training runs
    mean: np.ndarray  # (1600,)
    label: np.ndarray  # (R T,)
    past: np.ndarray  # (R T, m) the indices of the last m frames, newest first
    parts: list  # indices of the steps for training, validation and test, by whole runs


def prepare(config, data):
    """Centre the frames on the training runs, and divide the runs."""
    runs, steps = data.label.shape
    held = max(1, runs * 3 // 20)  # runs for validation, and as many for the test
    x = data.frames / np.float32(255)  # (R, T, 1600)
    mean = x[: runs - 2 * held].mean((0, 1))  # (1600,)
    x -= mean
    index = np.arange(runs * steps).reshape(runs, steps)
    parts = np.split(index, [runs - 2 * held, runs - held])
    return Lesson(
        x.reshape(runs * steps, -1),
        mean,
        data.label.ravel(),
        last_frames(data.fresh, config.taps),
        [part.ravel() for part in parts],
    )


def last_frames(fresh, m):
    """Return the indices (R T, m) of the last m frames; a game's first one stands for earlier."""
    runs, steps = fresh.shape
    start = np.where(fresh, np.arange(steps), 0)  # (R, T)
    start = np.maximum.accumulate(start, 1) + steps * np.arange(runs)[:, None]
    present = np.arange(runs * steps)[:, None]  # (R T, 1)
    return np.maximum(present - np.arange(m), start.reshape(-1, 1))


def windows_of(fresh, length):
    """Return the first indices (n,) of all stretches of steps that no new game interrupts."""
    steps = fresh.shape[1]
    game = np.cumsum(fresh, 1)  # (R, T)
    whole = game[:, : steps - length + 1] == game[:, length - 1 :]  # (R, T - length + 1)
    runs, starts = np.nonzero(whole)
    return runs * steps + starts


def correlate(config, x, starts, later, block=200):
    """Correlate pasts in the windows of x (N, 1600) from `starts` on with futures from `later` on.

    All pixels count alike. Returns the correlations, the filters (k, m) and C_pp (m, m).
    """
    m, h = config.taps, config.horizon
    pp = ff = fp = 0.0
    for k in range(0, len(starts), block):
        begin, other = starts[k : k + block], later[k : k + block]  # (n,)
        past = np.stack([x[begin + i].ravel() for i in range(m - 1, -1, -1)]).astype(float)
        future = np.stack([x[other + i].ravel() for i in range(m, m + h)]).astype(float)
        pp = pp + past @ past.T  # (m, m)
        ff = ff + future @ future.T  # (h, h)
        fp = fp + future @ past.T  # (h, m)
    sigma, psi = canonical(pp, ff, fp)
    return sigma, psi[: config.filters], pp


QUARTERS = np.kron(np.eye(SIDE // 4), np.ones((4, 1))).astype(np.float32) / 16  # (40, 10)


def pool(maps):
    """Return means of 4x4 cells: (..., 1600) -> (..., 100)."""
    rows = maps.reshape(*maps.shape[:-1], SIDE // 4, 4, SIDE).sum(-2)  # (..., 10, 40)
    return (rows @ QUARTERS).reshape(*maps.shape[:-1], -1)


def encode(windows, filters):
    """Return the pooled ON and OFF maps of k filters: windows (n, m, 1600) -> (n, 2 k 100)."""
    z = filters @ windows  # (n, k, 1600)
    on = pool(np.maximum(z, 0))  # (n, k, 100)
    off = on - pool(z)  # (n, k, 100), as z is ON less OFF
    return np.stack([on, off], 1).reshape(len(z), -1)


def features(lesson, filters, block=250):
    """Return what an encoder (k, m) shows of every step, (R T, 2 k 100)."""
    filters = filters.astype(np.float32)
    blocks = (lesson.past[k : k + block] for k in range(0, len(lesson.past), block))
    return np.concatenate([encode(lesson.x[past], filters) for past in blocks])


# ---- the head: a net with two hidden layers, trained to imitate ----
BATCH = 64
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam
BOUND = 30  # training SDs; a cell that was silent in training must not shout later


class Mlp:
    """Dense layers with relu between them; params are [W_1, b_1, W_2, ...]."""

    first_rate, last_rate = 1e-3, 1e-4  # Adam's step size falls from one to the other

    def __init__(self, sizes, rng):
        self.params = []
        for below, above in zip(sizes, sizes[1:]):
            weight = rng.normal(0, np.sqrt(2 / below), (below, above))
            self.params += [weight.astype(np.float32), np.zeros(above, np.float32)]

    def logits(self, x):
        """Return what is highest for the action chosen, (n, D) -> (n, 3)."""
        self.acts = [x]
        for layer in range(0, len(self.params), 2):
            z = self.acts[-1] @ self.params[layer] + self.params[layer + 1]
            self.acts.append(np.maximum(z, 0) if layer < len(self.params) - 2 else z)
        return self.acts[-1]

    def gradient(self, x, label):
        """Return the gradient of the mean cross-entropy, like params; dx is that at the input."""
        dz = softmax(self.logits(x))  # (n, 3)
        dz[np.arange(len(dz)), label] -= 1
        dz /= len(dz)
        grads = [None] * len(self.params)
        for layer in range(len(self.params) - 2, -1, -2):
            below = self.acts[layer // 2]  # (n, units)
            grads[layer] = below.T @ dz
            grads[layer + 1] = dz.sum(0)
            dz = dz @ self.params[layer].T  # (n, units)
            if layer:
                dz *= below > 0
        self.dx = dz
        return grads


def softmax(z):
    """Return class probabilities (n, 3)."""
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def adam(params, grads, moments, rate, update):
    """Change params in place."""
    rate = rate * np.sqrt(1 - BETA_2**update) / (1 - BETA_1**update)
    for p, grad, (mean, square) in zip(params, grads, moments):
        mean += (1 - BETA_1) * (grad - mean)
        square += (1 - BETA_2) * (grad * grad - square)
        p -= (rate * mean / (np.sqrt(square) + EPSILON)).astype(p.dtype)


def fit(net, x, label, orders, decay):
    """Train a net, an epoch for each order (n,) of the steps, and halt after each epoch."""
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in net.params]
    total = sum(-(-len(order) // BATCH) for order in orders)
    update = 0
    for order in orders:
        for k in range(0, len(order), BATCH):
            chosen = order[k : k + BATCH]
            grads = net.gradient(x[chosen], label[chosen])
            grads = [g + decay * p if p.ndim > 1 else g for p, g in zip(net.params, grads)]
            rate = net.first_rate + (net.last_rate - net.first_rate) * update / total
            update += 1
            adam(net.params, grads, moments, rate, update)
        yield update / total


def share_right(net, x, label, part):
    """Return the share of the steps `part` at which the net does what the expert would."""
    blocks = [part[k : k + 1000] for k in range(0, len(part), 1000)]
    hits = [net.logits(x[block]).argmax(1) == label[block] for block in blocks]
    return float(np.concatenate(hits).mean())


def tune(net, x, label, parts, decays, orders, progress):
    """Train once for each weight decay, from one start; keep what does best on validation."""
    start, found = net.params, -1.0
    for k, decay in enumerate(decays):
        net.params = [p.copy() for p in start]
        for done in fit(net, x, label, orders, decay):
            right = share_right(net, x, label, parts[1])
            progress((k + done) / len(decays), f"validation {right:.3f}")
            if right > found:
                found, best = right, [p.copy() for p in net.params]
    net.params = best
    return found


def standardise(x, shift, scale):
    """Return features less their training mean, in training SDs, bounded."""
    return np.clip((x - shift) / scale, -BOUND, BOUND)


class Clone(NamedTuple):
    """An encoder with its head: all that is needed to act as the expert would."""

    filters: np.ndarray  # (k, m), newest tap first
    shift: np.ndarray  # (D,) mean of the features in training
    scale: np.ndarray  # (D,) their SD
    net: Mlp
    accuracy: float


def learn(config, lesson, filters, seed, progress):
    """Train a head for an encoder; the test runs judge it."""
    train, _, test = lesson.parts
    x = features(lesson, filters)  # (R T, D)
    shift = x[train].mean(0)  # (D,)
    scale = x[train].std(0) + 1e-4  # (D,)
    x = standardise(x, shift, scale)
    start_rng, order_rng = map(np.random.default_rng, seed.spawn(2))
    net = Mlp((x.shape[1], config.hidden_size, config.hidden_size, 3), start_rng)
    orders = [order_rng.permutation(train) for _ in range(config.epochs)]
    tune(net, x, lesson.label, lesson.parts, config.decays, orders, progress)
    return Clone(filters, shift, scale, net, share_right(net, x, lesson.label, test))


# ---- the experiment ----
def encoders(config, psi, pp, rng):
    """Return the encoders, (k, m) each: the units and four rivals of the same window."""
    components = np.linalg.eigh(pp)[1][:, ::-1].T  # (m, m)
    frames = np.eye(config.taps)
    draws = [rng.standard_normal(psi.shape) for _ in range(config.random_draws)]
    rivals = {"pca": components[: config.filters], "raw_window": frames, "raw_pair": frames[:2]}
    return {"resu": psi} | rivals | {f"random_{k + 1}": draw for k, draw in enumerate(draws)}


def collect(config, seed, progress):
    """Record the expert's runs."""
    world_rng, action_rng = map(np.random.default_rng, seed.spawn(2))
    world = make_world(config, config.runs, world_rng)
    return demonstrate(world, config.steps, config.noise_share, action_rng, progress)


def clone_all(config, lesson, banks, seed, progress):
    """Train a head on every encoder: returns clones by name."""
    clones = {}
    for (name, filters), head_seed in zip(banks.items(), seed.spawn(len(banks))):
        report = part_of(progress, len(clones) / len(banks), (len(clones) + 1) / len(banks), name)
        clones[name] = learn(config, lesson, filters, head_seed, report)
    return clones


def part_of(progress, low, high, name):
    """Return a progress for a part of the whole."""
    return lambda done, said: progress(low + (high - low) * done, f"{name}: {said}")


def pooled(found):
    """Put the mean over the draws of random filters in their place."""
    draws = [value for name, value in found.items() if name.startswith("random")]
    others = {name: value for name, value in found.items() if not name.startswith("random")}
    return others | {"random": np.mean(draws, 0)}


def accuracies(lesson, clones):
    """Return the accuracies of the five sets, and what ReSU gains over its rivals."""
    right = pooled({name: clone.accuracy for name, clone in clones.items()})
    actions = np.bincount(lesson.label[lesson.parts[2]], minlength=3)  # (3,)
    return {
        "accuracy": right | {"majority": actions.max() / actions.sum()},
        "gain_over_filters": right["resu"] - max(right["pca"], right["random"]),
        "gain_over_raw": right["resu"] - right["raw_window"],
    }


def banner(config):
    """Say loudly when the numbers to come are not Atari's."""
    if config.env == "auto" and not config.emulated:
        said = f"*** no ale-py: this is a numpy MINI-PONG, not the Atari. Better: {INSTALL} ***"
        print(f"\n{said}\n", file=sys.stderr, flush=True)


class Taught(NamedTuple):
    """What a seed's demonstrations have led to."""

    data: Data
    lesson: Lesson
    sigma: np.ndarray  # (k,) correlations of layer 1
    banks: dict  # encoders by name
    clones: dict  # the same with their heads


def teach(config, seed, progress):
    """Watch the expert, fit layer 1, and train a head on it and on each rival."""
    data_seed, filter_seed, head_seed = seed.spawn(3)
    data = collect(config, data_seed, part_of(progress, 0, 0.15, "Pong"))
    lesson = prepare(config, data)
    trained = len(lesson.parts[0])  # steps of the training runs, which come first
    progress(0.15, "Pong: layer 1")
    fresh = data.fresh[: trained // config.steps]  # (runs, T)
    starts = windows_of(fresh, config.taps + config.horizon)
    sigma, psi, pp = correlate(config, lesson.x, starts, starts)
    banks = encoders(config, psi, pp, np.random.default_rng(filter_seed))
    clones = clone_all(config, lesson, banks, head_seed, part_of(progress, 0.2, 1, "head"))
    return Taught(data, lesson, sigma, banks, clones)


def run(config, seed, progress):
    """Look at scenes with two layers, then imitate an expert of Pong through layer 1."""
    scene_seed, pong_seed = np.random.SeedSequence(seed).spawn(2)
    banner(config)
    scenes, _ = see_scenes(config, scene_seed, part_of(progress, 0, 0.05, "scenes"))
    begun = process_time()
    taught = teach(config, pong_seed, lambda f, said: progress(0.05 + 0.95 * f, said))
    passes = len(taught.clones) * len(config.decays) * config.epochs
    speed = passes * len(taught.lesson.parts[0]) / max(process_time() - begun, 1e-9)
    return (
        scenes
        | accuracies(taught.lesson, taught.clones)
        | {"heads": {"steps_per_second": speed}, "emulated": int(config.emulated)}
    )


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
