# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Flip-flop: a controller that is never told the right answer learns to latch an event, through a
learned world model.

Paper: J. Schmidhuber, "Making the world differentiable", TR FKI-126-90, TU Munich, 1990; the
experiment also in "Reinforcement learning in Markovian and non-Markovian environments", NIPS 3,
1991.
Task: an endless stream of events A, B, X. Output 1 exactly when B comes for the first time after an
A, else 0, however long the gap. Nobody says what was right: a pain unit goes on whenever the output
was wrong, and that is all.
Method: a recurrent model M learns to predict the pain from what is seen and done. A recurrent
controller C with a noisy output unit learns by sending the gradient of the predicted pain back
through M, and through its own past.
Claim: 20 of 30 runs solve it within 10^6 ticks when C and M learn at once, 6 of 10 when M learns
first.

    python3 flip_flop.py                    one run, one with a teacher and one without memory
    python3 flip_flop.py --rule reinforce   any other variant by its flags; --help lists them
    python3 study_flip_flop.py              30 + 10 runs and every ablation
"""

import os

# the matrices are tiny: more threads only wait for one another
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np


@dataclass(frozen=True)
class Config:
    """Every hyperparameter; the defaults are the experiment."""

    task: Annotated[
        str, "pulse: 1 at the first B after an A; hold: 1 from B until A", ("pulse", "hold")
    ] = "pulse"
    rule: Annotated[str, "who tells C what to change", ("model", "supervised", "reinforce")] = (
        "model"
    )
    regime: Annotated[str, "C and M learn at once, or M first", ("parallel", "sequential")] = (
        "parallel"
    )
    objective: Annotated[
        str, "C minimises -log(1 - p) or p, p the predicted pain", ("log", "pain")
    ] = "log"
    model_path: Annotated[
        str, "gradient through M at the same tick, or through its past too", ("local", "full")
    ] = "local"
    memory: Annotated[bool, "C has recurrent weights"] = True
    pain_input: Annotated[
        bool, "C feels the pain of the previous tick, a trace of the past too"
    ] = True
    feedback: Annotated[
        bool, "C also sees its own previous output, a shortcut in the hold task"
    ] = False
    max_ticks: Annotated[int, "ticks of all streams after which a run has failed", (1, 10**8)] = (
        1_000_000
    )
    reference_ticks: Annotated[int, "ticks that nets without memory get", (1, 10**8)] = 200_000
    model_ticks: Annotated[
        int, "ticks of random outputs that train M alone (sequential)", (0, 10**8)
    ] = 100_000
    random_share: Annotated[
        float, "share of ticks with a random output, they train M only (parallel)", (0, 1)
    ] = 0.0
    random_reach: Annotated[
        float, "random outputs are uniform from -reach to 1 + reach", (0.0, 10.0)
    ] = 0.5
    b_weight: Annotated[
        float, "extra weight of B ticks in both losses: task knowledge by hand", (0.0, 1e3)
    ] = 0.0
    p_a: Annotated[float, "probability of event A", (0.0, 1.0)] = 0.15
    p_b: Annotated[float, "probability of event B", (0.0, 1.0)] = 0.15
    p_x: Annotated[float, "probability of event X (the rest: no event)", (0.0, 1.0)] = 0.70
    streams: Annotated[int, "endless streams per net, each counted", (1, 1024)] = 1
    window: Annotated[int, "ticks per update and of backpropagation through time", (1, 1024)] = 16
    hidden_c: Annotated[int, "hidden units of C", (1, 1024)] = 12
    hidden_m: Annotated[int, "hidden units of M", (1, 1024)] = 16
    lr_c: Annotated[float, "Adam step size of C", (0.0, 1.0)] = 0.003
    lr_m: Annotated[float, "Adam step size of M", (0.0, 1.0)] = 0.005
    clip: Annotated[float, "largest gradient norm of C, and of M", (1e-6, 1e6)] = 1.0
    beta_1: Annotated[float, "Adam: memory of the gradient", (0.0, 0.999999)] = 0.9
    beta_2: Annotated[float, "Adam: memory of the squared gradient", (0.0, 0.999999)] = 0.999
    epsilon: Annotated[float, "Adam: added to the root of the squared gradient", (1e-12, 1.0)] = (
        1e-8
    )
    sigma_min: Annotated[float, "least standard deviation of the output unit", (0.0, 10.0)] = 0.05
    sigma_max: Annotated[float, "greatest standard deviation of the output unit", (0.0, 10.0)] = 0.5
    leak: Annotated[float, "initial recurrent weight of a hidden unit to itself", (0.0, 1.0)] = 0.9
    init: Annotated[
        float, "input weights start at this / sqrt(fan-in) times N(0, 1)", (0.0, 10.0)
    ] = 0.5
    init_recurrent: Annotated[
        float, "further factor on the random part of recurrent weights", (0.0, 10.0)
    ] = 0.2
    baseline_rate: Annotated[
        float, "rate per window of the running mean pain (reinforce)", (0.0, 1.0)
    ] = 0.01
    check_every: Annotated[int, "ticks between two checks for success", (1, 10**8)] = 2048
    clean_checks: Annotated[int, "error-free checks in a row that end training", (1, 100)] = 10
    check_ticks: Annotated[int, "ticks of a check", (8, 10**7)] = 10_000
    check_streams: Annotated[int, "parallel streams that share these ticks", (1, 1000)] = 40
    test_ticks: Annotated[int, "ticks of the one stream of the final test", (8, 10**7)] = 2000
    long_ticks: Annotated[
        int, "ticks of the streams on which error rates are measured", (8, 10**7)
    ] = 20_000
    lags: Annotated[
        tuple[int, ...], "numbers of X between A and B in the long-lag probes", (0, 10**5)
    ] = (50, 100)
    check_copies: Annotated[int, "probes per lag in a check", (1, 10**4)] = 50
    test_copies: Annotated[int, "probes per lag in the final test", (1, 10**4)] = 50
    lead_in: Annotated[int, "random events before the longest probe", (0, 10**4)] = 20
    false_pain: Annotated[
        float, "share of ticks with a false pain flag in the test of robustness", (0.0, 1.0)
    ] = 0.1
    runs: Annotated[int, "independent parallel runs of the study (the paper: 30)", (1, 1000)] = 30
    side_runs: Annotated[
        int, "sequential runs, and runs per ablation (the paper: 10)", (1, 1000)
    ] = 10

    def __post_init__(self):
        if self.p_a + self.p_b + self.p_x > 1 + 1e-9:
            raise ValueError("p_a + p_b + p_x must not exceed 1")
        if self.sigma_min > self.sigma_max:
            raise ValueError("sigma_min must not exceed sigma_max")
        if self.rule == "reinforce" and self.sigma_min == 0:
            raise ValueError("rule reinforce divides by sigma: sigma_min must be above 0")
        if self.rule != "model" and self.regime == "sequential":
            raise ValueError(
                "regime sequential needs rule model: without M nothing can be learned first"
            )
        if self.window * self.streams > self.max_ticks:
            raise ValueError("max_ticks must cover one window of all streams")


QUICK = {
    "max_ticks": 16_000,
    "reference_ticks": 4_000,
    "model_ticks": 8_000,
    "check_every": 4_000,
    "check_ticks": 400,
    "test_ticks": 400,
    "long_ticks": 2_000,
    "test_copies": 5,
    "check_copies": 2,
    "runs": 3,
    "side_runs": 2,
}
HOLD = {
    "task": "hold",
    "p_a": 0.10,
    "p_b": 0.15,
    "p_x": 0.25,
}  # an easier variant; half of its ticks carry no event

# ---- the task ------------------------------------------------------------------------------------
# Shapes: S nets trained side by side, T ticks, N streams per net, H hidden units.
A, B, X, NOTHING = range(4)
ONE_HOT = np.eye(4)[:, :3]  # no event: all three inputs are silent


def pick_events(config, uniform):
    """Turn uniform numbers in [0, 1) of any shape into independent events."""
    return np.searchsorted(np.cumsum([config.p_a, config.p_b, config.p_x]), uniform, side="right")


def targets(config, events, armed):
    """What would have been right, (S, T, N), and the world's state after it. C and M never see
    either.

    The world is one bit. Pulse: A arms it, B fires if it is armed and disarms it. Hold: B switches
    on, A off.
    """
    setter, clearer = (A, B) if config.task == "pulse" else (B, A)
    sets, keeps = events == setter, events != clearer
    state = np.concatenate(
        [armed[:, None], sets], 1
    )  # (S, T + 1, N), before each event and after the last
    for t in range(events.shape[1]):
        state[:, t + 1] |= state[:, t] & keeps[:, t]
    return state[:, :-1] & (events == B) if config.task == "pulse" else state[:, 1:], state[:, -1]


# ---- the two networks ----------------------------------------------------------------------------
# C and M are the same kind of recurrent tanh net. One tape (S, T + 1, N, H + 6) holds all that a
# net reads, so that a tick costs one product: columns [h(t-1) | 1 | A B X | pain(t-1) | y]. h(t)
# lands in row t + 1, from which, with the constant, the output is read. The column y is M's view of
# the action; for C it stays 0 (or holds y(t-1): feedback).


def sigmoid(x):
    return 0.5 * np.tanh(0.5 * x) + 0.5


def shapes(config):
    """Of the weights W (input to hidden) and V (hidden to output), for C, then for M."""
    c, m = config.hidden_c, config.hidden_m
    return [(c + 6, c), (c + 1, 2), (m + 6, m), (m + 1, 1)]


def weights(config, theta):
    """Views of the flat parameters theta (S, P) as W, V of C and W, V of M."""
    views, start = [], 0
    for rows, columns in shapes(config):
        views.append(theta[:, start : start + rows * columns].reshape(-1, rows, columns))
        start += rows * columns
    return views


def initial_weights(config, rng):
    """One net's theta (1, P). Leaning on the identity: a hidden unit forgets slowly until it learns
    otherwise."""
    theta = rng.standard_normal((1, sum(rows * columns for rows, columns in shapes(config))))
    wc, vc, wm, vm = weights(config, theta)
    for w, v in (wc, vc), (wm, vm):
        hidden = w.shape[2]
        w *= config.init / np.sqrt(w.shape[1])
        w[:, :hidden] = config.init_recurrent * w[:, :hidden] + config.leak * np.eye(hidden)
        v *= config.init / np.sqrt(hidden)
        v[:, hidden] = 0
    wc[:, : config.hidden_c] *= config.memory
    return theta.astype(np.float32)


def live(config, theta, now, events, target, z, random_y=None, flags=None):
    """Let C act for T ticks with frozen weights: the closed loop of event, output, pain, next
    event.

    now holds h_c, pain, y (S, N, ...); z (S, T, N) is the noise of the output unit, 0 for its mean.
    Where random_y is not NaN it replaces the output; flags, if given, replaces the pain that C
    feels (not the pain that is counted).
    """
    w, v, _, _ = weights(config, theta)
    (S, T, N), H = events.shape, config.hidden_c
    tape = np.zeros((S, T + 1, N, H + 6), theta.dtype)
    tape[..., H] = 1
    tape[:, :T, :, H + 1 : H + 4] = ONE_HOT[events]
    tape[:, 0, :, :H], tape[:, 0, :, H + 4], tape[:, 0, :, H + 5] = (
        now["h_c"],
        now["pain"],
        now["y"],
    )
    out = np.empty(
        (S, T, N, 2), theta.dtype
    )  # sigmoids of C's two outputs: the mean, and where sigma is in its range
    y = np.empty((S, T, N), theta.dtype)
    pain = np.empty((S, T, N), bool)
    for t in range(T):
        np.tanh(tape[:, t] @ w, out=tape[:, t + 1, :, :H])
        out[:, t] = sigmoid(tape[:, t + 1, :, : H + 1] @ v)
        sigma = config.sigma_min + (config.sigma_max - config.sigma_min) * out[:, t, :, 1]
        y[:, t] = out[:, t, :, 0] + sigma * z[:, t]
        if random_y is not None:
            np.copyto(y[:, t], random_y[:, t], where=~np.isnan(random_y[:, t]))
        np.not_equal(y[:, t] > 0.5, target[:, t], out=pain[:, t])
        if config.pain_input:
            tape[:, t + 1, :, H + 4] = pain[:, t] if flags is None else flags[:, t]
        if config.feedback:
            tape[:, t + 1, :, H + 5] = y[:, t]
    return tape, out, y, pain


def predict(config, theta, h_m, c_tape, y):
    """M's tape, and the logit (S, T, N) of the pain it expects from what C saw and did."""
    _, _, w, v = weights(config, theta)
    (S, T, N), H, C = y.shape, config.hidden_m, config.hidden_c
    tape = np.empty((S, T + 1, N, H + 6), theta.dtype)
    tape[..., H : H + 5] = c_tape[..., C : C + 5]
    tape[:, :T, :, H + 5] = 2 * y - 1  # centred like a tanh unit
    tape[:, 0, :, :H] = h_m
    for t in range(T):
        np.tanh(tape[:, t] @ w, out=tape[:, t + 1, :, :H])
    return tape, (tape[:, 1:, :, : H + 1] @ v[:, None])[..., 0]


# ---- the learning rule ---------------------------------------------------------------------------


def backward(tape, w, v, d_out, through_time=True):
    """Errors (S, T, N, H) at the net inputs of hidden units, from errors d_out (S, T, N, outputs)
    at the outputs."""
    T, H = d_out.shape[1], w.shape[2]
    slope = 1 - tape[:, 1:, :, :H] ** 2
    delta = d_out @ v[:, None, :H].swapaxes(2, 3)
    delta *= slope
    if through_time:
        back = w[:, :H].swapaxes(1, 2)
        for t in range(T - 2, -1, -1):
            delta[:, t] += delta[:, t + 1] @ back * slope[:, t]
    return delta


def weight_gradients(tape, delta, d_out):
    """Sum over ticks and streams of input times error, for W and V."""
    S, T, N, H = delta.shape
    into_w = tape[:, :T].reshape(S, T * N, H + 6).swapaxes(1, 2) @ delta.reshape(S, T * N, H)
    into_v = tape[:, 1:, :, : H + 1].reshape(S, T * N, H + 1).swapaxes(1, 2) @ d_out.reshape(
        S, T * N, -1
    )
    return into_w, into_v


def pain_slope(config, theta, m_tape, logit, weight):
    """Gradient (S, T, N) of C's objective in its outputs y, through M, whose weights stay as they
    are.

    -log(1 - p) and p differ in one factor, 1 - p. A good model is sure of the pain (p near 1) just
    where C is surely wrong; there the slope of p vanishes, and C stays with "always 0". The slope
    of -log(1 - p) stays, and although it may point the wrong way as long as M has not seen what
    helps, it turns up the noise there, until M has.
    """
    _, _, w, v = weights(config, theta)
    p = sigmoid(logit)
    d_logit = weight * (p if config.objective == "log" else p * (1 - p))
    delta = backward(m_tape, w, v, d_logit[..., None], config.model_path == "full")
    return 2 * (delta @ w[:, None, config.hidden_m + 5, :, None])[..., 0]  # 2: M reads 2 y - 1


def gradients(config, theta, now, events, target, z, random_y, c_tape, out, y, pain):
    """Gradient (S, P) of one window for C and for M, and M's last hidden state (S, N, H)."""
    wc, vc, wm, vm = weights(config, theta)
    grad = np.zeros_like(theta)
    into_wc, into_vc, into_wm, into_vm = weights(config, grad)
    weight = ((1 + config.b_weight * (events == B)) / y[0].size).astype(
        theta.dtype
    )  # mean over the window
    mean, share = out[..., 0], out[..., 1]
    sigma_range = config.sigma_max - config.sigma_min
    h_m, d_out = now["h_m"], np.zeros_like(out)  # d_out is at the net inputs of C's two outputs
    if config.rule == "supervised":  # cross-entropy of the mean with the right answer
        d_out[..., 0] = weight * (mean - target)
    else:
        if config.rule == "model":
            m_tape, logit = predict(config, theta, h_m, c_tape, y)
            d_logit = (weight * (sigmoid(logit) - pain))[
                ..., None
            ]  # cross-entropy of the pain flag
            delta = backward(m_tape, wm, vm, d_logit)
            into_wm[:], into_vm[:] = weight_gradients(m_tape, delta, d_logit)
            h_m = m_tape[:, -1, :, : config.hidden_m]
            d_mean = pain_slope(config, theta, m_tape, logit, weight)
            d_sigma = d_mean * z  # since y = mean + sigma z
        else:  # reinforce: y ~ N(mean, sigma^2); a tick's pain is credited to its own output alone
            sigma = config.sigma_min + sigma_range * share
            advantage = weight * (pain - now["baseline"][:, None, None])
            d_mean, d_sigma = advantage * z / sigma, advantage * (z * z - 1) / sigma
        d_out[..., 0] = d_mean * mean * (1 - mean)
        d_out[..., 1] = d_sigma * sigma_range * share * (1 - share)
    if random_y is not None:  # a random output is not C's doing
        d_out *= np.isnan(random_y)[..., None]
    delta = backward(c_tape, wc, vc, d_out)
    into_wc[:], into_vc[:] = weight_gradients(c_tape, delta, d_out)
    into_wc[:, : config.hidden_c] *= config.memory
    return grad, h_m


# ---- training ------------------------------------------------------------------------------------


def exam(config, theta, now, rngs, ticks, streams, copies, flags=None):
    """Grade frozen nets by the mean of their output, on fresh events; dict of arrays (S,).

    The stream is endless, so an exam goes on from the present state of stream 0: of the world, and
    of the net.
    """
    setter, clearer = (A, B) if config.task == "pulse" else (B, A)

    def sit(events):
        fork = {
            name: np.repeat(now[name][:, :1], events.shape[2], 1)
            for name in ("h_c", "pain", "y", "armed")
        }
        target, _ = targets(config, events, fork["armed"])
        delivered = None
        if flags is not None:  # pain inputs that no longer tell the truth
            delivered = np.stack([rng.random(events.shape[1:]) < flags for rng in rngs])
        _, out, y, wrong = live(
            config, theta, fork, events, target, np.zeros(events.shape), None, delivered
        )
        return (
            target,
            y > 0.5,
            wrong,
            config.sigma_min + (config.sigma_max - config.sigma_min) * out[..., 1],
        )

    def mean(of, among):
        return (of * among).sum((1, 2)) / np.maximum(among.sum((1, 2)), 1)

    events = np.stack(
        [pick_events(config, rng.random((ticks // streams, streams))) for rng in rngs]
    )
    target, says, wrong, sigma = sit(events)
    refused = ~target & ((events == B) if config.task == "pulse" else True)
    marks = {
        "errors_per_1000": 1000 * wrong.mean((1, 2)),
        "hit_rate": mean(says, target),
        "false_alarm_rate": mean(says, refused),
        "sigma_at_targets": mean(sigma, target),
        "sigma_elsewhere": mean(sigma, ~target),
        "probe_errors": np.zeros(len(theta), int),
    }
    for lag in config.lags:  # random events, then A, lag times X, B, B again (hold: B, X ..., A, A)
        events = np.stack(
            [pick_events(config, rng.random((config.lead_in + lag + 3, copies))) for rng in rngs]
        )
        events[:, config.lead_in :] = np.array([setter] + [X] * lag + [clearer] * 2)[:, None]
        failed = sit(events)[2][:, config.lead_in :].any(1).sum(1)
        marks[f"probe_errors_{lag}"] = failed
        marks["probe_errors"] += failed
    marks["solved"] = (marks["errors_per_1000"] == 0) & (marks["probe_errors"] == 0)
    return marks


def generators(seed):
    """Independent generators of one net: weights, stream, checks, final test, tests of
    robustness."""
    return [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(5)]


def train(config, seeds, callback=None, progress=None):
    """Train one net per seed, side by side; a net that has passed its checks leaves, and is graded
    on fresh data.

    Returns a dict of arrays (S, ...): the marks of the final test, the weights, the states, the
    "ticks" lived, and "clean_since", the tick of the first of the last checks without error.
    callback(ticks, ids, nets, marks) is called at each check, with the nets still in training.
    """
    size_c, size_m = (
        sum(r * c for r, c in pair) for pair in (shapes(config)[:2], shapes(config)[2:])
    )
    S, T, N, H = len(seeds), config.window, config.streams, config.hidden_c
    rngs = [generators(seed) for seed in seeds]
    theta = np.concatenate([initial_weights(config, rng[0]) for rng in rngs])
    nets = {
        "theta": theta,
        "m": np.zeros_like(theta),
        "v": np.zeros_like(theta),
        "armed": np.zeros((S, N), bool),
    }
    nets |= {
        name: np.zeros((S, *shape), np.float32)
        for name, shape in {
            "h_c": (N, H),
            "h_m": (N, config.hidden_m),
            "pain": (N,),
            "y": (N,),
            "baseline": (),
        }.items()
    }
    ids, clean, graduates, updates, checks = np.arange(S), np.zeros(S, int), [None] * S, 0, 1
    while True:
        ticks = updates * T * N
        spent = ticks + T * N > config.max_ticks
        if spent or ticks >= checks * config.check_every:
            if not np.isfinite(nets["theta"]).all():
                raise FloatingPointError(f"loss is nan at tick {ticks}")
            marks = exam(
                config,
                nets["theta"],
                nets,
                [rngs[i][2] for i in ids],
                config.check_ticks,
                config.check_streams,
                config.check_copies,
            )
            clean, checks = np.where(marks["solved"], clean + 1, 0), checks + 1
            if callback:
                callback(ticks, ids, nets, marks)
            if progress:
                progress(
                    ticks / config.max_ticks,
                    f"tick {ticks}, {S - len(ids)} of {S} solved, "
                    f"{np.median(marks['errors_per_1000']):.1f} errors per 1000",
                )
            leave = spent | (clean >= config.clean_checks)
            if leave.any():
                gone = {name: values[leave] for name, values in nets.items()}
                test = exam(
                    config,
                    gone["theta"],
                    gone,
                    [rngs[i][3] for i in ids[leave]],
                    config.test_ticks,
                    1,
                    config.test_copies,
                )
                test["solved"] &= (
                    clean[leave] >= config.clean_checks
                )  # luck in the last minute does not count
                test["ticks"] = np.full(leave.sum(), ticks)
                test["clean_since"] = ticks - np.maximum(clean[leave] - 1, 0) * config.check_every
                for j, i in enumerate(ids[leave]):
                    graduates[i] = {name: values[j] for name, values in (gone | test).items()}
                ids, clean = ids[~leave], clean[~leave]
                nets = {name: values[~leave] for name, values in nets.items()}
            if not len(ids):
                return {name: np.stack([g[name] for g in graduates]) for name in graduates[0]}

        # one window of life: draw the world's and the output unit's dice, act, learn
        dice = np.stack(
            [rngs[i][1].random((3, T, N)) for i in ids], 1
        )  # (3, S, T, N): event, random or not, how
        z = np.stack([rngs[i][1].standard_normal((T, N), np.float32) for i in ids])
        z *= config.rule != "supervised"  # with a teacher there is nothing to explore
        events = pick_events(config, dice[0])
        target, armed = targets(config, events, nets["armed"])
        m_alone = config.regime == "sequential" and ticks < config.model_ticks
        share, reach, random_y = 1 if m_alone else config.random_share, config.random_reach, None
        if share:
            random_y = np.where(dice[1] < share, (1 + 2 * reach) * dice[2] - reach, np.nan)
        c_tape, out, y, pain = live(config, nets["theta"], nets, events, target, z, random_y)
        grad, h_m = gradients(
            config, nets["theta"], nets, events, target, z, random_y, c_tape, out, y, pain
        )

        # Adam, each network's gradient clipped by itself
        updates += 1
        for part in (grad[:, :size_c], grad[:, size_c:]):
            part *= np.minimum(
                1, config.clip / (np.linalg.norm(part, axis=1, keepdims=True) + config.epsilon)
            )
        m_learns = m_alone or config.regime == "parallel"
        lr = np.repeat(np.float32([config.lr_c, config.lr_m * m_learns]), [size_c, size_m])
        nets["m"] += (1 - config.beta_1) * (grad - nets["m"])
        nets["v"] += (1 - config.beta_2) * (grad * grad - nets["v"])
        root = np.sqrt(nets["v"] / (1 - config.beta_2**updates)) + config.epsilon
        nets["theta"] -= lr / (1 - config.beta_1**updates) * nets["m"] / root
        last = c_tape[:, -1]
        nets |= {
            "armed": armed,
            "h_m": h_m,
            "h_c": last[..., :H],
            "pain": last[..., H + 4],
            "y": last[..., H + 5],
        }
        nets["baseline"] += config.baseline_rate * (pain.mean((1, 2)) - nets["baseline"])


# ---- the experiment ------------------------------------------------------------------------------

VARIANTS = {  # what the study trains, as changes to the config
    "parallel": {},
    "sequential": {"regime": "sequential"},
    "supervised": {
        "rule": "supervised",
        "regime": "parallel",
    },  # Williams and Zipser: the right answer is given
    "reinforce": {"rule": "reinforce", "regime": "parallel"},  # no model
    "memoryless": {"memory": False, "pain_input": False},
    "pain_as_memory": {
        "memory": False
    },  # the last tick's pain tells whether the last tick was a repeated B
    "deterministic": {"sigma_min": 0.0, "sigma_max": 0.0},
    "fixed_noise": {"sigma_min": 0.25, "sigma_max": 0.25},  # C may not choose when to explore
    "no_floor": {"sigma_min": 0.0},
    "full_path": {"model_path": "full"},
    "no_pain_input": {"pain_input": False},
    "linear_pain": {"objective": "pain"},
    "hand_weighted": {"objective": "pain", "random_share": 0.5, "b_weight": 12.0},
    "hold": HOLD,
    "hold_memoryless": HOLD | {"memory": False},
    "hold_shortcut": HOLD | {"memory": False, "feedback": True},
}


def variant(config, name):
    """The config of one variant. Nets without memory cannot put a long life to any use, so they get
    a shorter one."""
    limit = config.reference_ticks if "memory" in VARIANTS[name] else config.max_ticks
    return replace(config, **VARIANTS[name], max_ticks=min(limit, config.max_ticks))


def error_rate(config, nets, seeds, flags=None):
    """Errors per 1000 ticks (S,) of trained nets on a long stream, with flags as the share of ticks
    that hurt."""
    rngs = [generators(seed)[4] for seed in seeds]
    return exam(
        config, nets["theta"], nets, rngs, config.long_ticks, config.check_streams, 1, flags
    )["errors_per_1000"]


def part_of(progress, part, parts, label):
    """A progress callback for one part of several."""
    return progress and (
        lambda fraction, message: progress((part + fraction) / parts, f"{label}: {message}")
    )


def run(config, seed, progress=None):
    """One net, and the two references that give its numbers a meaning: a net with a teacher, one
    without memory."""
    memoryless = variant(config, "memoryless")
    configs = {
        "net": config,
        "with a teacher": variant(config, "supervised"),
        "without memory": memoryless,
    }
    noise = []

    def watch(ticks, ids, nets, marks):
        noise.append((marks["sigma_at_targets"].item(), marks["sigma_elsewhere"].item()))

    net, taught, forgetful = (
        train(c, [seed], None if part else watch, part_of(progress, part, len(configs), name))
        for part, (name, c) in enumerate(configs.items())
    )
    metrics = {
        "solved": net["solved"],
        "ticks_to_solve": net["ticks"],
        "clean_since": net["clean_since"],
        **{
            name: net[name]
            for name in ("errors_per_1000", "hit_rate", "false_alarm_rate", "probe_errors")
        },
        "pain_cut_errors_per_1000": error_rate(config, net, [seed], 0.0),
        "false_pain_errors_per_1000": error_rate(config, net, [seed], config.false_pain),
        "supervised_solved": taught["solved"],
        "supervised_clean_since": taught["clean_since"],
        "ticks_over_supervised": net["clean_since"] / taught["clean_since"],
        "memoryless_errors_per_1000": error_rate(memoryless, forgetful, [seed]),
        "memoryless_hit_rate": forgetful["hit_rate"],
        "memoryless_false_alarm_rate": forgetful["false_alarm_rate"],
    }
    metrics = {name: values[0].item() for name, values in metrics.items()}
    return metrics | dict(zip(("peak_sigma_at_targets", "sigma_elsewhere_then"), max(noise)))


def study(config, seed, progress=None):
    """The paper's numbers of runs in both regimes, and every ablation; the nets of a variant train
    side by side."""
    metrics, curves = {}, []
    followed = ("hit_rate", "false_alarm_rate", "sigma_at_targets", "sigma_elsewhere")
    latest = np.zeros((len(followed), config.runs))  # of a net that has left the last value stays

    def watch(ticks, ids, nets, marks):
        latest[:, ids] = [marks[name] for name in followed]
        curves.append((ticks, latest.round(3)))

    for part, name in enumerate(VARIANTS):
        main, variation = name == "parallel", variant(config, name)
        seeds = [(seed, i) for i in range(config.runs if main else config.side_runs)]
        nets = train(
            variation, seeds, watch if main else None, part_of(progress, part, len(VARIANTS), name)
        )
        ticks, since = (
            np.where(nets["solved"], nets[of], config.max_ticks) for of in ("ticks", "clean_since")
        )
        metrics |= {
            f"{name}_runs": len(seeds),
            f"{name}_solved": int(nets["solved"].sum()),
            **{f"{name}_ticks_{q}": float(np.quantile(ticks, q / 100)) for q in (25, 50, 75, 100)},
            f"{name}_clean_since_50": float(
                np.median(since)
            ),  # unsolved counts as the whole budget
            f"{name}_errors_per_1000": float(error_rate(variation, nets, seeds).mean()),
            f"{name}_ticks": ticks.tolist(),
        }
        if main:
            for label, flags in ("pain_cut", 0.0), ("false_pain", config.false_pain):
                metrics[f"{label}_errors_per_1000"] = float(
                    error_rate(variation, nets, seeds, flags).mean()
                )
    metrics["ticks_over_supervised"] = (
        metrics["parallel_clean_since_50"] / metrics["supervised_clean_since_50"]
    )
    metrics["curve_ticks"] = [ticks for ticks, _ in curves]
    for row, name in enumerate(followed):  # one row of runs per check, end to end
        metrics[f"curve_{name}"] = np.ravel([values[row] for _, values in curves]).tolist()
    for name in followed[2:]:
        metrics[f"peak_{name}_median"] = float(
            np.median(np.max([c[followed.index(name)] for _, c in curves], 0))
        )
    return metrics


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
