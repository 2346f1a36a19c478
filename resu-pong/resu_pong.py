# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "ale-py==0.12.1"]
# ///
"""ReSU on Pong: a motion encoder in closed form, without backpropagation, and what its principle
really contributes.

A rectified spectral unit projects the recent past of its input on the direction that says most
about the near future (canonical correlation analysis of past and future) and half-wave rectifies.
Layer 1 sees one pixel for 8 steps, shared by all pixels of emulated Atari Pong; pooled ON and OFF
maps feed a small net that imitates an expert and then plays. Beside it: raw frames over the same
window, random filters, principal components, no rectifier, a small CNN.

Paper: S. Qin, J. L. Pughe-Sanford, A. Genkin, P. G. Ozdil, P. Greengard, A. M. Sengupta, D. B.
Chklovskii, "A Network of Biologically Inspired Rectified Spectral Units (ReSUs) Learns Hierarchical
Features Without Error Backpropagation", arXiv:2512.23146, 2025. It has no Atari; its Gaussian
systems and translating scenes come first here.
Claim: past-future CCA finds what Riccati equations say it must, filters widen with noise, and as a
fixed encoder it clones and plays better than the same machinery with random or PCA filters, or with
raw frames over the same window.

    python3 resu_pong.py               emulated Pong if ale-py is there, else a numpy mini-Pong
    python3 resu_pong.py --env mini    numpy alone
    python3 study_resu_pong.py         streaming, other games' filters, actions, depth
"""

import os
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

# before numpy: one core
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np

try:  # GPL-2.0, its wheel carries the ROMs: imported where present, never shipped
    import ale_py
    import ale_py.roms

    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
except ImportError:
    ale_py = None
INSTALL = "pip install ale-py==0.12.1"


@dataclass(frozen=True)
class Config:
    env: Annotated[
        str, "auto: the emulator if ale-py is installed, else mini", ("auto", "ale", "mini")
    ] = "auto"
    runs: Annotated[int, "games played side by side by the expert: the data set", (3, 200)] = 20
    train_runs: Annotated[int, "of them, for training", (2, 198)] = 14
    validation_runs: Annotated[
        int, "of them, to choose ridge, decay and epoch; the rest test", (1, 198)
    ] = 3
    steps: Annotated[int, "agent steps (of 4 raw frames) per run", (24, 10**5)] = 1000
    noise_share: Annotated[
        float, "share of steps at which a random action replaces the expert's", (0.0, 1.0)
    ] = 0.25
    sticky: Annotated[
        float, "probability per raw frame that the last action repeats", (0.0, 0.9)
    ] = 0.25
    taps: Annotated[int, "window of the past, agent steps", (2, 64)] = 8
    horizon: Annotated[int, "window of the future, agent steps", (1, 64)] = 4
    filters: Annotated[int, "filters kept per layer", (2, 64)] = 4
    floor: Annotated[
        float, "least eigenvalue of a covariance, relative to its largest", (0.0, 0.1)
    ] = 1e-6
    null_shifts: Annotated[int, "futures taken elsewhere, for the null spectrum", (1, 1000)] = 10
    random_draws: Annotated[int, "draws of random filters", (1, 100)] = 5
    gap: Annotated[
        int, "agent steps between the windows of layer 2; taps - 1: no shared frame", (1, 64)
    ] = 7
    samples: Annotated[int, "(pixel, step) samples that fit layer 2", (1000, 10**7)] = 60_000
    active: Annotated[float, "a pixel counts as active beyond this, in full scale", (0.0, 1.0)] = (
        0.02
    )
    ridges: Annotated[
        tuple[float, ...], "ridges of the linear probes to choose from", (1e-9, 1e9)
    ] = (1.0, 10.0, 100.0, 1e3, 1e4)
    hidden_size: Annotated[int, "units in each of two hidden layers of the head", (1, 4096)] = 128
    epochs: Annotated[
        int, "passes over the data; validation chooses the best of them", (1, 1000)
    ] = 6
    batch_size: Annotated[int, "steps per gradient", (1, 10**5)] = 64
    learning_rate: Annotated[float, "Adam step size at the start", (1e-7, 1.0)] = 1e-3
    last_rate: Annotated[float, "Adam step size at the end", (0.0, 1.0)] = 1e-4
    decays: Annotated[tuple[float, ...], "weight decays (L2) to choose from", (0.0, 10.0)] = (
        1e-3,
        1e-2,
    )
    cnn_epochs: Annotated[int, "passes of the convolutional net", (1, 1000)] = 4
    cnn_rate: Annotated[float, "its Adam step size at the start", (1e-7, 1.0)] = 2e-3
    players: Annotated[int, "emulators in which each player plays", (2, 1000)] = 8
    play_steps: Annotated[int, "agent steps that each of them plays", (10, 10**6)] = 1500
    lines: Annotated[int, "dead-leaves lines", (2, 10**4)] = 120
    scene_noise: Annotated[
        tuple[float, ...], "noise levels on the dead leaves, in SDs", (1e-4, 100.0)
    ] = (0.005, 0.05, 0.5, 1.5)
    lengths: Annotated[tuple[int, ...], "samples of the three-state system", (500, 10**7)] = (
        1000,
        10_000,
        100_000,
    )
    repeats: Annotated[int, "draws of each sample", (1, 1000)] = 4
    data_seeds: Annotated[int, "data sets in the study", (2, 100)] = 4

    def __post_init__(self):
        if self.env == "ale" and ale_py is None:
            raise ValueError(f"argument --env: ale needs the emulator: {INSTALL}")
        if self.train_runs + self.validation_runs >= self.runs:
            raise ValueError("runs must exceed train_runs + validation_runs: the rest is the test")
        if self.filters > min(self.taps, self.horizon):
            raise ValueError(
                "filters must not exceed taps or horizon: there are no more canonical directions"
            )
        if self.steps < 2 * (self.taps + self.horizon):
            raise ValueError("steps must be at least twice taps + horizon: one window has to fit")

    @property
    def emulated(self):
        return self.env != "mini" and ale_py is not None


QUICK = {
    "env": "mini",
    "runs": 5,
    "train_runs": 3,
    "validation_runs": 1,
    "steps": 300,
    "null_shifts": 2,
    "random_draws": 1,
    "samples": 3000,
    "hidden_size": 16,
    "epochs": 2,
    "decays": (1e-4,),
    "cnn_epochs": 1,
    "players": 2,
    "play_steps": 60,
    "lines": 8,
    "lengths": (1000, 4000),
    "repeats": 1,
    "data_seeds": 2,
}


# ---- the method: canonical correlation of past and future ----------------------------------------
def inverse_root(c, floor=0.0):
    """c^(-1/2) of a covariance, eigenvalues floored relative to the largest one."""
    values, vectors = np.linalg.eigh(c)
    return vectors / np.sqrt(np.maximum(values, floor * values[-1])) @ vectors.T


def canonical(pp, ff, fp, floor=0.0):
    """Canonical correlations sigma (k,), filters on the past (k, m) and on the future (k, h), k =
    min(m, h).

    Section 2 of the paper: G = C_ff^(-1/2) C_fp C_pp^(-1/2) = U S V^T, filters Psi = V^T
    C_pp^(-1/2), so that Psi C_pp Psi^T = I. A filter's sign is free: its largest tap is made
    positive.
    """
    root_p, root_f = inverse_root(pp, floor), inverse_root(ff, floor)
    u, sigma, vt = np.linalg.svd(root_f @ fp @ root_p, full_matrices=False)
    psi, phi = vt @ root_p, u.T @ root_f
    sign = np.sign(np.take_along_axis(psi, np.abs(psi).argmax(1)[:, None], 1))
    return sigma, psi * sign, phi * sign


def information(sigma):
    """Bits that each pair of canonical variables shares if they are Gaussian."""
    return -0.5 * np.log2(1 - np.minimum(sigma, 1 - 1e-15) ** 2)


# ---- exact checks: where Riccati and Lyapunov equations say what the correlations are ------------
SYSTEM = {
    "a": np.array([[0.6, 0.6, 0], [-0.6, 0.6, 0], [0, 0, 0.4]]),
    "q": np.array([0.17, -0.15, 0.28]) ** 2,
    "c": np.array([0.78, 0.53, 1.0]),
    "r": 0.1,
}  # the paper's three-state example: x' = a x + w, y = c x + v


def blocks(acov, m, h):
    """C_pp, C_ff, C_fp of windows p = (x_t, ..), f = (x_t+1, ..) from the autocovariance acov (>= m
    + h,)."""
    past, future = -np.arange(m), 1 + np.arange(h)
    return (
        acov[np.abs(a[:, None] - b)] for a, b in ((past, past), (future, future), (future, past))
    )


def scalar_covariance(a, q, r, lags):
    """Autocovariance of x' = a x + w observed with white noise of variance r."""
    acov = q / (1 - a * a) * a ** np.arange(lags)
    acov[0] += r
    return acov


def scalar_truth(a, q, r):
    """(sigma_1, ratio of the geometric filter): prediction variance s by the Riccati fixed point, P
    stationary."""
    s, P = q, q / (1 - a * a)
    for _ in range(1000):
        s = a * a * s * r / (s + r) + q
    return np.sqrt((P - s) * (P - s * r / (s + r))) / P, a * r / (s + r)


def state_covariance(a, q):
    """Lyapunov: P = a P a^T + q."""
    n = len(a)
    return np.linalg.solve(np.eye(n * n) - np.kron(a, a), q.ravel()).reshape(n, n)


def kalman(a, q, c, r):
    """Stationary covariances of the state, predicted and filtered (n, n), by iterating the Riccati
    equation."""
    predicted = q
    for _ in range(1000):
        filtered = predicted - np.outer(predicted @ c, c @ predicted) / (c @ predicted @ c + r)
        predicted = a @ filtered @ a.T + q
    return predicted, filtered


def system_truth(a, q, c, r):
    """Canonical correlations of infinite past and future: of two optimal estimates of the present
    state.

    One predicts from the past (forward filter), one estimates from the present and future (backward
    model, filtered).
    """
    q = np.diag(q)
    P = state_covariance(a, q)
    back = P @ a.T @ np.linalg.inv(P)
    forward, _ = kalman(a, q, c, r)
    _, backward = kalman(back, P - back @ a @ P, c, r)
    shared = (P - forward) @ np.linalg.inv(P) @ (P - backward) @ np.linalg.inv(P)
    return np.sqrt(np.sort(np.linalg.eigvals(shared).real)[::-1])


def system_covariance(a, q, c, r, lags):
    """Autocovariance (lags,) of the observation."""
    P, acov, power = state_covariance(a, np.diag(q)), np.empty(lags), np.eye(len(a))
    for k in range(lags):
        acov[k] = c @ power @ P @ c
        power = a @ power
    acov[0] += r
    return acov


def system_sample(rng, a, q, c, r, length, draws):
    """Observations (draws, length): white noise through the impulse response, which is dead after
    200 steps."""
    impulse, power = np.empty((len(a), 200)), np.eye(len(a))
    for k in range(200):
        impulse[:, k] = c @ power
        power = a @ power
    size = length + 400
    w = rng.standard_normal((draws, len(a), size)) * np.sqrt(q)[:, None]
    y = np.fft.irfft(np.fft.rfft(w) * np.fft.rfft(impulse, size), size).sum(1)[
        :, 200 : 200 + length
    ]
    return y + np.sqrt(r) * rng.standard_normal((draws, length))


def window_pairs(y, m, h):
    """Windows of one line: past (n, m) newest first, future (n, h)."""
    w = np.lib.stride_tricks.sliding_window_view(y, m + h)
    return w[:, m - 1 :: -1], w[:, m:]


def routes(p, f):
    """Canonical correlations of one sample by three roads: symmetric roots, Cholesky, QR of the
    data (Bjorck-Golub)."""
    p, f = p - p.mean(0), f - f.mean(0)
    sigma, _, _ = canonical(p.T @ p, f.T @ f, f.T @ p)
    whiten_p, whiten_f = (np.linalg.inv(np.linalg.cholesky(x.T @ x)) for x in (p, f))
    by_cholesky = np.linalg.svd(whiten_f @ f.T @ p @ whiten_p.T, compute_uv=False)
    by_qr = np.linalg.svd(np.linalg.qr(f)[0].T @ np.linalg.qr(p)[0], compute_uv=False)
    return sigma, by_cholesky, by_qr


def exact_checks(config, rng):
    """Stage 0: covariances known exactly against closed forms, then samples against the exact
    answer."""
    out, m = {}, 25
    for a in (0.5, 0.905, 0.99):
        sigma, psi, _ = canonical(*blocks(scalar_covariance(a, 1 - a * a, 0.0, 2 * m), m, m))
        out["ar1_error"] = max(out.get("ar1_error", 0), abs(sigma[0] - a))
        out["ar1_sigma_2"] = max(out.get("ar1_sigma_2", 0), sigma[1])
    m = 50
    truth, ratio = scalar_truth(0.9, 0.19, 0.3)
    sigma, psi, _ = canonical(*blocks(scalar_covariance(0.9, 0.19, 0.3, 2 * m), m, m))
    out |= {
        "noisy_error": abs(sigma[0] - truth),
        "noisy_sigma_2": sigma[1],
        "noisy_ratio_error": abs(psi[0, 1] / psi[0, 0] - ratio),
    }
    truth = system_truth(**SYSTEM)
    sigma, _, _ = canonical(*blocks(system_covariance(**SYSTEM, lags=2 * m), m, m))
    out |= {
        "system_error": np.abs(sigma[:3] - truth).max(),
        "system_sigma_4": sigma[3],
        "system_bits": information(sigma).sum(),
    }

    m = 25
    pp, ff, fp = blocks(system_covariance(**SYSTEM, lags=2 * m), m, m)
    exact, psi, _ = canonical(pp, ff, fp)
    errors = []
    for length in config.lengths:
        spectra = []
        for y in system_sample(rng, **SYSTEM, length=length, draws=config.repeats):
            p, f = window_pairs(y, m, m)
            n = len(p)
            found, drawn, _ = canonical(p.T @ p / n, f.T @ f / n, f.T @ p / n)
            spectra.append(found)
        errors.append(np.sqrt(np.mean((np.array(spectra) - exact) ** 2)))
    cosines = np.abs(
        np.einsum("kp,pq,kq->k", psi, pp, drawn)
        / np.sqrt(np.einsum("kp,pq,kq->k", drawn, pp, drawn))
    )
    found = routes(p[:10_000], f[:10_000])
    out["routes_gap"] = max(np.abs(found[0] - other).max() for other in found[1:])
    out["sample_slope"] = np.polyfit(np.log(config.lengths), np.log(errors), 1)[0]
    out["sample_slope_off"] = abs(out["sample_slope"] + 0.5)
    out["identifiable_filters"] = int((cosines[:6] > 0.99).sum())
    out |= {f"sample_cosine_{k + 1}": cosines[k] for k in range(6)}
    return out | {f"sample_sigma_{k + 1}": spectra[-1][k] for k in range(6)}


# ---- dead leaves: lines of overlapping segments, as a natural scene glides past one photoreceptor
def dead_leaves(rng, lines, length=1400, leaves=3000, narrow=4.0, wide=400.0, blur=5.0):
    """Grey values (lines, length): widths ~ w^-2.5, later leaves in front; the eye blurs; unit
    variance per line."""
    u = rng.random((lines, leaves))
    widths = (narrow**-1.5 + u * (wide**-1.5 - narrow**-1.5)) ** (-1 / 1.5)
    starts = rng.uniform(-wide, length, (lines, leaves))
    greys = rng.random((lines, leaves))
    scene = np.full((lines, length), 0.5)
    lows, highs = np.maximum(starts, 0).astype(int), np.maximum(starts + widths, 0).astype(int)
    for row, low, high, grey in zip(scene, lows.tolist(), highs.tolist(), greys.tolist()):
        for a, b, g in zip(low, high, grey):
            row[a:b] = g
    kernel = np.exp(-0.5 * (np.arange(-4 * int(blur), 4 * int(blur) + 1) / blur) ** 2)
    scene = np.stack([np.convolve(row, kernel / kernel.sum(), "valid") for row in scene])
    return (scene - scene.mean(1, keepdims=True)) / scene.std(1, keepdims=True)


def lobes(w, least=0.1):
    """Runs of one sign that hold at least this share of a filter's absolute area."""
    edges = np.flatnonzero(np.diff(np.sign(w))) + 1
    areas = np.array([np.abs(part).sum() for part in np.split(w, edges)])
    return int((areas >= least * areas.sum()).sum())


def scene_filters(config, rng, m=50):
    """[(noise, sigma (m,), filters (m, m))] of dead leaves under growing noise."""
    scene, out = dead_leaves(rng, config.lines), []
    for noise in config.scene_noise:
        gram = np.zeros((2 * m, 2 * m))
        for row in scene + noise * rng.standard_normal(scene.shape):
            w = np.concatenate(window_pairs(row, m, m), 1)
            gram += w.T @ w
        out.append((noise, *canonical(gram[:m, :m], gram[m:, m:], gram[m:, :m], config.floor)[:2]))
    return out


def scene_checks(found):
    """Stage 1 in numbers: lobes per noise level, and how one-sided or balanced two of the filters
    are."""
    counts = np.array([[lobes(psi[k]) for _, _, psi in found] for k in range(2)])  # (2, levels)
    first, second = found[-1][2][0], found[1][2][1]
    positive = np.maximum(second, 0).sum() / np.abs(second).sum()
    out = {
        f"leaves_lobes_{k + 1}_level_{i + 1}": counts[k, i]
        for k in range(2)
        for i in range(len(found))
    }
    out |= {f"leaves_sigma_1_level_{i + 1}": sigma[0] for i, (_, sigma, _) in enumerate(found)}
    return out | {
        "leaves_lobes_rise": np.diff(counts).max(),
        "leaves_low_pass_share": max(np.maximum(s * first, 0).sum() for s in (1, -1))
        / np.abs(first).sum(),
        "leaves_band_pass_share": min(positive, 1 - positive),
    }


# ---- the task: Pong, emulated or in numpy --------------------------------------------------------
# Both worlds run B games in lockstep and show the same: frames (B, 1600) uint8, the 160x160 court
# in means of 4x4 blocks; state (B, 6) in the emulator's memory units, below; fresh (B,), a game has
# just begun. A step is 4 raw frames.
SIDE, SKIP, COURT = (
    40,
    4,
    slice(34, 194),
)  # pixels per side after pooling, raw frames per agent step, screen rows
BALL_X, BALL_Y, PADDLE, RIVAL, LOST, WON = range(6)  # columns of a state
MEMORY = [49, 54, 51, 50, 13, 14]  # the addresses of these columns in the console's RAM
NOOP, UP, DOWN = range(3)
LEFT_WALL, PADDLE_X, TOP, BOTTOM = 49, 188, 48, 204  # of the ball, in memory units
LABELS = (
    "x",
    "y",
    "vx",
    "vy",
    "paddle",
    "paddle_ahead",
)  # what the probes read out; velocities per agent step


def shrink(screens):
    """Rounded means of 4x4 blocks (B, 1600) uint8 of screens (B, 210, 160): two 16-bit sums side by
    side in a word."""
    words = screens[:, COURT].view(np.uint32).reshape(len(screens), SIDE, 4, SIDE)
    pairs = ((words & 0x00FF00FF) + (words >> 8 & 0x00FF00FF)).sum(2)
    return (
        (((pairs & 0xFFFF) + (pairs >> 16) + 8) >> 4)
        .astype(np.uint8)
        .reshape(len(screens), SIDE * SIDE)
    )


class Atari:
    """B emulators, each with its own seed. With sticky 0 the emulator would ignore the seed
    altogether."""

    dead_zone = 8  # of the expert, px

    def __init__(self, config, seeds, game="pong", legal=("NOOP", "RIGHT", "LEFT"), flicker=False):
        self.raw_frames, self.flicker, self.machines = 0, flicker, []
        for seed in seeds:
            machine = ale_py.ALEInterface()
            machine.setInt("random_seed", int(seed))
            machine.setFloat("repeat_action_probability", config.sticky)
            machine.setInt("frame_skip", 1)
            machine.loadROM(ale_py.roms.get_rom_path(game))
            self.machines.append(machine)
        self.actions = [getattr(ale_py.Action, name) for name in legal] or self.machines[
            0
        ].getMinimalActionSet()
        self.screens = np.empty((len(self.machines), 210, 160), np.uint8)
        self.fresh = np.ones(len(self.machines), bool)
        self.look()

    def look(self):
        for machine, screen in zip(self.machines, self.screens):
            machine.getScreenGrayscale(screen)
        self.frames = shrink(self.screens)
        self.state = np.array([machine.getRAM()[MEMORY] for machine in self.machines], int)

    def step(self, actions):
        before = (
            np.empty_like(self.screens) if self.flicker else None
        )  # some games draw their sprites in turns
        for b, machine in enumerate(self.machines):
            action, self.fresh[b] = self.actions[actions[b]], False
            for k in range(SKIP):
                if k == SKIP - 1 and self.flicker:
                    machine.getScreenGrayscale(before[b])
                machine.act(action)
            if machine.game_over():
                machine.reset_game()
                self.fresh[b] = True
        self.raw_frames += SKIP * len(self.machines)
        self.look()
        if self.flicker:
            self.frames = shrink(np.maximum(self.screens, before))


class MiniPong:
    """B games of a small Pong with the emulator's court, sizes, grey levels and paddle dynamics.
    Positions in px of the court; memory units are these plus 49 across and plus 48 (ball) or 47
    (paddles) down."""

    dead_zone = 6

    def __init__(self, config, seeds):
        self.rng, B = np.random.default_rng(seeds), len(seeds)
        self.sticky, self.raw_frames, self.fresh = config.sticky, 0, np.ones(B, bool)
        self.ball, self.speed = (
            np.zeros((B, 2)),
            np.zeros((B, 2)),
        )  # x, y of the upper left corner; px per raw frame
        self.paddle, self.target, self.rival = np.full(B, 72.0), np.full(B, 72.0), np.full(B, 72.0)
        self.pause, self.last, self.points = np.full(B, 60), np.zeros(B, int), np.zeros((B, 2), int)
        self.look()

    def look(self):
        visible = self.pause == 0
        x, y = np.where(visible[:, None], np.floor(self.ball), [-LEFT_WALL, -TOP]).T
        self.state = np.stack(
            [x + 49, y + 48, self.paddle + 47, np.floor(self.rival) + 47, *self.points.T], 1
        ).astype(int)
        cells = 4 * np.arange(SIDE)

        def cover(
            low, size
        ):  # share of each cell that the stretch from low to low + size covers (B, 40)
            return (
                np.minimum(cells + 4, low[:, None] + size) - np.maximum(cells, low[:, None])
            ).clip(0, 4) / 4

        image = np.full((len(x), SIDE, SIDE), 87.0)
        for left, top, wide, high, grey in (
            (x, y, 2, 4, 236),
            (np.full_like(x, 140), self.paddle, 4, 16, 147),
            (np.full_like(x, 16), np.floor(self.rival), 4, 16, 148),
        ):
            image += (grey - 87) * cover(top, high)[:, :, None] * cover(left, wide)[:, None]
        self.frames = np.floor(image.clip(0, 255) + 0.5).astype(np.uint8).reshape(len(x), -1)

    @property
    def screens(self):
        """The full screens (B, 210, 160), for pictures."""
        screens = np.zeros((len(self.state), 210, 160), np.uint8)
        screens[:, COURT], screens[:, 24:34], screens[:, 194:] = 87, 236, 236
        for screen, (x, y, paddle, rival, _, _) in zip(
            screens, self.state - [49, 14, 13, 13, 0, 0]
        ):
            court = screen[COURT]
            court[max(paddle - 34, 0) : max(paddle - 18, 0), 140:144] = 147
            court[max(rival - 34, 0) : max(rival - 18, 0), 16:20] = 148
            if x >= 0:
                court[y - 34 : y - 30, x : x + 2] = 236
        return screens

    def step(self, actions):
        self.fresh[:] = False
        for _ in range(SKIP):
            self.raw_frame(np.asarray(actions))
        self.look()

    def raw_frame(self, actions):
        B, rng = len(self.pause), self.rng
        self.last = np.where(rng.random(B) < self.sticky, self.last, actions)
        # paddles: a hidden target moves at once, the drawn paddle halves its distance to it on
        # every second frame
        self.target = (self.target + 5.6 * ((self.last == DOWN) * 1.0 - (self.last == UP))).clip(
            -8, 152
        )
        skips, serve_y, serve_v = (
            rng.random(B) < 0.07,
            rng.integers(20, 136, B),
            rng.integers(0, 8, B),
        )
        if self.raw_frames // B % 2 == 0:
            self.paddle = np.round((self.paddle + self.target) / 2)
            to_ball = np.where(self.pause > 0, 0, self.ball[:, 1] - 6 - self.rival)
            self.rival = (self.rival + np.where(skips, 0, to_ball.clip(-2, 2))).clip(-8, 152)
        self.raw_frames += B
        # the ball: flies, bounces off walls and paddles, leaves, pauses, is served again
        flying, old = self.pause == 0, self.ball[:, 0].copy()
        self.ball += self.speed * flying[:, None]
        outside = (self.ball[:, 1] < 0) | (self.ball[:, 1] > BOTTOM - TOP)
        self.ball[:, 1] = np.abs(
            np.where(self.ball[:, 1] > 156, 312 - self.ball[:, 1], self.ball[:, 1])
        )
        self.speed[:, 1] *= np.where(outside, -1, 1)
        for top, edge, side in ((self.paddle, 138, 1), (self.rival, 20, -1)):
            x, y = self.ball.T
            hit = (
                flying
                & (side * self.speed[:, 0] > 0)
                & (side * x >= side * edge)
                & (side * old < side * edge)
            )
            hit &= (y + 4 > top) & (y < top + 16)
            segment = np.floor((y + 2 - top) / 2).clip(0, 7) - 3.5
            fast = np.minimum(1.08 * np.abs(self.speed[:, 0]), 3)
            fast = np.where(np.abs(segment) == 3.5, np.maximum(fast, 2), fast)
            bounced = np.stack([-side * fast, 0.55 * segment * np.maximum(1, 0.7 * fast)], 1)
            self.speed = np.where(hit[:, None], bounced, self.speed)
            self.ball[:, 0] = np.where(hit, edge, x)
        out = (
            np.stack([self.ball[:, 0] >= 158, self.ball[:, 0] < 0], 1) & flying[:, None]
        )  # lost, won
        self.points += out
        serve = self.pause == 1
        self.pause = np.where(out.any(1), 60, np.maximum(self.pause - 1, 0))
        starts = np.stack([np.full(B, 79), serve_y], 1)
        speeds = np.stack(
            [np.where(serve_v < 4, 1, -1), np.array([-1, -0.5, 0.5, 1])[serve_v % 4]], 1
        )
        self.ball = np.where(serve[:, None], starts, self.ball)
        self.speed = np.where(serve[:, None], speeds, self.speed)


def make_world(config, rng, games):
    """B games with seeds of their own, in the emulator or in numpy."""
    return (Atari if config.emulated else MiniPong)(config, rng.integers(0, 2**31 - 1, games))


def visible(state):
    """Whether the ball is on the court: while it is away, its memory holds what was there last."""
    x, y = state[..., BALL_X], state[..., BALL_Y]
    return (x >= 50) & (x <= 204) & (y >= TOP) & (y <= BOTTOM + 1)


def motion(state, before):
    """Change (..., 2) of the ball over an agent step, and whether it can be trusted."""
    v = (state - before)[..., :2]
    return v, visible(state) & visible(before) & (np.abs(v) < 30).all(-1)


def expert(state, before, dead_zone):
    """Where the ball will arrive, from memory (B,) -> actions. It needs the ball's velocity and the
    paddle's."""
    v, sure = motion(state, before)
    x, y, paddle = (state[..., i] for i in (BALL_X, BALL_Y, PADDLE))
    arrival = y + v[..., 1] * (PADDLE_X - x) / np.maximum(v[..., 0], 1)
    arrival = BOTTOM - np.abs(
        (arrival - TOP) % (2 * (BOTTOM - TOP)) - (BOTTOM - TOP)
    )  # off the walls
    aim = np.where(v[..., 0] > 0, arrival, (y + 126) / 2)
    e = aim - (paddle + 0.4 * (paddle - before[..., PADDLE]) + 7)
    return np.where(sure, np.where(e > dead_zone, DOWN, np.where(e < -dead_zone, UP, NOOP)), NOOP)


class Data(NamedTuple):
    """Runs of the expert: what was seen, where things were, what the expert would do."""

    frames: np.ndarray  # (R, T, 1600) uint8
    state: np.ndarray  # (R, T, 6)
    label: np.ndarray  # (R, T)
    action: np.ndarray  # (R, T): what was done
    fresh: np.ndarray  # (R, T) bool


def demonstrate(config, world, rng, steps, share=None, progress=None):
    """Let the expert play, but with this share of uniformly random actions, so that its recoveries
    are seen too."""
    B, share = len(world.frames), config.noise_share if share is None else share
    shapes = {
        "frames": ((SIDE * SIDE,), np.uint8),
        "state": ((6,), int),
        "label": ((), int),
        "action": ((), int),
        "fresh": ((), bool),
    }
    data = Data(*(np.empty((B, steps, *shape), kind) for shape, kind in shapes.values()))
    before = world.state
    for t in range(steps):
        before = np.where(world.fresh[:, None], world.state, before)
        label = expert(world.state, before, world.dead_zone)
        action = np.where(rng.random(B) < share, rng.integers(0, 3, B), label)
        for store, value in zip(data, (world.frames, world.state, label, action, world.fresh)):
            store[:, t] = value
        before = world.state
        world.step(action)
        if progress and t % 50 == 0:
            progress(t / steps, "the expert plays")
    return data


# ---- layer 1: one pixel, its last m steps --------------------------------------------------------
def stretches(fresh):
    """[(run, start, stop)]: stretches that no new game interrupts. No window may cross one."""
    for run, row in enumerate(fresh):
        edges = [*np.flatnonzero(row), len(row)]
        yield from (
            (run, a, b)
            for a, b in zip([0, *edges] if edges[0] else edges, edges if edges[0] else edges[1:])
        )


def window_covariances(x, fresh, m, h, elsewhere=None):
    """C_pp, C_ff, C_fp of x (R, T, pixels) pooled over runs, steps and pixels: p newest first, f
    oldest first.

    All are dot products of x with itself a few steps later. elsewhere, a generator, makes the null,
    whose C_fp is what chance makes of it: the past of each stretch meets the future of another one,
    from a random step on.
    """
    w, count, order = np.zeros((m + h, m + h)), 0, [*range(m - 1, -1, -1), *range(m, m + h)]
    pairs = [
        (i, j) for i in range(m + h) for j in range(i, m + h) if elsewhere is None or i < m <= j
    ]
    pasts = futures = [s for s in stretches(fresh) if s[2] - s[1] >= m + h]
    if elsewhere is not None:
        turn = elsewhere.integers(1, len(pasts))
        futures = pasts[turn:] + pasts[:turn]
    for (run, start, stop), (other, begin, end) in zip(pasts, futures):
        n = min(stop - start, end - begin) - m - h + 1
        parts = [x[run, start + k : start + k + n].ravel() for k in order[:m]]
        parts += [x[other, begin + k : begin + k + n].ravel() for k in order[m:]]
        cut = 0 if elsewhere is None else elsewhere.integers(n) * x.shape[2]
        count += parts[0].size
        for i, j in pairs:
            w[i, j] += parts[i][: parts[i].size - cut] @ parts[j][cut:]
            if cut:
                w[i, j] += parts[i][parts[i].size - cut :] @ parts[j][:cut]
    w = (w + np.triu(w, 1).T) / count
    return w[:m, :m], w[m:, m:], w[m:, :m]


def respond(x, fresh, filters):
    """Responses (T, k, pixels) of filters (k, m), newest tap first, to one run x (T, pixels).

    A game's first frame is taken to have stood for ever. A block of steps is one product with a
    banded matrix.
    """
    (k, m), (T, pixels), block = filters.shape, x.shape, 32
    band = np.zeros((block, k, block + m - 1), np.float32)
    for step in range(block):
        band[step, :, step : step + m] = filters[:, ::-1]
    out = np.empty((T, k, pixels), np.float32)
    for _, start, stop in stretches(fresh[None]):
        padded = np.concatenate([np.repeat(x[start : start + 1], m - 1, 0), x[start:stop]])
        for t in range(start, stop, block):
            n = min(block, stop - t)
            rows = padded[t - start : t - start + n + m - 1]
            out[t : t + n] = (band[:n, :, : n + m - 1].reshape(n * k, -1) @ rows).reshape(
                n, k, pixels
            )
    return out


FOURTH = np.kron(np.eye(SIDE // 4), np.ones((4, 1))).astype(np.float32) / 16  # (40, 10)


def pool(maps):
    """Means of 4x4 cells: (..., 1600) -> (..., 100)."""
    rows = maps.reshape(-1, SIDE // 4, 4, SIDE).sum(2)
    return (rows @ FOURTH).reshape(*maps.shape[:-1], -1)


def on_off(r):
    """ON and OFF halves max(r, 0), max(-r, 0), pooled: (..., k, 1600) -> (..., 2, k, 100). Their
    difference is r."""
    on = pool(np.maximum(r, 0))
    return np.stack([on, on - pool(r)], -3)


def standardise(x, shift, scale, limit=30):
    """Features less their training mean, in training SDs; a cell that was silent in training may
    not shout later."""
    return np.clip((x - shift) / scale, -limit, limit)


def features(x, fresh, filters, block=250):
    """Pooled ON and OFF maps (R T, 2, k, 100) of all runs."""
    R, T, _ = x.shape
    out = np.empty((R, T, 2, len(filters), 100), np.float32)
    for run in range(R):
        r = respond(x[run], fresh[run], filters.astype(np.float32))
        for t in range(0, T, block):
            out[run, t : t + block] = on_off(r[t : t + block])
    return out.reshape(R * T, 2, len(filters), 100)


# ---- layer 2: the same rule on a 3x3 neighbourhood of layer-1 maps -------------------------------
def rectified(r):
    """ON and OFF halves side by side: (..., k, pixels) -> (..., 2 k, pixels)."""
    return np.concatenate([np.maximum(r, 0), np.maximum(-r, 0)], -2)


def neighbours(maps, pixels):
    """The 3x3 neighbourhoods (N, 9 k) of pixels (N,) in each of the maps (N, k, 1600)."""
    row, column = np.divmod(pixels, SIDE)
    around = [
        ((row + i).clip(0, SIDE - 1) * SIDE + (column + j).clip(0, SIDE - 1))
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
    ]
    return np.stack([maps[np.arange(len(maps)), :, p] for p in around], -1).reshape(len(maps), -1)


def fit_layer_2(config, rng, x, fresh, filters, gap):
    """Spectrum (k,) and filters (k, 9 * 2 * filters) of neighbourhoods at t against the same at t +
    1 + gap.

    With gap = taps - 1 the two share no raw frame; with gap 0 they share all but one, and nearly
    all they tell.
    """
    past, future, share = [], [], config.samples // len(x)
    for run in range(len(x)):
        r = respond(x[run], fresh[run], filters.astype(np.float32))
        steps, pixels = np.nonzero(np.abs(x[run, : len(r) - gap - 1]) > config.active)
        whole = np.cumsum(fresh[run])
        keep = np.flatnonzero(whole[steps] == whole[steps + gap + 1])
        keep = rng.choice(keep, min(share, len(keep)), replace=False)
        steps, pixels = steps[keep], pixels[keep]
        for store, at in ((past, steps), (future, steps + gap + 1)):
            store.append(neighbours(rectified(r[at]), pixels))
    p, f = (np.concatenate(part).astype(float) for part in (past, future))
    p, f = p - p.mean(0), f - f.mean(0)
    sigma, psi, _ = canonical(p.T @ p / len(p), f.T @ f / len(p), f.T @ p / len(p), config.floor)
    return sigma, psi[: config.filters]


def layer_2_maps(r, psi):
    """Responses (T, k, 1600) of layer-2 filters to layer-1 responses r (T, filters, 1600), edges
    repeated."""
    maps = rectified(r)
    T, k = len(maps), len(psi)
    padded = np.pad(maps.reshape(T, -1, SIDE, SIDE), ((0, 0), (0, 0), (1, 1), (1, 1)), "edge")
    weights = psi.reshape(k, -1, 9).transpose(2, 0, 1).reshape(9 * k, -1).astype(np.float32)
    product = (weights @ padded.reshape(T, -1, (SIDE + 2) ** 2)).reshape(
        T, 9, k, SIDE + 2, SIDE + 2
    )
    out = np.zeros((T, k, SIDE, SIDE), np.float32)
    for n in range(9):  # one product for all pixels, then nine shifted sums
        out += product[:, n, :, n // 3 : n // 3 + SIDE, n % 3 : n % 3 + SIDE]
    return out.reshape(T, k, -1)


def features_2(x, fresh, filters, psi, block=100):
    """Pooled ON and OFF maps (R T, 2, k, 100) of layer 2."""
    R, T, _ = x.shape
    out = np.empty((R, T, 2, len(psi), 100), np.float32)
    for run in range(R):
        r = respond(x[run], fresh[run], filters.astype(np.float32))
        for t in range(0, T, block):
            out[run, t : t + block] = on_off(layer_2_maps(r[t : t + block], psi))
    return out.reshape(R * T, 2, len(psi), 100)


# ---- linear probes -------------------------------------------------------------------------------
def probe_targets(data, ahead=4):
    """Targets (R T, 6) named LABELS, and the steps (R T,) at which they are asked for: the ball
    seen now and before, and the same game still on when the paddle is looked at again."""
    T = data.state.shape[1]
    before = np.concatenate([data.state[:, :1], data.state[:, :-1]], 1)
    v, sure = motion(data.state, before)
    later, game = np.minimum(np.arange(T) + ahead, T - 1), np.cumsum(data.fresh, 1)
    asked = sure & ~data.fresh & (game == game[:, later]) & (np.arange(T) < T - ahead)
    paddle = data.state[..., PADDLE]
    y = [
        data.state[..., BALL_X],
        data.state[..., BALL_Y],
        v[..., 0],
        v[..., 1],
        paddle,
        paddle[:, later],
    ]
    return np.stack(y, -1).reshape(-1, len(LABELS)).astype(np.float32), asked.ravel()


def probe(config, x, y, asked, parts):
    """R^2 (targets,) on the test part of ridge regressions x (N, D) -> y (N, targets); ridge chosen
    on validation."""
    (a, ya), (b, yb), (c, yc) = ((x[part[asked[part]]], y[part[asked[part]]]) for part in parts)
    shift, scale, centre = a.mean(0), a.std(0) + 1e-4, ya.mean(0)
    a, b, c = (standardise(z, shift, scale) for z in (a, b, c))
    gram, cross = (a.T @ a).astype(float), (a.T @ (ya - centre)).astype(float)
    w = [np.linalg.solve(gram + ridge * np.eye(len(gram)), cross) for ridge in config.ridges]

    def r2(z, target, w):
        return 1 - ((z @ w + centre - target) ** 2).sum(0) / ((target - target.mean(0)) ** 2).sum(0)

    best = np.argmax([r2(b, yb, each) for each in w], 0)
    return np.array([r2(c, yc, w[k])[i] for i, k in enumerate(best)])


# ---- imitation: the two nets with gradients, a small MLP on pooled features and a CNN on frames --
def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def mlp(params, x):
    """Activations [x, h_1, .., logits] of params [W_1, b_1, W_2, ..]; relu between layers, none
    after the last."""
    acts = [x]
    for layer in range(0, len(params), 2):
        z = acts[-1] @ params[layer] + params[layer + 1]
        acts.append(np.maximum(z, 0) if layer < len(params) - 2 else z)
    return acts


def mlp_gradient(params, x, label, want_input=False):
    """Gradient of the mean cross-entropy, like params; or of the same in x (N, D)."""
    acts, grads = mlp(params, x), [None] * len(params)
    d = softmax(acts[-1])
    d[np.arange(len(x)), label] -= 1
    d /= len(x)
    for layer in range(len(params) - 2, -1, -2):
        grads[layer], grads[layer + 1] = acts[layer // 2].T @ d, d.sum(0)
        if layer or want_input:
            d = d @ params[layer].T
            if layer:
                d *= acts[layer // 2] > 0
    return (grads, d) if want_input else grads


def he(rng, *shape):
    """Gaussian weights with variance 2 / fan-in."""
    return rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape).astype(np.float32)


def new_mlp(rng, sizes):
    return [p for a, b in zip(sizes, sizes[1:]) for p in (he(rng, a, b), np.zeros(b, np.float32))]


def patches(x, size, stride):
    """Patches (N, h, w, size * size * channels) of images x (N, H, W, channels)."""
    w = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))[:, ::stride, ::stride]
    return w.transpose(0, 1, 2, 4, 5, 3).reshape(*w.shape[:3], -1)


def new_cnn(rng):
    """Convolutions 5x5 of 16 and 3x3 of 32 maps, both stride 2, then 2048-128-3: like [W, b, W, b,
    ...]."""
    convs = [
        he(rng, 5 * 5 * 4, 16),
        np.zeros(16, np.float32),
        he(rng, 3 * 3 * 16, 32),
        np.zeros(32, np.float32),
    ]
    return convs + new_mlp(rng, (8 * 8 * 32, 128, 3))


def convolve(params, x):
    """The two convolutional layers: patches and outputs of each."""
    p1 = patches(x, 5, 2)
    a1 = np.maximum(p1 @ params[0] + params[1], 0)  # (N, 18, 18, 16)
    p2 = patches(a1, 3, 2)
    return p1, a1, p2, np.maximum(p2 @ params[2] + params[3], 0)  # (N, 8, 8, 32)


def cnn(params, x):
    """[.., logits] for x (N, 40, 40, 4)."""
    return mlp(params[4:], convolve(params, x)[-1].reshape(len(x), -1))


def cnn_gradient(params, x, label):
    p1, a1, p2, a2 = convolve(params, x)
    dense, d2 = mlp_gradient(params[4:], a2.reshape(len(x), -1), label, want_input=True)
    d2 = d2.reshape(a2.shape) * (a2 > 0)
    d_patch = (d2 @ params[2].T).reshape(*d2.shape[:3], 3, 3, -1)
    d1 = np.zeros_like(a1)
    for i in range(3):  # back from the patches: each pixel of a1 collects from all that it was in
        for j in range(3):
            d1[:, i : i + 15 : 2, j : j + 15 : 2] += d_patch[:, :, :, i, j]
    d1 *= a1 > 0
    flat = [
        (p.reshape(-1, p.shape[-1]), d.reshape(-1, d.shape[-1])) for p, d in ((p1, d1), (p2, d2))
    ]
    return [g for p, d in flat for g in (p.T @ d, d.sum(0))] + dense


def fit(config, params, forward, gradient, batch, label, parts, epochs, decay, rng, progress=None):
    """Adam, step size falling linearly; returns the epoch that was best on validation: (accuracy,
    params, epoch).

    batch(indices) gives inputs; label (N,); parts = training and validation indices. decay is an L2
    penalty.
    """
    train, validation = parts[:2]
    m, v = ([np.zeros_like(p) for p in params] for _ in range(2))
    per_epoch = -(-len(train) // config.batch_size)
    total, best = epochs * per_epoch, (-1.0, None, 0)
    for step in range(total):
        if step % per_epoch == 0:
            order = rng.permutation(train)
        chosen = order[step % per_epoch * config.batch_size :][: config.batch_size]
        rate = config.learning_rate + (config.last_rate - config.learning_rate) * step / total
        rate *= np.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
        for p, g, first, second in zip(
            params, gradient(params, batch(chosen), label[chosen]), m, v
        ):
            if p.ndim > 1:
                g = g + decay * p
            first += 0.1 * (g - first)
            second += 0.001 * (g * g - second)
            p -= (rate * first / (np.sqrt(second) + 1e-8)).astype(p.dtype)
        if (step + 1) % per_epoch == 0:
            accuracy = right(forward, params, batch, label, validation)
            if not all(np.isfinite(p).all() for p in params):
                raise FloatingPointError(f"a weight is nan at step {step}")
            if accuracy > best[0]:
                best = accuracy, [p.copy() for p in params], (step + 1) // per_epoch
            if progress:
                progress(
                    (step + 1) / total,
                    f"epoch {(step + 1) // per_epoch}, validation accuracy {accuracy:.3f}",
                )
    return best


def right(forward, params, batch, label, indices, size=1000):
    """Share of steps at which the net does what the expert would."""
    hits = [
        forward(params, batch(indices[i : i + size]))[-1].argmax(1) == label[indices[i : i + size]]
        for i in range(0, len(indices), size)
    ]
    return float(np.concatenate(hits).mean())


def stack_frames(x, fresh, depth=4):
    """Indices (R T, depth) of the present frame and the ones before it in the same game, the first
    one repeated."""
    R, T = fresh.shape
    out = np.empty((R, T, depth), int)
    for run, start, stop in stretches(fresh):
        out[run, start:stop] = run * T + np.maximum(
            np.arange(start, stop)[:, None] - np.arange(depth), start
        )
    return out.reshape(R * T, depth)


# ---- a clone: encoder and head, and how it plays -------------------------------------------------
class Clone(NamedTuple):
    """All that a player needs: from the last frames to an action."""

    mean: np.ndarray  # (1600,) of the training frames
    filters: np.ndarray  # (k, m), newest tap first
    rectify: bool
    shift: np.ndarray  # (D,) mean and scale of the features on the training data
    scale: np.ndarray
    params: list


def columns(maps, rectify, keep=None):
    """Features (N, D) from ON and OFF maps (N, 2, k, 100); without the rectifier their
    difference."""
    maps = maps[:, :, :keep]
    return (maps if rectify else maps[:, 0] - maps[:, 1]).reshape(len(maps), -1)


def learn(config, maps, rectify, keep, label, parts, rng, hidden=True, progress=None):
    """Tune a head on pooled maps: each decay in full, each epoch looked at, validation chooses.

    Returns test accuracy, validation accuracy, decay, epoch, and (shift, scale, params).
    """
    x = columns(maps, rectify, keep)
    shift, scale = x[parts[0]].mean(0), x[parts[0]].std(0) + 1e-4
    x = standardise(x, shift, scale)
    sizes = (x.shape[1], *([config.hidden_size] * 2 if hidden else []), 3)
    best = (-1.0,)
    start, order = rng.integers(0, 2**31 - 1, 2)
    for decay in config.decays:  # from the same start, in the same order
        params = new_mlp(np.random.default_rng(start), sizes)
        found = fit(
            config,
            params,
            mlp,
            mlp_gradient,
            x.__getitem__,
            label,
            parts,
            config.epochs,
            decay,
            np.random.default_rng(order),
            progress,
        )
        if found[0] > best[0]:
            best = (*found, decay)
    accuracy, params, epoch, decay = best
    return {
        "test": right(mlp, params, x.__getitem__, label, parts[2]),
        "validation": accuracy,
        "decay": decay,
        "epoch": epoch,
    }, (shift, scale, params)


class Memory:
    """The last m frames of B games (B, m, 1600), newest first, less the mean; a new game's first
    frame fills it."""

    def __init__(self, depth, mean):
        self.depth, self.mean, self.ring = depth, mean, None

    def push(self, world):
        x = world.frames / np.float32(255) - self.mean
        if self.ring is None:
            self.ring = np.repeat(x[:, None], self.depth, 1)
        self.ring[:, 1:] = self.ring[:, :-1].copy()
        self.ring[:, 0] = x
        for b in np.flatnonzero(world.fresh):
            self.ring[b] = x[b]
        return self.ring


def clone_policy(clone):
    """The policy of a clone: world -> actions (B,)."""
    memory, filters = Memory(clone.filters.shape[1], clone.mean), clone.filters.astype(np.float32)

    def act(world):
        maps = on_off(filters @ memory.push(world))
        x = standardise(columns(maps, clone.rectify), clone.shift, clone.scale)
        return mlp(clone.params, x)[-1].argmax(1)

    return act


def cnn_policy(params, mean, scale):
    memory = Memory(4, mean)
    return lambda world: cnn(params, as_images(memory.push(world), scale))[-1].argmax(1)


def as_images(stack, scale):
    """(N, 4, 1600) -> (N, 40, 40, 4)."""
    return (stack / scale).transpose(0, 2, 1).reshape(len(stack), SIDE, SIDE, -1)


def random_policy(rng):
    return lambda world: rng.integers(0, 3, len(world.frames))


def expert_policy():
    last = []

    def act(world):
        before = np.where(world.fresh[:, None], world.state, last.pop()) if last else world.state
        last.append(world.state)
        return expert(world.state, before, world.dead_zone)

    return act


def play(config, world, policy, steps, callback=None):
    """Points won less points lost per 10,000 raw frames, of each of B games in lockstep."""

    def margin():
        return world.state[:, WON] - world.state[:, LOST]

    points = np.zeros(len(world.frames), int)
    for step in range(steps):
        before = margin()
        world.step(policy(world))
        points += np.where(
            world.fresh, np.sign(before), margin() - before
        )  # the last point of a game is its leader's
        if callback:
            callback(step, world)
    return points * 10_000 / (steps * SKIP)


# ---- the experiment ------------------------------------------------------------------------------
SETS = {  # name: filter bank, rectified, how many of its filters
    "resu": ("resu", True, None),
    "resu_first_two": ("resu", True, 2),
    "resu_unrectified": ("resu", False, None),
    "pca": ("pca", True, None),
    "difference": ("difference", True, None),
    "raw_frame": ("taps", False, 1),
    "raw_pair": ("taps", False, 2),
    "raw_window": ("taps", False, None),
    "raw_window_on_off": ("taps", True, None),
}
PLAYED = (
    "resu",
    "raw_pair",
    "raw_window",
    "raw_window_on_off",
    "pca",
    "random_1",
)  # clones that play


class Lesson(NamedTuple):
    """Demonstrations ready to learn from; parts: indices of steps for training, validation and
    test, by whole runs."""

    x: np.ndarray  # (R, T, 1600) frames less the mean of the training runs
    mean: np.ndarray  # (1600,)
    fresh: np.ndarray  # (R, T)
    label: np.ndarray  # (R T,)
    parts: list


def prepare(config, data):
    R, T = data.label.shape
    x, steps = data.frames / np.float32(255), np.arange(R * T).reshape(R, T)
    mean = x[: config.train_runs].mean((0, 1))
    x -= mean
    cut = [config.train_runs, config.train_runs + config.validation_runs]
    return Lesson(
        x, mean, data.fresh, data.label.ravel(), [part.ravel() for part in np.split(steps, cut)]
    )


def fit_layer_1(config, x, fresh):
    """(sigma, Psi) of the first filters, and C_pp, C_ff."""
    pp, ff, fp = window_covariances(x, fresh, config.taps, config.horizon)
    sigma, psi, _ = canonical(pp, ff, fp, config.floor)
    return sigma, psi[: config.filters], pp, ff


def filter_banks(config, rng, psi, pp):
    """The encoder and its rivals, each (k, m): all go through the same rectifier, pooling and
    head."""
    difference = np.zeros((2, config.taps))
    difference[:, 0], difference[1, 1] = 1, -1
    return {
        "resu": psi,
        "pca": np.linalg.eigh(pp)[1][:, ::-1].T[: config.filters],
        "difference": difference,
        "taps": np.eye(config.taps),
        **{f"random_{d + 1}": rng.standard_normal(psi.shape) for d in range(config.random_draws)},
    }


def clone_all(config, lesson, banks, rng, probes=None, progress=None):
    """Test accuracy of a tuned head on every set; probes of some; the clones that play."""
    sets = SETS | {name: (name, True, None) for name in banks if name.startswith("random")}
    out, clones = {}, {}
    for number, (bank, filters) in enumerate(banks.items()):
        maps = features(lesson.x, lesson.fresh, filters)
        for name, (source, rectify, keep) in sets.items():
            if source != bank:
                continue
            start = time.monotonic()
            marks, tuned = learn(config, maps, rectify, keep, lesson.label, lesson.parts, rng)
            out |= {
                f"accuracy_{name}": marks["test"],
                f"validation_{name}": marks["validation"],
                f"decay_{name}": marks["decay"],
                f"epoch_{name}": marks["epoch"],
            }
            clones[name] = Clone(lesson.mean, filters[:keep], rectify, *tuned)
            if name == "resu":
                out["head_fit_seconds"] = (time.monotonic() - start) / len(config.decays)
                out["head_parameters"] = sum(p.size for p in tuned[2])
                linear, _ = learn(
                    config, maps, rectify, keep, lesson.label, lesson.parts, rng, hidden=False
                )
                out["accuracy_resu_linear_head"] = linear["test"]
            if probes and name not in ("resu_unrectified", "raw_frame", "difference"):
                r2 = probe(config, columns(maps, rectify, keep), *probes, lesson.parts)
                out |= {f"r2_{name}_{label}": r2[i] for i, label in enumerate(LABELS)}
            if progress:
                progress(number / len(banks), f"{name}: accuracy {marks['test']:.3f}")
    accuracy = [v for k, v in out.items() if k.startswith("accuracy_random")]
    out["accuracy_random_mean"] = np.mean(accuracy)
    for label in LABELS if probes else ():
        out[f"r2_random_mean_{label}"] = np.mean(
            [
                v
                for k, v in out.items()
                if k.startswith("r2_random")
                and k.endswith(f"_{label}")
                and k.split("_")[2].isdigit()
            ]
        )
    best = max(
        ("resu", "resu_first_two"), key=lambda name: out[f"validation_{name}"]
    )  # chosen by validation
    for rival in (
        "raw_window",
        "raw_window_on_off",
        "pca",
        "random_mean",
        "raw_pair",
        "resu_unrectified",
        "difference",
    ):
        out[f"gain_over_{rival}"] = out[f"accuracy_{best}"] - out[f"accuracy_{rival}"]
    return out, clones


def learn_cnn(config, lesson, rng, progress=None):
    """The end-to-end rival: (metrics, its policy)."""
    start, stack = time.monotonic(), stack_frames(lesson.x, lesson.fresh)
    flat = lesson.x.reshape(-1, SIDE * SIDE)
    scale = flat[lesson.parts[0]].std()

    def batch(chosen):
        return as_images(flat[stack[chosen]], scale)

    params = new_cnn(rng)
    config = replace(config, learning_rate=config.cnn_rate)
    accuracy, params, epoch = fit(
        config,
        params,
        cnn,
        cnn_gradient,
        batch,
        lesson.label,
        lesson.parts,
        config.cnn_epochs,
        config.decays[0],
        rng,
        progress,
    )
    return {
        "cnn_fit_seconds": time.monotonic() - start,
        "validation_cnn": accuracy,
        "epoch_cnn": epoch,
        "accuracy_cnn": right(cnn, params, batch, lesson.label, lesson.parts[2]),
        "cnn_parameters": sum(p.size for p in params),
    }, cnn_policy(params, lesson.mean, scale)


def part_of(progress, low, high):
    """A progress callback for a part of the whole."""
    return progress and (lambda fraction, message: progress(low + (high - low) * fraction, message))


def banner(config):
    """Say loudly when the numbers to come are not Atari's."""
    if config.env == "auto" and not config.emulated:
        print(
            "\n*** no ale-py: this is a numpy MINI-PONG, not the Atari. "
            f"For the real one: {INSTALL} ***\n",
            file=sys.stderr,
            flush=True,
        )


def collect(config, rng, progress=None, share=None):
    """Demonstrations of one data seed, and raw frames per second in which they came."""
    world = make_world(config, rng, config.runs)
    start = time.monotonic()
    data = demonstrate(config, world, rng, config.steps, share, progress)
    return data, world.raw_frames / (time.monotonic() - start)


def null_spectrum(config, rng, x, fresh, pp, ff):
    """The largest first correlation that chance makes."""
    shifted = [
        window_covariances(x, fresh, config.taps, config.horizon, rng)[2]
        for _ in range(config.null_shifts)
    ]
    return max(canonical(pp, ff, fp, config.floor)[0][0] for fp in shifted)


def run(config, seed, progress=None):
    """One data seed: exact checks, dead leaves, layer 1 and its null, probes, cloning, a CNN, and
    play."""
    exact, scene, data_rng, null, rivals, heads, conv, players = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(8)
    )
    banner(config)
    if progress:
        progress(0, "exact checks and dead leaves")
    out = {"emulated": int(config.emulated)} | exact_checks(config, exact)
    out |= scene_checks(scene_filters(config, scene))
    data, speed = collect(config, data_rng, part_of(progress, 0.02, 0.1))
    lesson, probes = prepare(config, data), probe_targets(data)
    shares = np.bincount(lesson.label[lesson.parts[2]], minlength=3) / len(lesson.parts[2])
    out |= {
        "frames_per_second": speed,
        "agent_steps_per_second": speed / SKIP,
        "accuracy_majority": shares.max(),
    }

    x, fresh, start = (
        lesson.x[: config.train_runs],
        data.fresh[: config.train_runs],
        time.monotonic(),
    )
    sigma, psi, pp, ff = fit_layer_1(config, x, fresh)
    out["encoder_fit_seconds"] = time.monotonic() - start
    raw = window_covariances(x + lesson.mean, fresh, config.taps, config.horizon)
    out |= {f"sigma_{k + 1}": s for k, s in enumerate(sigma)}
    out |= {f"uncentred_sigma_{k + 1}": s for k, s in enumerate(canonical(*raw, config.floor)[0])}
    out["null_sigma"] = null_spectrum(config, null, x, fresh, pp, ff)
    bits = information(sigma)
    out |= {
        "sigma_2_over_null": sigma[1] / out["null_sigma"],
        "tail_information": bits[2:].sum() / bits.sum(),
    }
    if progress:
        progress(0.13, f"layer 1: sigma {sigma[:2].round(3)}, null {out['null_sigma']:.4f}")

    marks, clones = clone_all(
        config,
        lesson,
        filter_banks(config, rivals, psi, pp),
        heads,
        probes,
        part_of(progress, 0.13, 0.5),
    )
    out |= marks
    for axis in ("vx", "vy"):
        out[f"r2_gain_over_raw_pair_{axis}"] = out[f"r2_resu_{axis}"] - out[f"r2_raw_pair_{axis}"]
        out[f"r2_gain_over_raw_window_{axis}"] = (
            out[f"r2_resu_{axis}"] - out[f"r2_raw_window_{axis}"]
        )
    marks, cnn_acts = learn_cnn(config, lesson, conv, part_of(progress, 0.5, 0.7))
    out |= marks | {"resu_less_cnn": out["accuracy_resu"] - marks["accuracy_cnn"]}

    policies = {
        "random_play": random_policy(players),
        "expert": expert_policy(),
        **{name: clone_policy(clones[name]) for name in PLAYED},
        "cnn": cnn_acts,
    }
    scores, same = {}, int(players.integers(0, 2**31 - 1))
    for number, (name, policy) in enumerate(policies.items()):  # all meet the same seeds
        world = make_world(config, np.random.default_rng(same), config.players)
        scores[name] = play(config, world, policy, config.play_steps)
        out |= {
            f"score_{name}": scores[name].mean(),
            f"score_se_{name}": standard_error(scores[name]),
        }
        if progress:
            progress(0.7 + 0.3 * number / len(policies), f"{name} scores {scores[name].mean():.1f}")
    out["score_resu_over_raw_pair"] = scores["resu"].mean() - scores["raw_pair"].mean()
    lead = scores["resu"] - scores["random_1"]
    out["score_resu_over_random_1"] = lead.mean()
    out["score_resu_over_random_1_in_se"] = lead.mean() / max(standard_error(lead), 1e-9)
    return out


def standard_error(v):
    return v.std(ddof=1) / np.sqrt(len(v))


# ---- the study: other games' filters, streaming, forgetting, actions, and the mini-Pong ----------
GAMES = ("pong", "breakout", "space_invaders", "asteroids", "enduro")
FLICKER = (
    "space_invaders",
    "asteroids",
)  # sprites are drawn in turns: the maximum of two frames shows all
WATCHED, CHUNK, KEEP, MARKS = (
    (8, 500),
    250,
    0.99,
    (1, 4, 16),
)  # runs and steps per game; then of the streams


def watch(config, rng, game):
    """Frames (R, T, 1600) in full scale and the starts of games (R, T) of random play in one of
    GAMES."""
    runs, steps = WATCHED
    world = Atari(config, rng.integers(0, 2**31 - 1, runs), game, (), game in FLICKER)
    frames, fresh = np.empty((runs, steps, SIDE * SIDE), np.float32), np.empty((runs, steps), bool)
    for t in range(steps):
        frames[:, t], fresh[:, t] = world.frames, world.fresh
        world.step(rng.integers(0, len(world.actions), runs))
    return frames / 255, fresh


def stream(config, x, fresh, carried=None):
    """Yield (k, C_zero, C_filled) after chunk k of x (R, T, 1600): exponential averages of C_pp,
    C_ff, C_fp.

    C_zero starts from zeros and so holds 1 - KEEP^k of a covariance; C_filled starts from
    `carried`, or from the first chunk. The mean image is averaged alike, from the first chunk on.
    """
    zero, filled, mean, k = 0.0, carried, None, 0
    for start in range(0, x.shape[1] - CHUNK + 1, CHUNK):
        for run in range(len(x)):
            part = x[run : run + 1, start : start + CHUNK]
            seen = part.mean((0, 1))
            mean = seen if mean is None else KEEP * mean + (1 - KEEP) * seen
            new = window_covariances(
                part - mean,
                fresh[run : run + 1, start : start + CHUNK],
                config.taps,
                config.horizon,
            )
            new = np.array(
                [np.pad(c, [(0, config.taps - n) for n in c.shape]) for c in new]
            )  # (3, m, m)
            zero, k = KEEP * zero + (1 - KEEP) * new, k + 1
            filled = new if filled is None else KEEP * filled + (1 - KEEP) * new
            yield k, zero, filled


def filters_of(config, stack, like=None, pp=None):
    """The first two filters of stacked covariances (3, m, m); matched in order and sign to `like`
    in its metric pp."""
    h = config.horizon
    _, psi, _ = canonical(stack[0], stack[1][:h, :h], stack[2][:h], config.floor)
    psi = psi[:2]
    if like is not None:
        overlap = psi @ pp @ like.T
        if abs(overlap[0, 1] * overlap[1, 0]) > abs(overlap[0, 0] * overlap[1, 1]):
            psi, overlap = psi[::-1], overlap[::-1]
        psi = psi * np.where(np.diag(overlap) < 0, -1, 1)[:, None]
    return psi


def subspace_overlap(a, b, pp):
    """Mean squared cosine of the principal angles between filters a, b (2, m) in the metric pp: 1
    is the same span."""
    root = np.linalg.cholesky(pp)
    q, r = (np.linalg.qr((f @ root).T)[0] for f in (a, b))
    return (np.linalg.svd(q.T @ r, compute_uv=False) ** 2).mean()


def action_checks(config, data, lesson, psi):
    """R^2 of the paddle 4 steps ahead: layer 1; with the actions of its window, the one just chosen
    among them; and with these and the memory of the last two steps in place of layer 1, the
    ceiling."""
    y, asked = probe_targets(data)
    past = stack_frames(lesson.x, data.fresh, config.taps)
    actions = np.eye(3)[data.action.ravel()[past]].reshape(len(past), -1)
    first = columns(features(lesson.x, data.fresh, psi), True)
    state = data.state.reshape(-1, 6)[past[:, :2], :3].reshape(len(past), -1)
    sets = {
        "layer_1": first,
        "layer_1_actions": np.concatenate([first, actions], 1),
        "memory_actions": np.concatenate([state, actions], 1),
    }
    return {
        f"ahead_{name}": probe(config, x.astype(np.float32), y[:, 5:], asked, lesson.parts)[0]
        for name, x in sets.items()
    }


def layer_2_checks(config, seed, share, progress=None):
    """Layer 2 with and without a gap between its windows: spectrum, and what it knows about the
    ball's motion.

    share of random actions: 1 is random play, None the demonstrations.
    """
    rng, out, train = np.random.default_rng(seed), {}, slice(config.train_runs)
    data, _ = collect(config, rng, progress, share)
    lesson, probes = prepare(config, data), probe_targets(data)
    _, psi, _, _ = fit_layer_1(config, lesson.x[train], data.fresh[train])
    first = columns(features(lesson.x, lesson.fresh, psi), True)
    r2 = {"layer_1": probe(config, first, *probes, lesson.parts)}
    for name, gap in (("no_gap", 0), ("gap", config.gap)):
        sigma, psi_2 = fit_layer_2(config, rng, lesson.x[train], lesson.fresh[train], psi, gap)
        out |= {f"layer_2_{name}_sigma_{k}": sigma[k - 1] for k in (1, 2, 4, 8)}
        second = columns(features_2(lesson.x, lesson.fresh, psi, psi_2), True)
        r2[f"layer_2_{name}"] = probe(config, second, *probes, lesson.parts)
    r2["layers_1_2"] = probe(config, np.concatenate([first, second], 1), *probes, lesson.parts)
    out |= {
        f"r2_{name}_{label}": v for name, values in r2.items() for label, v in zip(LABELS, values)
    }
    out["gap_gain_vy"] = out["r2_layer_2_gap_vy"] - out["r2_layer_2_no_gap_vy"]
    out["layer_2_adds_vy"] = out["r2_layers_1_2_vy"] - out["r2_layer_1_vy"]
    return out


def mini_checks(config, seed, progress=None):
    """The same cloning and layer-2 checks on one data seed of the mini-Pong."""
    config = replace(config, env="mini")
    data_rng, rivals, heads, players, layer_2 = (
        np.random.default_rng(child) for child in seed.spawn(5)
    )
    data, speed = collect(config, data_rng, progress)
    lesson = prepare(config, data)
    _, psi, pp, _ = fit_layer_1(
        config, lesson.x[: config.train_runs], data.fresh[: config.train_runs]
    )
    out, clones = clone_all(config, lesson, filter_banks(config, rivals, psi, pp), heads)
    out |= layer_2_checks(config, layer_2, 1.0) | {"frames_per_second": speed}
    for name, policy in (
        ("random_play", random_policy(players)),
        ("expert", expert_policy()),
        ("resu", clone_policy(clones["resu"])),
        ("raw_pair", clone_policy(clones["raw_pair"])),
    ):
        scores = play(
            config, make_world(config, players, config.players), policy, config.play_steps
        )
        out |= {f"score_{name}": scores.mean(), f"score_se_{name}": standard_error(scores)}
    out["expert_less_random"] = out["score_expert"] - out["score_random_play"]
    return {
        f"mini_{name}": value
        for name, value in out.items()
        if name.startswith(
            ("accuracy", "gain", "layer_2", "gap", "r2_layer", "score", "frames", "expert")
        )
    }


def study(config, seed, progress=None):
    """Five games' filters; Pong cloned through them; streaming and its pitfalls; actions; the
    mini-Pong."""
    if not config.emulated:
        raise OSError(f"the study needs the emulator: {INSTALL}")
    out, raw = {}, {}
    root = np.random.SeedSequence((seed, 1))
    gallery, *data_seeds = root.spawn(1 + config.data_seeds)
    rng = np.random.default_rng(gallery)
    foreign = {}
    for number, game in enumerate(GAMES):
        if progress:
            progress(0.1 * number / len(GAMES), f"random play of {game}")
        frames, fresh = watch(config, rng, game)
        x = frames - frames.mean((0, 1))
        sigma, psi, pp, ff = fit_layer_1(config, x, fresh)
        bare = canonical(
            *window_covariances(frames, fresh, config.taps, config.horizon), config.floor
        )
        null = null_spectrum(config, rng, x, fresh, pp, ff)
        out |= {f"{game}_sigma_{k + 1}": s for k, s in enumerate(sigma[:3])}
        out |= {
            f"{game}_uncentred_sigma_1": bare[0][0],
            f"{game}_null_sigma": null,
            f"{game}_filters": psi[:2].ravel().tolist(),
            f"{game}_uncentred_filters": bare[1][:2].ravel().tolist(),
        }
        foreign[game], raw[game] = psi[:2], (frames, fresh)

    rows = []  # one dict per data seed
    for number, child in enumerate(data_seeds):
        part = part_of(
            progress,
            0.1 + 0.7 * number / len(data_seeds),
            0.1 + 0.7 * (number + 1) / len(data_seeds),
        )
        rng, head, row = (
            np.random.default_rng(child.spawn(1)[0]),
            int(child.generate_state(1)[0]),
            {},
        )
        data, _ = collect(config, rng, part_of(part, 0, 0.2))
        lesson, train = prepare(config, data), slice(config.train_runs)
        _, psi, pp, ff = fit_layer_1(config, lesson.x[train], data.fresh[train])
        native = psi[:2]
        _, _, fp = window_covariances(
            lesson.x[train], data.fresh[train], config.taps, config.horizon
        )
        source = np.array(
            [np.pad(c, [(0, config.taps - n) for n in c.shape]) for c in (pp, ff, fp)]
        )
        encoders = {"native": native, "random": rng.standard_normal(native.shape)}
        for game in GAMES[1:]:
            encoders[f"only_{game}"] = foreign[game]
            row[f"overlap_{game}"] = subspace_overlap(native, foreign[game], pp)
        for game in GAMES[1:3]:  # Pong's covariances carried into a stream of another game
            *_, (_, _, last) = stream(config, *raw[game], carried=source)
            encoders[f"streamed_{game}"] = filters_of(config, last, native, pp)
            row[f"overlap_streamed_{game}"] = subspace_overlap(
                native, encoders[f"streamed_{game}"], pp
            )
        for index, (name, filters) in enumerate(encoders.items()):
            maps = features(lesson.x, data.fresh, filters)
            marks, tuned = learn(
                config, maps, True, None, lesson.label, lesson.parts, np.random.default_rng(head)
            )
            row[f"pong_by_{name}"] = marks["test"]
            if name == "native":
                frozen = tuned
            if part:
                part(
                    0.2 + 0.7 * index / len(encoders),
                    f"Pong by {name} filters: {marks['test']:.3f}",
                )

        def by_frozen_head(filters, lesson=lesson, frozen=frozen):
            tests = slice(config.train_runs + config.validation_runs, None)
            maps = features(lesson.x[tests], lesson.fresh[tests], filters)
            x, label = standardise(columns(maps, True), *frozen[:2]), lesson.label[lesson.parts[2]]
            return right(mlp, frozen[2], x.__getitem__, label, np.arange(len(x)))

        row["frozen_native"], worst = by_frozen_head(native), 0.0
        for k, zero, filled in stream(
            config, data.frames[train] / np.float32(255), data.fresh[train]
        ):
            if k > max(MARKS):
                break
            true = zero / (1 - KEEP**k)
            ratio = np.linalg.norm(filters_of(config, zero)) / np.linalg.norm(
                filters_of(config, true)
            )
            worst = max(worst, abs(ratio * np.sqrt(1 - KEEP**k) - 1))
            for name, stack in (
                (("zero", zero), ("corrected", true), ("first_chunk", filled)) if k in MARKS else ()
            ):
                row[f"frozen_{name}_{k}"] = by_frozen_head(filters_of(config, stack, native, pp))
        row["norm_ratio_error"] = worst
        for k, _, filled in stream(config, *raw["breakout"], carried=source):
            if k in MARKS:
                row[f"frozen_carried_to_breakout_{k}"] = by_frozen_head(
                    filters_of(config, filled, native, pp)
                )
        for k, _, filled in stream(config, *raw["breakout"]):
            if k in MARKS:
                row[f"frozen_first_chunk_breakout_{k}"] = by_frozen_head(
                    filters_of(config, filled, native, pp)
                )
        rows.append(row | action_checks(config, data, lesson, psi))

    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        out |= {name: values.mean(), f"{name}_se": standard_error(values)}
    out["norm_ratio_error"] = max(row["norm_ratio_error"] for row in rows)
    out["action_gain"] = out["ahead_layer_1_actions"] - out["ahead_layer_1"]
    for name in [
        name for name in rows[0] if name.startswith("pong_by_") and name != "pong_by_native"
    ]:
        loss = np.array([row["pong_by_native"] - row[name] for row in rows])
        short = name.removeprefix("pong_by_")
        out |= {
            f"loss_{short}": loss.mean(),
            f"loss_{short}_in_se": loss.mean() / max(standard_error(loss), 1e-9),
        }
    for name, share in (("random_play", 1.0), ("expert_play", None)):
        found = layer_2_checks(config, root.spawn(1)[0], share, part_of(progress, 0.8, 0.9))
        out |= {f"{name}_{key}": value for key, value in found.items()}
    return out | mini_checks(config, root.spawn(1)[0], part_of(progress, 0.9, 1.0))


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
