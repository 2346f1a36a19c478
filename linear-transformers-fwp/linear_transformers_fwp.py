# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Linear attention is a fast weight programmer: its memory has a size, and a delta rule lets it
change its mind.

Paper: I. Schlag, K. Irie, J. Schmidhuber, "Linear Transformers Are Secretly Fast Weight
Programmers", ICML 2021. Its two synthetic experiments: store key/value pairs, then answer one
query. Setting 1: S unique keys, each once. Setting 2: pairs drawn with replacement, twice as many
as keys; the last value of a key counts.
Claims: attention with a feature map phi and additive outer-product writes are one computation; such
a memory holds at most dim(phi) keys (DPFP enlarges it, without parameters); adding smears a value
that changes, the delta rule does not. Beside them: keys that resemble one another, a two-layer
transformer on a stream of tokens, and what it all costs.

    python3 linear_transformers_fwp.py --seed 0     identity, both settings, stream: about a minute
    python3 linear_transformers_fwp.py --help       every setting
    python3 study_linear_transformers_fwp.py        the paper's size, every step size, costs
"""

import os
import tracemalloc
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Annotated

# before numpy: these matrices are too small to share out
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    d_key: Annotated[int, "dimension of embeddings, keys and queries", (2, 256)] = 16
    unique_keys: Annotated[tuple[int, ...], "setting 1: numbers of unique keys", (2, 1024)] = (
        4,
        8,
        12,
        16,
        24,
        32,
        48,
        64,
        96,
        128,
    )
    changing_keys: Annotated[tuple[int, ...], "setting 2: numbers of keys", (2, 256)] = (
        5,
        10,
        20,
        30,
        40,
        60,
    )
    delta_keys: Annotated[
        tuple[int, ...], "setting 1: numbers of keys for the delta rule", (2, 1024)
    ] = (16, 32, 48)
    ablation_keys: Annotated[int, "setting 2: number of keys in the ablations", (2, 256)] = 20
    repeats: Annotated[int, "setting 2: pairs per key in a sequence", (1, 16)] = 2
    query: Annotated[
        str, "whose key is asked: a random pair's, or any that occurred", ("pair", "key")
    ] = "pair"
    favor: Annotated[
        tuple[int, ...],
        "numbers of random directions of FAVOR+; it has twice as many features",
        (1, 1024),
    ] = (16, 64)
    batch: Annotated[int, "sequences per update", (1, 1024)] = 32
    steps_1: Annotated[int, "setting 1: most updates of a run", (1, 10**6)] = 400
    steps_2: Annotated[int, "setting 2: most updates of a run", (1, 10**6)] = 300
    rates: Annotated[
        tuple[float, ...], "Adam step sizes; validation chooses, for each method alike", (1e-6, 1.0)
    ] = (0.01, 0.02, 0.04)
    beta_1: Annotated[float, "Adam: memory of the gradient", (0.0, 0.999999)] = 0.9
    beta_2: Annotated[float, "Adam: memory of the squared gradient", (0.0, 0.999999)] = 0.99
    epsilon: Annotated[float, "Adam: added to the root of the squared gradient", (1e-12, 1.0)] = (
        1e-8
    )
    stop: Annotated[float, "loss at which training ends", (0.0, 1.0)] = 1e-3
    check_every: Annotated[
        int, "updates between two looks at the mean training loss", (1, 10**6)
    ] = 25
    fixed_beta: Annotated[float, "constant write strength of one ablation", (0.0, 1.0)] = 0.5
    valid_sequences: Annotated[
        int, "sequences that choose the step size; as many streams test", (1, 10**6)
    ] = 256
    test_sequences: Annotated[int, "sequences of the test", (1, 10**6)] = 1024
    knee: Annotated[float, "squared error above which a memory counts as full", (1e-6, 1.0)] = 0.1
    study_d_key: Annotated[
        int, "study: dimension of embeddings, keys and queries, the paper's", (2, 256)
    ] = 64
    study_unique_keys: Annotated[
        tuple[int, ...], "study, setting 1: numbers of unique keys", (2, 1024)
    ] = (60, 120, 180, 240, 300, 360, 420, 480, 540, 600)
    study_changing_keys: Annotated[
        tuple[int, ...], "study, setting 2: numbers of keys", (2, 256)
    ] = (20, 60, 100, 200)
    study_steps: Annotated[int, "study: most updates of a run at the paper's size", (1, 10**6)] = (
        1000
    )
    large_rates: Annotated[
        tuple[float, ...], "study: Adam step sizes at the paper's size", (1e-6, 1.0)
    ] = (0.002, 0.02)
    study_rates: Annotated[
        tuple[float, ...], "study: Adam step sizes compared at the small size", (1e-6, 1.0)
    ] = (0.001, 0.003, 0.01, 0.02, 0.04, 0.1)
    limit_draws: Annotated[
        int, "study: sets of random keys whose least-squares limit is averaged", (1, 1000)
    ] = 4
    identity_length: Annotated[int, "pairs in the test of the identity", (1, 4096)] = 512
    identity_chunk: Annotated[int, "pairs per chunk there", (1, 4096)] = 64
    cost_lengths: Annotated[
        tuple[int, ...], "study: pairs in a sequence whose cost is measured", (1, 2**16)
    ] = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
    cost_repeats: Annotated[int, "study: time measurements, the shortest counts", (1, 100)] = 3
    similar_d: Annotated[int, "similar keys: numbers in a key and in a value", (2, 256)] = 8
    similar_spread: Annotated[
        float, "similar keys: length of what sets a key apart from the others", (0.01, 10)
    ] = 0.4
    similar_pairs: Annotated[
        tuple[int, ...], "similar keys: numbers of pairs in the test", (1, 256)
    ] = tuple(range(1, 17))
    similar_train_pairs: Annotated[int, "similar keys: pairs in a training episode", (1, 256)] = 5
    similar_steps: Annotated[int, "similar keys: updates, of one batch each", (1, 10**6)] = 1500
    similar_rate: Annotated[
        float, "similar keys: step size of plain gradient descent", (0.0, 10.0)
    ] = 0.05
    similar_clip: Annotated[float, "similar keys: largest norm of the gradient", (1e-6, 1e6)] = 1.0
    similar_episodes: Annotated[
        int, "similar keys: test episodes for each number of pairs", (2, 10**6)
    ] = 2500
    stream_keys: Annotated[int, "stream: numbers of keys, and of values", (2, 256)] = 16
    stream_length: Annotated[int, "stream: tokens", (4, 1024)] = 64
    stream_recalls: Annotated[
        float, "stream: probability that a known key keeps its value", (0.01, 1.0)
    ] = 0.5
    stream_layers: Annotated[int, "stream: layers of the larger transformer", (1, 16)] = 2
    stream_shift: Annotated[bool, "stream: each layer also sees the token before"] = True
    stream_places: Annotated[
        bool, "stream: each place in it has a learned vector, added to the token's"
    ] = True
    stream_steps: Annotated[int, "stream: updates", (1, 10**6)] = 250
    stream_rates: Annotated[
        tuple[float, ...], "stream: Adam step sizes; validation chooses", (1e-6, 1.0)
    ] = (0.005, 0.02)
    stream_few_recalls: Annotated[
        float, "study: the same probability in a variant", (0.01, 1.0)
    ] = 0.2

    def __post_init__(self):
        if list(self.unique_keys) != sorted(set(self.unique_keys)):
            raise ValueError("argument --unique-keys: the numbers must increase")
        if self.identity_chunk > self.identity_length:
            raise ValueError("argument --identity-chunk: must not exceed --identity-length")
        if self.check_every > min(self.steps_1, self.steps_2):
            raise ValueError("argument --check-every: must not exceed --steps-1 or --steps-2")
        if self.stream_length % 2:
            raise ValueError("argument --stream-length: must be even, as tokens come in pairs")
        if 5 not in self.similar_pairs:
            raise ValueError(
                "argument --similar-pairs: must contain 5, the number that is reported"
            )
        if len(self.cost_lengths) < 3:
            raise ValueError("argument --cost-lengths: a slope needs at least 3")


QUICK = {
    "unique_keys": (4, 24, 48),
    "delta_keys": (4,),
    "changing_keys": (5, 10),
    "ablation_keys": 5,
    "favor": (16,),
    "steps_1": 50,
    "steps_2": 50,
    "valid_sequences": 64,
    "test_sequences": 128,
    "study_d_key": 16,
    "study_steps": 50,
    "study_unique_keys": (20,),
    "study_changing_keys": (5,),
    "identity_length": 64,
    "identity_chunk": 16,
    "cost_lengths": (16, 32, 64),
    "cost_repeats": 1,
    "limit_draws": 1,
    "similar_steps": 20,
    "similar_episodes": 50,
    "similar_pairs": (1, 5, 9),
    "stream_steps": 10,
    "stream_length": 16,
}

# ---- the task ------------------------------------------------------------------------------------
# Shapes: V variants trained side by side, N keys, B sequences, L pairs in a sequence, D features of
# a key.


def sequences(config, rng, setting, keys, count):
    """Draw keys (B, L), values (B, L), the queried key (B,) and its right value (B,).

    Setting 1: every key once, every value once. Setting 2: both drawn with replacement; the queried
    key is that of a random pair (or a random one of those that occurred), and its last value is
    right. A value v stands for the v-th unit vector, so that values never interfere.
    """
    if setting == 1:
        k, v = (rng.permuted(np.tile(np.arange(keys), (count, 1)), axis=1) for _ in range(2))
    else:
        k, v = rng.integers(keys, size=(2, count, config.repeats * keys)).astype(np.intp)
    if config.query == "pair":
        query = k[np.arange(count), rng.integers(k.shape[1], size=count)]
    else:
        shown = (k[:, :, None] == np.arange(keys)).any(1)  # (B, N)
        query = (shown * rng.uniform(0.5, 1.0, shown.shape)).argmax(1)
    last = k.shape[1] - 1 - (k[:, ::-1] == query[:, None]).argmax(1)
    return k, v, query, v[np.arange(count), last]


# ---- feature maps: each returns phi(x) and its backward pass -------------------------------------
def feature_map(name, x, directions=None, axis=None):
    """phi of x (..., d) by name, and the function that takes dloss/dphi to dloss/dx.

    FAVOR+ subtracts the largest exponent along axis; that factor cancels in normalised attention,
    so it counts as constant.
    """
    if name == "identity":
        return x, lambda g: g
    if name == "tanh":
        y, root = (
            np.tanh(x),
            np.sqrt(x.dtype.type(x.shape[-1])),
        )  # divided by the root of d, so that |phi| < 1
        return y / root, lambda g: g * (1 - y * y) / root
    if name == "elu":  # elu(x) + 1
        y = np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))
        return y, lambda g: g * np.minimum(y, 1)
    if name.startswith(
        "dpfp"
    ):  # products of each half-wave with its nu neighbours, around the circle of 2 d
        d, shifts = x.shape[-1], range(1, int(name[4:]) + 1)
        r = np.maximum(np.concatenate([x, -x], -1), 0)  # (..., 2 d)
        rolled = [np.roll(r, -j, -1) for j in shifts]

        def back(g):
            parts = zip(shifts, np.split(g, len(shifts), -1), rolled, strict=True)
            dr = sum(part * other + np.roll(part * r, j, -1) for j, part, other in parts)
            return dr[..., :d] * (x > 0) - dr[..., d:] * (x < 0)

        return np.concatenate([r * other for other in rolled], -1), back
    x = x * x.dtype.type(
        x.shape[-1] ** -0.25
    )  # favor: positive random features of exp(q . k / sqrt(d))
    projected = x @ directions.T  # (..., m)
    power = np.concatenate([projected, -projected], -1) - 0.5 * (x * x).sum(-1, keepdims=True)
    y = np.exp(power - power.max(axis, keepdims=True)) / np.sqrt(x.dtype.type(power.shape[-1]))

    def back(g):
        plus, minus = np.split(g * y, 2, -1)
        dx = (plus - minus) @ directions - x * (plus + minus).sum(-1, keepdims=True)
        return dx * x.dtype.type(x.shape[-1] ** -0.25)

    return y, back


def sum_normalised(phi):
    """phi / sum(phi), which keeps the delta rule stable, and its backward pass."""
    total = np.maximum(phi.sum(-1, keepdims=True), 1e-6)
    p = phi / total
    return p, lambda g: (g - (g * p).sum(-1, keepdims=True)) / total


def sigmoid(x):
    return 0.5 * np.tanh(0.5 * x) + 0.5


TINY = 1e-20  # a query that matches no key at all gets the answer 0 instead of 0 / 0


# ---- the identity: one memory, three schedules ---------------------------------------------------
def program(k, v, q, beta=None, normaliser=False, watch=None):
    """The fast weight programmer, pair by pair: k, q (L, D) features, v (L, M); returns the answers
    (L, M).

    W <- W + v (x) k without beta; with beta (L,) the delta rule, W <- W + beta (v - W k) (x) k. The
    answer is W q, with the normaliser divided by q . (sum of all keys so far). watch(t, W) sees the
    memory after each write.
    """
    W, z, out = (
        np.zeros((v.shape[1], k.shape[1]), k.dtype),
        np.zeros(k.shape[1], k.dtype),
        np.empty_like(v),
    )
    for t in range(len(k)):
        W += np.outer(v[t] if beta is None else beta[t] * (v[t] - W @ k[t]), k[t])
        z += k[t]
        out[t] = W @ q[t] / (max(z @ q[t], TINY) if normaliser else 1)
        if watch:
            watch(t, W)
    return out


def attention(k, v, q, beta=None, normaliser=False, kernel=None):
    """The same answers as masked attention: all pairs at once, no memory matrix. The delta rule
    takes one solve.

    With kernel=np.exp and the normaliser it is softmax attention, which no finite memory matrix can
    do.
    """
    scores = np.tril(q @ k.T if kernel is None else kernel(q @ k.T))  # (L, L)
    if beta is not None:  # what each step really writes, w = beta (v - sum of earlier w (k . k'))
        v = np.linalg.solve(
            np.eye(len(k)) + beta[:, None] * np.tril(k @ k.T, -1), beta[:, None] * v
        )
    return scores @ v / (np.maximum(scores.sum(1, keepdims=True), TINY) if normaliser else 1)


def chunked(k, v, q, chunk, beta=None, normaliser=False):
    """The same answers with attention inside each chunk and one memory matrix carried between
    chunks."""
    W, z, out = (
        np.zeros((v.shape[1], k.shape[1]), k.dtype),
        np.zeros(k.shape[1], k.dtype),
        np.empty_like(v),
    )
    for start in range(0, len(k), chunk):
        now = slice(start, start + chunk)
        ks, vs, qs = k[now], v[now], q[now]
        scores = np.tril(qs @ ks.T)
        if beta is not None:
            b = beta[now, None]
            vs = np.linalg.solve(np.eye(len(ks)) + b * np.tril(ks @ ks.T, -1), b * (vs - ks @ W.T))
        total = np.maximum(scores.sum(1) + qs @ z, TINY)[:, None]
        out[now] = (scores @ vs + qs @ W.T) / (total if normaliser else 1)
        W += vs.T @ ks
        z += ks.sum(0)
    return out


def identity_gap(config, rng):
    """The largest difference between the schedules over feature maps, rules and normaliser,
    relative to the answers."""
    L, d, worst = config.identity_length, config.d_key, {"sum": 0.0, "delta": 0.0}
    for name in ("identity", "elu", "dpfp1", "dpfp2", "dpfp3"):
        k, q, v = rng.standard_normal((3, L, d))
        k, q = feature_map(name, k)[0], feature_map(name, q)[0]
        for rule, normaliser in (("sum", False), ("sum", True), ("delta", False), ("delta", True)):
            if name == "identity" and normaliser:
                continue  # signed scores may add up to nothing: to normalise needs phi >= 0
            if rule == "delta":
                k = (
                    k / np.linalg.norm(k, axis=1, keepdims=True)
                    if name == "identity"
                    else sum_normalised(k)[0]
                )
            beta = rng.random(L) if rule == "delta" else None
            answers = [
                program(k, v, q, beta, normaliser),
                attention(k, v, q, beta, normaliser),
                chunked(k, v, q, config.identity_chunk, beta, normaliser),
            ]
            gap = np.abs(np.array(answers[1:]) - answers[0]).max() / np.abs(answers[0]).max()
            worst[rule] = float(np.maximum(worst[rule], gap))  # which, unlike max, hands on a NaN
    return worst


# ---- the model and its gradient ------------------------------------------------------------------
@dataclass(frozen=True)
class Method:
    """A memory: feature map (or "softmax", whose features are infinitely many), write rule,
    ablations."""

    phi: str
    rule: str = "sum"
    beta: float | None = None  # write strength of the delta rule; None: learned, per key
    normalised: bool = True  # the delta rule's sum-normalisation of phi
    attention_normaliser: bool = (
        False  # the delta rule's answer divided by q . (sum of the keys); sum always does
    )


def initial(rng, keys, d, copies, dtype=np.float32):
    """Slow weights of V copies: embeddings (V, N, d), W_k and W_q, equal at first (V, d, d), w_beta
    (V, d + 1)."""
    E, W = rng.standard_normal((copies, keys, d)), rng.standard_normal((copies, d, d)) / np.sqrt(d)
    return [part.astype(dtype) for part in (E, W, W, np.zeros((copies, d + 1)))]


def loss_and_gradient(method, weights, data, directions=None, backward=True):
    """Squared error (V, B) and hits (V, B) of the answers to data, and the gradient of the mean
    error over B.

    An answer is linear in the values: y = sum_t a_t v_t. The sum rule has a_t = phi(q) . phi(k_t),
    divided by their sum. For the delta rule follow the query backwards through the writes, instead
    of the memory matrix forwards: u_L = phi(q), c_t = phi(k_t) . u_t, a_t = beta_t c_t, u_{t-1} =
    u_t - beta_t c_t phi(k_t). This is exact, and each step handles a vector where the memory would
    be a matrix.
    """
    (E, Wk, Wq, wb), (keys, values, query, right) = weights, data
    (V, N, d), (B, L), dtype = E.shape, keys.shape, E.dtype
    axis_v, rows, asked = np.arange(V)[:, None, None], np.arange(B), E[:, query]  # (V, B, d)
    k, q = E @ Wk, asked @ Wq  # (V, N, d), (V, B, d)
    softmax, delta = method.phi == "softmax", method.rule == "delta"
    if softmax:
        scores = q @ k.swapaxes(1, 2) / np.sqrt(dtype.type(d))
        kernel = np.exp(scores - scores.max(2, keepdims=True))  # (V, B, N)
    else:
        pk, back_k = feature_map(method.phi, k, directions, (1, 2))  # (V, N, D)
        pq, back_q = feature_map(method.phi, q, directions, 2)  # (V, B, D)
        if delta and method.normalised:
            (pk, norm_k), (pq, norm_q) = sum_normalised(pk), sum_normalised(pq)
        kernel = pq @ pk.swapaxes(1, 2)
    r = kernel[:, rows[:, None], keys]  # (V, B, L)
    a = r
    if delta:
        strength = sigmoid(E @ wb[:, :d, None] + wb[:, None, d:])[..., 0]  # (V, N)
        if method.beta is not None:
            strength = np.full_like(strength, method.beta)
        p, beta = pk[:, keys.T], strength[:, keys.T]  # (V, L, B, D), (V, L, B)
        u, c = np.empty((V, L + 1, B, p.shape[-1]), dtype), np.empty((V, L, B), dtype)
        u[:, L] = pq
        for t in range(L - 1, -1, -1):
            np.einsum("vbd,vbd->vb", p[:, t], u[:, t + 1], out=c[:, t])
            np.multiply((beta[:, t] * c[:, t])[..., None], p[:, t], out=u[:, t])
            np.subtract(u[:, t + 1], u[:, t], out=u[:, t])
        a = (beta * c).swapaxes(1, 2)
    if not delta or method.attention_normaliser:
        total = np.maximum(r.sum(2, keepdims=True), dtype.type(TINY))
        a = a / total
    y = np.bincount(
        (N * (B * axis_v + rows[:, None]) + values).ravel(), a.ravel(), V * B * N
    ).reshape(V, B, N)
    y = y.astype(dtype)
    hits = y.argmax(2) == right
    y[:, rows, right] -= 1  # from here on the error of the answer
    loss = (y * y).sum(2)
    if not backward:
        return loss, hits, None

    da = y[:, rows[:, None], values] * dtype.type(2 / B)  # (V, B, L)
    dr = np.zeros_like(r)
    if not delta or method.attention_normaliser:
        dr -= (da * a).sum(2, keepdims=True) / total
        da = da / total
    if not delta:
        dr += da
    cells = (N * (B * axis_v + rows[:, None]) + keys).ravel()
    dkernel = np.bincount(cells, dr.ravel(), V * B * N).reshape(V, B, N).astype(dtype)
    dwb, dE = np.zeros_like(wb), np.zeros_like(E)
    if softmax:
        dscores = dkernel * kernel / np.sqrt(dtype.type(d))
        dq, dk = dscores @ k, dscores.swapaxes(1, 2) @ q
    else:
        dpq, dpk = dkernel @ pk, dkernel.swapaxes(1, 2) @ pq
        if delta:
            da = da.swapaxes(1, 2)  # (V, L, B)
            dp, dbeta, g = np.empty_like(p), da * c, np.zeros_like(pq)  # g: dloss/du
            for t in range(L):
                back = np.einsum("vbd,vbd->vb", p[:, t], g)
                dbeta[:, t] -= back * c[:, t]
                dc = (da[:, t] - back) * beta[:, t]
                np.multiply(dc[..., None], u[:, t + 1], out=dp[:, t])
                dp[:, t] -= (beta[:, t] * c[:, t])[..., None] * g
                g += dc[..., None] * p[:, t]
            one_hot = (np.arange(N)[:, None] == keys.T.ravel()).astype(dtype)  # (N, L B)
            dpk += one_hot @ dp.reshape(V, L * B, -1)
            dpq += g
            if method.beta is None:
                slope = (dbeta.reshape(V, -1) @ one_hot.T) * strength * (1 - strength)  # (V, N)
                dwb[:, :d], dwb[:, d] = (slope[:, None] @ E)[:, 0], slope.sum(1)
                dE += slope[..., None] * wb[:, None, :d]
            if method.normalised:
                dpk, dpq = norm_k(dpk), norm_q(dpq)
        dk, dq = back_k(dpk), back_q(dpq)
    dE += dk @ Wk.swapaxes(1, 2)
    dE += (np.arange(N)[:, None] == query).astype(dtype) @ (dq @ Wq.swapaxes(1, 2))
    return loss, hits, [dE, E.swapaxes(1, 2) @ dk, asked.swapaxes(1, 2) @ dq, dwb]


# ---- training and evaluation ---------------------------------------------------------------------
@dataclass
class Memory:
    """A trained memory: slow weights with V = 1, and how it got there."""

    method: Method
    keys: int
    weights: list
    directions: np.ndarray | None
    steps: int
    rate: float  # the step size that validation chose
    valid: list  # validation error under each step size


def optimise(config, rates, steps, weights, measure, callback=None):
    """Adam, in place, on weights [(V, ...)], copy v with the step size rates[v]; returns the number
    of updates.

    measure(weights) draws a batch and returns loss (V, B) and gradient; callback(step, weights,
    loss) sees each update.
    """
    moments, recent = [(np.zeros_like(w), np.zeros_like(w)) for w in weights], []
    for step in range(1, steps + 1):
        loss, gradient = measure(weights)
        if not np.isfinite(loss).all():
            raise FloatingPointError(f"loss is {loss.max()} at step {step}")
        scale = np.sqrt(1 - config.beta_2**step) / (
            1 - config.beta_1**step
        )  # Adam's correction of the early steps,
        scale *= min(
            1.0, 2 * (1 - step / (steps + 1))
        )  # and in the second half the rates fall to zero
        for w, g, (m, s) in zip(weights, gradient, moments, strict=True):
            m += (1 - config.beta_1) * (g - m)
            s += (1 - config.beta_2) * (g * g - s)
            w -= (
                rates.reshape(-1, *[1] * (w.ndim - 1)) * scale * m / (np.sqrt(s) + config.epsilon)
            ).astype(w.dtype)
        if callback:
            callback(step, weights, loss)
        recent.append(loss.mean(1))
        if step % config.check_every == 0:
            if np.mean(recent, 0).min() < config.stop:
                break
            recent = []
    return step


def train(config, seed, setting, method, keys, callback=None):
    """Train one memory with every step size side by side, each from its own start, and let
    validation choose.

    callback(step, weights, loss) sees the weights (V, ...) and the loss (V, B) of each update.
    """
    start, drawn, held_out = map(
        np.random.default_rng, np.random.SeedSequence([seed, setting, keys]).spawn(3)
    )
    rates = np.array(config.rates)
    weights, directions = initial(start, keys, config.d_key, len(rates)), None
    if method.phi.startswith("favor"):
        directions = start.standard_normal((int(method.phi[5:]), config.d_key)).astype(np.float32)

    def measure(weights):
        loss, _, gradient = loss_and_gradient(
            method, weights, sequences(config, drawn, setting, keys, config.batch), directions
        )
        return loss, gradient

    step = optimise(
        config,
        rates,
        config.steps_1 if setting == 1 else config.steps_2,
        weights,
        measure,
        callback,
    )
    data = sequences(config, held_out, setting, keys, config.valid_sequences)
    valid = loss_and_gradient(method, weights, data, directions, backward=False)[0].mean(1)
    best = int(valid.argmin())
    weights = [w[best : best + 1] for w in weights]
    return Memory(method, keys, weights, directions, step, float(rates[best]), valid.tolist())


def unseen(config, seed, setting, keys):
    """The test sequences, which neither training nor validation saw."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, setting, keys]).spawn(4)[3])
    return sequences(config, rng, setting, keys, config.test_sequences)


def evaluate(config, seed, setting, memory, reverse=False):
    """Mean squared error and accuracy of a memory on the test sequences.

    Predicting nothing at all has error 1, as values are unit vectors. reverse: pairs are written
    last to first.
    """
    keys, values, query, right = unseen(config, seed, setting, memory.keys)
    if reverse:
        keys, values = keys[:, ::-1], values[:, ::-1]
    data = keys, values, query, right
    loss, hits, _ = loss_and_gradient(
        memory.method, memory.weights, data, memory.directions, backward=False
    )
    return float(loss.mean()), float(hits.mean())


def counting(keys, values, query, right, written=True):
    """Accuracy of an additive memory that confuses no keys: the value most often seen with the key,
    ties at random.

    keys, values (B, L), query, right (B,); written (B, L) marks the pairs that count.
    """
    rows = np.arange(len(keys))
    votes = np.zeros((len(keys), values.max() + 1))
    np.add.at(votes, (rows[:, None], values), (keys == query[:, None]) & written)
    top = votes == votes.max(1, keepdims=True)
    return float((top[rows, right] / top.sum(1)).mean())


def least_squares_limit(config, seed, name, keys):
    """Setting 1 with random keys that stay as they are: the error of the best memory matrix there
    is, solved for.

    The memory is not written by any rule, but fitted to all pairs at once; what is left is 1 - rank
    / keys.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 6, keys]))
    E, W, *_ = initial(rng, keys, config.d_key, config.limit_draws, np.float64)
    directions = (
        rng.standard_normal((int(name[5:]), config.d_key)) if name.startswith("favor") else None
    )
    phi = feature_map(name, E @ W, directions, (1, 2))[0]  # (draws, N, D)
    errors = phi @ np.linalg.pinv(phi, rcond=1e-10) - np.eye(keys)
    return float((errors * errors).sum(2).mean())


# ---- many queries at once: a layer of attention, and its gradient --------------------------------
def attend(rule, k, v, q, beta, seen):
    """Every query asks the memory of the pairs it may see: answers (..., Q, M), and the backward
    pass.

    k (..., L, D), v (..., L, M), q (..., Q, D), beta (..., L) write strengths, seen (Q, L) of 0 and
    1. Rules: "sum"; "attention", the sum divided by its weights; "softmax", the same with exp(q . k
    / sqrt(D)); "delta", in the form of one solve as in attention() above. backward takes
    dloss/danswers to dloss/d(k, v, q, beta).
    """
    scale = k.dtype.type(k.shape[-1] ** -0.5 if rule == "softmax" else 1)
    scores = scale * q @ k.swapaxes(-1, -2)  # (..., Q, L)
    if rule == "delta":
        likeness = np.tril(k @ k.swapaxes(-1, -2), -1)  # (..., L, L)
        system = np.eye(k.shape[-2], dtype=k.dtype) + beta[..., None] * likeness
        w = np.linalg.solve(system, beta[..., None] * v)  # what each step really writes
        scores = scores * seen

        def backward(g):
            ds = (g @ w.swapaxes(-1, -2)) * seen
            du = np.linalg.solve(system.swapaxes(-1, -2), scores.swapaxes(-1, -2) @ g)
            dsystem = -np.tril(du @ w.swapaxes(-1, -2), -1)
            dlikeness = beta[..., None] * dsystem
            dk = ds.swapaxes(-1, -2) @ q + (dlikeness + dlikeness.swapaxes(-1, -2)) @ k
            return dk, beta[..., None] * du, ds @ k, (du * v).sum(-1) + (dsystem * likeness).sum(-1)

        return scores @ w, backward
    if rule == "softmax":
        scores = np.where(seen > 0, scores, -np.inf)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
    kernel = scores * seen
    weights, total = kernel * beta[..., None, :], 1
    if rule != "sum":
        total = np.maximum(weights.sum(-1, keepdims=True), k.dtype.type(TINY))
        weights = weights / total

    def backward(g):
        dweights = g @ v.swapaxes(-1, -2)
        if rule != "sum":
            dweights = (dweights - (dweights * weights).sum(-1, keepdims=True)) / total
        ds = dweights * beta[..., None, :] * (scale * kernel if rule == "softmax" else seen)
        return (
            ds.swapaxes(-1, -2) @ q,
            weights.swapaxes(-1, -2) @ g,
            ds @ k,
            (dweights * kernel).sum(-2),
        )

    return weights @ v, backward


# ---- keys that resemble one another --------------------------------------------------------------
SIMILAR = {
    "sum": ("matrix", "sum"),
    "unit_sum": ("all", "sum"),
    "delta": ("all", "delta"),
}  # what is trained, how


def similar_episodes(config, rng, pairs, count):
    """Keys (B, N, d) = common vector + spread * noise, values (B, N, d), and which pair is asked
    for (B,)."""
    d = config.similar_d
    common = np.random.default_rng(13).standard_normal(
        d
    )  # the same in every episode, of every seed
    k = common / np.linalg.norm(common) + config.similar_spread * rng.standard_normal(
        (count, pairs, d)
    ) / np.sqrt(d)
    return k, rng.standard_normal((count, pairs, d)) / np.sqrt(d), rng.integers(pairs, size=count)


def similar_answer(trained, rule, weights, k, v, asked):
    """The answer (B, d), and the function from dloss/danswer to the gradient of weights W (d, d),
    w_beta (d + 1,).

    trained "matrix": keys W k as they come, write strength 1. "all": of unit length, with learned
    strengths.
    """
    (W, wb), rows = weights, np.arange(len(k))
    p, beta, length = k @ W.T, np.ones(k.shape[:2]), 1.0
    if trained == "all":
        length = np.linalg.norm(p, axis=2, keepdims=True)
        p, beta = p / length, sigmoid(k @ wb[:-1] + wb[-1])
    y, back = attend(rule, p, v, p[rows, asked][:, None], beta, np.ones((1, k.shape[1])))

    def gradient(g):
        dp, _, dq, dbeta = back(g[:, None])
        dp[rows, asked] += dq[:, 0]
        dwb = np.zeros_like(wb)
        if trained == "all":
            dp = (dp - p * (dp * p).sum(2, keepdims=True)) / length
            slope = dbeta * beta * (1 - beta)
            dwb[:-1], dwb[-1] = np.einsum("bn,bnd->d", slope, k), slope.sum()
        return [np.einsum("bni,bnj->ij", dp, k), dwb]

    return y[:, 0], gradient


def train_similar(config, seed, trained, rule):
    """Plain gradient descent on 0.5 |answer - value|^2; all rules see the same episodes, from the
    same start."""
    start, drawn = map(np.random.default_rng, np.random.SeedSequence([seed, 4]).spawn(2))
    d = config.similar_d
    weights = [np.eye(d) + 0.05 * start.standard_normal((d, d)), np.zeros(d + 1)]
    for step in range(1, config.similar_steps + 1):
        k, v, asked = similar_episodes(config, drawn, config.similar_train_pairs, config.batch)
        y, back = similar_answer(trained, rule, weights, k, v, asked)
        gradient = back((y - v[np.arange(len(v)), asked]) / config.batch)
        norm = np.sqrt(sum((g * g).sum() for g in gradient))
        if not np.isfinite(norm):
            raise FloatingPointError(f"gradient of similar keys is {norm} at step {step}")
        for w, g in zip(weights, gradient, strict=True):
            w -= config.similar_rate * min(1.0, config.similar_clip / max(norm, TINY)) * g
    return weights


def similar_keys(config, seed):
    """Mean cosine of answer and value, squared error and standard errors, for each number of pairs:
    a dict of lists.

    untrained_delta writes by the delta rule with what was trained for the sum. The least-squares
    memory is no rule but the best matrix for the pairs. Gains over the sum are paired: same
    episodes.
    """
    weights = {name: train_similar(config, seed, *how) for name, how in SIMILAR.items()}
    out = {"similar_pairs": list(config.similar_pairs)}
    for pairs in config.similar_pairs:
        rng = np.random.default_rng(np.random.SeedSequence([seed, 4, pairs]))
        k, v, asked = similar_episodes(config, rng, pairs, config.similar_episodes)
        rows = np.arange(len(k))
        right = v[rows, asked]
        answers = {
            name: similar_answer(*how, weights[name], k, v, asked)[0]
            for name, how in SIMILAR.items()
        }
        answers["untrained_delta"] = similar_answer("matrix", "delta", weights["sum"], k, v, asked)[
            0
        ]
        answers["least_squares"] = (k[rows, asked][:, None] @ np.linalg.pinv(k) @ v)[:, 0]
        cosines = {}
        for name, y in answers.items():
            lengths = np.linalg.norm(y, axis=1) * np.linalg.norm(right, axis=1)
            cosines[name] = (y * right).sum(1) / np.maximum(lengths, TINY)
            out.setdefault(f"similar_{name}_cosines", []).append(float(cosines[name].mean()))
            out.setdefault(f"similar_{name}_spreads", []).append(
                float(cosines[name].std(ddof=1) / np.sqrt(len(k)))
            )
            out.setdefault(f"similar_{name}_errors", []).append(
                float(((y - right) ** 2).sum(1).mean())
            )
        for name in ("untrained_delta", "unit_sum", "delta"):
            gain = cosines[name] - cosines["sum"]
            out.setdefault(f"similar_{name}_gains", []).append(float(gain.mean()))
            out.setdefault(f"similar_{name}_gain_spreads", []).append(
                float(gain.std(ddof=1) / np.sqrt(len(k)))
            )
    return out


# ---- a transformer on a stream of tokens ---------------------------------------------------------
STREAM = {"softmax": "softmax", "sum": "attention", "delta": "delta"}  # rules of attend


def streams(config, rng, count):
    """Tokens (B, T), a key and its value in turn, and where a known key is recalled (B, T).

    A key that occurred keeps its value with probability stream_recalls; otherwise, and when new, it
    gets a value drawn anew, never the one it has. Only the answers to recalls can be known: the
    loss and the accuracy are about them.
    """
    K, T, rows = config.stream_keys, config.stream_length, np.arange(count)
    tokens, recalled, now = (
        np.empty((count, T), int),
        np.zeros((count, T), bool),
        np.full((count, K), -1),
    )
    for t in range(0, T, 2):
        key = rng.integers(K, size=count)
        old, value = now[rows, key], rng.integers(K, size=count)
        recalled[:, t] = (old >= 0) & (rng.random(count) < config.stream_recalls)
        now[rows, key] = np.where(
            recalled[:, t], old, np.where(value == old, (value + 1) % K, value)
        )
        tokens[:, t], tokens[:, t + 1] = key, K + now[rows, key]
    return tokens, recalled


def stream_weights(config, rng, layers, copies, dtype=np.float32):
    """[tokens (V, 2 K, d), places (V, T, d), then for each layer (V, n, 3 d + 1) and (V, d, d),
    last (V, d, K)].

    A layer's first matrix makes key, query, value and write strength; n is 2 d where it sees the
    token before as well.
    """
    d, K = config.d_key, config.stream_keys
    n = 2 * d if config.stream_shift else d
    sizes = [(2 * K, d, 1.0), (config.stream_length, d, 0.5)]
    sizes += layers * [(n, 3 * d + 1, n**-0.5), (d, d, d**-0.5)] + [(d, K, d**-0.5)]
    weights = [
        scale * rng.standard_normal((copies, rows, columns)) for rows, columns, scale in sizes
    ]
    for w in weights[2:-1:2]:
        w[..., -1] = 0  # write strengths of one half at first
    return [w.astype(dtype) for w in weights]


def stream_loss(config, rule, weights, tokens, recalled, backward=True):
    """Cross-entropy (V,) and accuracy (V,) at recalls, and the gradient; rule is one of attend's.

    Layers are residual: x <- x + attention(x) W. Sum and delta see keys and queries through DPFP-1.
    """
    table, places, *layers, last = weights
    (V, _, d), (B, T), dtype = table.shape, tokens.shape, table.dtype
    x, tape, seen = table[:, tokens], [], np.tri(T, dtype=dtype)  # x: (V, B, T, d)
    if config.stream_places:
        x += places[:, None]
    for inwards, outwards in zip(layers[::2], layers[1::2], strict=True):
        s = x
        if config.stream_shift:
            s = np.concatenate([x, np.zeros_like(x)], 3)
            s[:, :, 1:, d:] = x[:, :, :-1]
        kq, v, gate = np.split(s @ inwards[:, None], [2 * d, 3 * d], 3)
        kq, beta, undo = (
            kq.reshape(V, B, T, 2, d),
            sigmoid(gate[..., 0]),
            [],
        )  # undo: backward passes, last map first
        maps = {
            "softmax": [],
            "attention": [lambda u: feature_map("dpfp1", u)],
            "delta": [lambda u: feature_map("dpfp1", u), sum_normalised],
        }[rule]
        for phi in maps:
            kq, back = phi(kq)
            undo.insert(0, back)
        y, back = attend(rule, kq[..., 0, :], v, kq[..., 1, :], beta, seen)
        tape.append((s, beta, y, back, undo))
        x = x + y @ outwards[:, None]
    b, t = np.nonzero(recalled)
    h, right, rows, count = (
        x[:, b, t],
        tokens[b, t + 1] - config.stream_keys,
        np.arange(len(b)),
        max(len(b), 1),
    )
    logits = h @ last  # (V, recalls, K)
    p = np.exp(logits - logits.max(2, keepdims=True))
    p /= p.sum(2, keepdims=True)
    loss = -np.log(np.maximum(p[:, rows, right], dtype.type(TINY))).sum(1) / count
    accuracy = (p.argmax(2) == right).sum(1) / count
    if not backward:
        return loss, accuracy, None

    p[:, rows, right] -= 1
    p /= count
    gradient, dx = [h.swapaxes(1, 2) @ p], np.zeros_like(x)
    dx[:, b, t] = p @ last.swapaxes(1, 2)

    def product(left, right):  # summed over sequences and time
        return left.reshape(V, B * T, -1).swapaxes(1, 2) @ right.reshape(V, B * T, -1)

    for n in range(len(tape) - 1, -1, -1):
        (s, beta, y, back, undo), inwards, outwards = tape[n], layers[2 * n], layers[2 * n + 1]
        dk, dv, dq, dbeta = back(dx @ outwards[:, None].swapaxes(2, 3))
        dkq = np.stack([dk, dq], 3)
        for back in undo:
            dkq = back(dkq)
        dz = np.concatenate(
            [dkq.reshape(V, B, T, 2 * d), dv, (dbeta * beta * (1 - beta))[..., None]], 3
        )
        gradient = [product(s, dz), product(y, dx), *gradient]
        ds = dz @ inwards[:, None].swapaxes(2, 3)
        dx = dx + ds[..., :d]
        if config.stream_shift:
            dx[:, :, :-1] += ds[:, :, 1:, d:]
    one_hot = (np.arange(table.shape[1])[:, None] == tokens.ravel()).astype(dtype)
    return (
        loss,
        accuracy,
        [one_hot @ dx.reshape(V, B * T, d), dx.sum(1) * config.stream_places, *gradient],
    )


def train_stream(config, seed, rule, layers):
    """Train a transformer with every step size side by side; the best on validation streams,
    weights with V = 1."""
    start, drawn, held_out = map(np.random.default_rng, np.random.SeedSequence([seed, 5]).spawn(3))
    rates = np.array(config.stream_rates)
    weights = stream_weights(config, start, layers, len(rates))

    def measure(weights):
        loss, _, gradient = stream_loss(
            config, rule, weights, *streams(config, drawn, config.batch)
        )
        return loss[:, None], gradient

    optimise(config, rates, config.stream_steps, weights, measure)
    valid = stream_loss(
        config, rule, weights, *streams(config, held_out, config.valid_sequences), backward=False
    )[0]
    best = int(valid.argmin())
    return [w[best : best + 1] for w in weights]


def stream_scores(config, seed, layers, progress=None):
    """Accuracy at the recalls of unseen streams: three transformers of one size, and the best that
    counting can do."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 5]).spawn(4)[3])
    tokens, recalled = streams(config, rng, config.valid_sequences)
    (b, t), out = np.nonzero(recalled), {}
    keys, values = tokens[:, ::2], tokens[:, 1::2] - config.stream_keys
    pair = t // 2
    out["stream_counting_accuracy"] = counting(
        keys[b], values[b], keys[b, pair], values[b, pair], np.arange(keys.shape[1]) < pair[:, None]
    )
    for name, rule in STREAM.items():
        if progress:
            progress(0.6, f"stream: {name}, {layers} layers")
        tested = stream_loss(
            config, rule, train_stream(config, seed, rule, layers), tokens, recalled, backward=False
        )
        out[f"stream_{name}_accuracy"] = float(tested[1][0])
    return out


# ---- what the schedules cost ---------------------------------------------------------------------
def costs(config, seed, progress=None):
    """For each schedule and number of pairs: seconds, and numbers held at once beyond the inputs;
    slopes of growth.

    One head with keys and values of study_d_key numbers in 32 bits. A slope is that of log numbers
    over log pairs, on the longer half of the lengths: 1 is linear growth, 2 quadratic.
    """
    rng, d, chunk = (
        np.random.default_rng(np.random.SeedSequence([seed, 7])),
        config.study_d_key,
        config.identity_chunk,
    )
    schedules = {
        "recurrent": lambda k, v, q, beta: program(k, v, q, normaliser=True),
        "chunked": lambda k, v, q, beta: chunked(k, v, q, chunk, normaliser=True),
        "masked": lambda k, v, q, beta: attention(k, v, q, normaliser=True),
        "softmax": lambda k, v, q, beta: attention(
            k, v, q / np.float32(d**0.5), normaliser=True, kernel=np.exp
        ),
        "delta_recurrent": program,
        "delta_chunked": lambda k, v, q, beta: chunked(k, v, q, chunk, beta),
    }
    out = {"cost_lengths": list(config.cost_lengths)}
    for length in config.cost_lengths:
        x, y, v = rng.standard_normal((3, length, d)).astype(np.float32)
        data = (
            sum_normalised(feature_map("elu", x)[0])[0],
            v,
            sum_normalised(feature_map("elu", y)[0])[0],
        )
        data += (rng.random(length).astype(np.float32),)
        for name, schedule in schedules.items():
            if progress:
                progress(0.9, f"cost of {name}, {length} pairs")
            taken = []
            for _ in range(config.cost_repeats):
                begun = perf_counter()
                schedule(*data)
                taken.append(perf_counter() - begun)
            tracemalloc.start()
            schedule(*data)
            held = tracemalloc.get_traced_memory()[1] / v.itemsize
            tracemalloc.stop()
            out.setdefault(f"cost_{name}_seconds", []).append(min(taken))
            out.setdefault(f"cost_{name}_numbers", []).append(held)
    half = len(config.cost_lengths) // 2
    for name in schedules:
        out[f"cost_{name}_slope"] = float(
            np.polyfit(
                np.log(config.cost_lengths[half:]), np.log(out[f"cost_{name}_numbers"][half:]), 1
            )[0]
        )
    return out


# ---- the experiment ------------------------------------------------------------------------------
def features(config, name):
    """The number of features of a map, the paper's d_dot; softmax has no end of them."""
    if name.startswith("favor"):
        return 2 * int(name[5:])
    return (
        np.inf
        if name == "softmax"
        else config.d_key * (2 * int(name[4:]) if name.startswith("dpfp") else 1)
    )


def capacity(config, errors):
    """Of errors {(map, keys): error}: where each map is full, and what the claims ask of ELU + 1
    and of DPFP-1."""
    out, sizes = {}, config.unique_keys
    maps = list(dict.fromkeys(name for name, _ in errors))
    for name in maps:  # a memory that is never full counts as full at twice the largest size
        out[f"knee_{name}"] = next(
            (s for s in sizes if errors[name, s] > config.knee), 2 * sizes[-1]
        )
        if name != "softmax":
            out[f"knee_{name}_per_feature"] = out[f"knee_{name}"] / features(config, name)
    for name in ("elu", "dpfp1"):
        room = features(config, name)
        out[f"below_{name}"] = max(
            [errors[name, s] for s in sizes if s <= 0.5 * room] or [errors[name, sizes[0]]]
        )
        out[f"above_{name}"] = min(
            [errors[name, s] for s in sizes if s >= 1.5 * room] or [errors[name, sizes[-1]]]
        )
    out |= {
        f"knee_{b}_after_{a}": out[f"knee_{b}"] - out[f"knee_{a}"]
        for a, b in (("elu", "dpfp1"), ("dpfp1", "dpfp2"), ("dpfp2", "dpfp3"))
    }
    last = sizes[-1]
    out["softmax_lead"] = (
        min(errors[name, last] for name in maps if name != "softmax") - errors["softmax", last]
    )
    return out


def run(config, seed, progress=None):
    """The identity, capacity (setting 1), changing values (setting 2) and ablations, similar keys,
    the stream."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0]))
    gap = identity_gap(config, rng)
    out = {f"identity_gap_{rule}": value for rule, value in gap.items()}
    maps = ["elu", "dpfp1", "dpfp2", "dpfp3", *(f"favor{m}" for m in config.favor), "softmax"]
    jobs = [(1, Method(name), keys) for name in maps for keys in config.unique_keys]
    jobs += [(1, Method("dpfp1", "delta"), keys) for keys in config.delta_keys]
    pairs = (
        ("softmax", "sum"),
        ("dpfp1", "sum"),
        ("dpfp1", "delta"),
        ("dpfp2", "sum"),
        ("dpfp2", "delta"),
    )
    jobs += [(2, Method(*pair), keys) for pair in pairs for keys in config.changing_keys]
    jobs += [
        (2, Method("tanh", "delta", normalised=False), keys)
        for keys in config.changing_keys
        if keys <= config.ablation_keys
    ]
    errors, scores = (
        {},
        {},
    )  # setting 1: {(map, keys): error}; setting 2: {(map, rule, keys): (error, accuracy)}
    for done, (setting, method, keys) in enumerate(jobs):
        if progress:
            progress(
                0.6 * done / len(jobs),
                f"setting {setting}: {method.phi}, {method.rule}, {keys} keys",
            )
        memory = train(config, seed, setting, method, keys)
        error, accuracy = evaluate(config, seed, setting, memory)
        if setting == 2:
            scores[method.phi, method.rule, keys] = error, accuracy
            out[f"changing_{method.phi}_{method.rule}_{keys}_error"] = error
            out[f"changing_{method.phi}_{method.rule}_{keys}_accuracy"] = accuracy
        elif method.rule == "sum":
            errors[method.phi, keys] = out[f"unique_{method.phi}_{keys}_error"] = error
        else:
            out[f"unique_{method.phi}_delta_{keys}_error"] = error
    out |= capacity(config, errors)

    few = [keys for keys in config.changing_keys if keys <= config.ablation_keys]
    many = [keys for keys in config.changing_keys if keys >= 10] or config.changing_keys
    out["delta_least_accuracy"] = min([scores["dpfp1", "delta", keys][1] for keys in few] or [0.0])
    out["sum_most_accuracy"] = max([scores["dpfp1", "sum", keys][1] for keys in few] or [1.0])
    for part, name in enumerate(("error", "accuracy")):
        won = [
            scores["dpfp1", "delta", keys][part] - scores["dpfp1", "sum", keys][part]
            for keys in many
        ]
        out[f"delta_least_{name}_won"] = min(won) if part else -max(won)
    out |= {f"ideal_sum_{keys}_accuracy": counting(*unseen(config, seed, 2, keys)) for keys in few}
    out |= ablations(config, seed)

    lists, five = similar_keys(config, seed), config.similar_pairs.index(5)
    out |= {
        name.removesuffix("s"): values[five]
        for name, values in lists.items()
        if name != "similar_pairs"
    }
    leads = [
        lists["similar_least_squares_cosines"][n] - lists[f"similar_{name}_cosines"][n]
        for n, pairs in enumerate(config.similar_pairs)
        if pairs > 1
        for name in (*SIMILAR, "untrained_delta")
    ]
    out["similar_least_squares_lead"] = min(leads)  # with one pair every rule is right
    out |= stream_scores(config, seed, config.stream_layers, progress)
    for name in ("softmax", "sum"):
        out[f"stream_delta_over_{name}"] = (
            out["stream_delta_accuracy"] - out[f"stream_{name}_accuracy"]
        )
    return out


def ablations(config, seed):
    """What the delta rule needs: at one number of keys, DPFP-1 with one thing changed at a time."""
    out, keys, delta = {}, config.ablation_keys, Method("dpfp1", "delta")
    trained = {
        "sum": Method("dpfp1"),
        "delta": delta,
        "replacement": replace(delta, beta=1.0),
        "fixed": replace(delta, beta=config.fixed_beta),
        "attention": replace(delta, attention_normaliser=True),
    }
    for name, method in trained.items():
        memory = train(config, seed, 2, method, keys)
        out[f"{name}_error"], out[f"{name}_accuracy"] = evaluate(config, seed, 2, memory)
        if name in ("sum", "delta"):
            other = replace(config, query="key" if config.query == "pair" else "pair")
            out[f"{name}_other_query_accuracy"] = evaluate(other, seed, 2, memory)[1]
        if name == "delta":
            E, *_, wb = memory.weights
            out["delta_strength"] = float(sigmoid(E[0] @ wb[0, :-1] + wb[0, -1]).mean())
            out["reversed_error"], out["reversed_accuracy"] = evaluate(
                config, seed, 2, memory, reverse=True
            )
    rng = np.random.default_rng(np.random.SeedSequence([seed, 3]))
    data = sequences(config, rng, 2, keys, config.batch)
    weights = initial(
        rng, keys, config.d_key, 1, np.float64
    )  # 64 bits: the untrained write explodes
    loss = loss_and_gradient(replace(delta, normalised=False), weights, data, backward=False)[0]
    return out | {"unnormalised_start_log10_error": float(np.log10(loss.mean()))}


def study(config, seed, progress=None):
    """The paper's size, each rule under each step size, least-squares limits, similar keys, stream
    variants, costs."""
    maps = ("elu", "dpfp1", "dpfp2", "dpfp3", "favor64", "softmax")
    jobs = [(1, Method(name), keys) for name in maps for keys in config.study_unique_keys]
    jobs += [
        (2, Method("dpfp1", rule), keys)
        for rule in ("sum", "delta")
        for keys in config.study_changing_keys
    ]
    large = replace(
        config,
        d_key=config.study_d_key,
        rates=config.large_rates,
        steps_1=config.study_steps,
        steps_2=config.study_steps,
    )
    out = {
        "unique_keys": list(config.study_unique_keys),
        "changing_keys": list(config.study_changing_keys),
        "rates": list(config.study_rates),
    }
    for done, (setting, method, keys) in enumerate(jobs):
        if progress:
            progress(
                0.6 * done / len(jobs),
                f"setting {setting}: {method.phi}, {method.rule}, {keys} keys",
            )
        memory = train(large, seed, setting, method, keys)
        error, accuracy = evaluate(large, seed, setting, memory)
        name = f"unique_{method.phi}" if setting == 1 else f"changing_{method.rule}"
        out.setdefault(f"{name}_errors", []).append(error)
        out.setdefault(f"{name}_accuracies", []).append(accuracy)
    for name, method in (
        ("sum", Method("dpfp1")),
        ("delta", Method("dpfp1", "delta")),
        ("softmax", Method("softmax")),
    ):
        out[f"rates_{name}_errors"] = train(
            replace(config, rates=config.study_rates), seed, 2, method, config.ablation_keys
        ).valid
    for name in dict.fromkeys((*maps[:-1], *(f"favor{m}" for m in config.favor))):
        out[f"limit_{name}_errors"] = [
            least_squares_limit(config, seed, name, keys) for keys in config.unique_keys
        ]
    for name in maps[:-1]:
        out[f"limit_{name}_large_errors"] = [
            least_squares_limit(large, seed, name, keys) for keys in config.study_unique_keys
        ]
    out |= similar_keys(config, seed)
    variants = {
        "one_layer": (config, 1),
        "unshifted": (replace(config, stream_shift=False), config.stream_layers),
        "few_recalls": (
            replace(config, stream_recalls=config.stream_few_recalls),
            config.stream_layers,
        ),
        "placeless": (replace(config, stream_places=False), config.stream_layers),
        "one_placeless": (replace(config, stream_places=False), 1),
    }
    for variant, (changed, layers) in variants.items():
        scores = stream_scores(changed, seed, layers, progress)
        out |= {
            name.replace("stream", f"stream_{variant}"): value for name, value in scores.items()
        }
    return out | costs(config, seed, progress)


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
