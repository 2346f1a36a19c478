# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around LOCOCODE: bits a pixel, noisy bars, and what each part of B does.

Bits a pixel as in the paper: each component of a code is cut into 100 intervals and costs what its
frequencies in training say. Linear codes are told their number of components, LOCOCODE is not.
Noisy bars: brightness differs from bar to bar, and each pixel has noise of variance 0.05.
Parts: flat minimum search without one of its parts, and two common penalties in its place.
Sources: linear nets under B unmix Laplace sources, beside FastICA and a penalty on sizes.

    python3 study_lococode_ica.py --seed 0     # about a minute and a half
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import lococode_ica
from lococode_ica import ALIVE, LIT, Lococode, across, draw_bars, first_weights, living, measure
from lococode_ica import owners, shuffles, train
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "nets of each row", (1, 1000)] = 5
    epochs: Annotated[int, "passes through the bars", (1, 100_000)] = 2000
    noisy_nets: Annotated[int, "nets that learn noisy bars", (1, 1000)] = 10
    noisy_epochs: Annotated[int, "passes through the noisy bars", (1, 100_000)] = 2000
    patterns: Annotated[int, "pictures to train on; as many others test", (50, 100_000)] = 500
    noisy_tolerance: Annotated[float, "tolerance of the noisy row", (0.0, 100.0)] = 1.45
    noisy_step: Annotated[float, "lambda's rise in an epoch of noisy bars", (0.0, 10.0)] = 0.0001
    sweep: Annotated[tuple[float, ...], "other tolerances", (0.0, 100.0)] = (1.0, 1.2, 1.3, 1.6)
    sweep_nets: Annotated[int, "nets at each other tolerance", (1, 1000)] = 2
    mixtures: Annotated[int, "mixtures of each kind to separate", (1, 1000)] = 4

    def __post_init__(self):
        if self.patterns % 50:
            raise ValueError("argument --patterns: it has to be a multiple of 50")


QUICK = {
    "nets": 2,
    "epochs": 20,
    "noisy_nets": 2,
    "noisy_epochs": 20,
    "patterns": 100,
    "mixtures": 1,
}

# ---- noisy bars ----
DIM, BRIGHT, NOISE = 0.1, 0.5, 0.05**0.5  # a bar's brightness lies between; deviation of the noise


def draw_noisy_bars(rng, config):
    """Draw pictures (N, P, D), with bars of differing brightness, and the bars (N, P, bars)."""
    _, bars = draw_bars(rng, config)
    brightness = np.where(bars, rng.uniform(DIM, BRIGHT, bars.shape), -LIT)  # (N, P, bars)
    rows = brightness[..., : config.grid, None]
    columns = brightness[..., None, config.grid :]
    x = np.maximum(rows, columns).reshape(*bars.shape[:2], -1)  # (N, P, D) the brighter one shows
    x += NOISE * rng.standard_normal(x.shape)
    return x.astype(np.float32), bars


# ---- codes that are told their size ----
def principal(x, components):
    """Return the mean (D,) of pictures x (P, D), the first principal axes (D, C), their spread."""
    mean = x.mean(0)
    variance, axes = np.linalg.eigh(np.cov(x.T))  # in rising order
    return mean, axes[:, ::-1][:, :components], np.sqrt(variance[::-1][:components])


def independent(z, rng, rounds=200):
    """Return the rotation (C, C) of white codes z (P, C) that FastICA finds, with tanh."""
    rotation = np.linalg.qr(rng.standard_normal((z.shape[1], z.shape[1])))[0]  # (C, C)
    for _ in range(rounds):
        s = np.tanh(z @ rotation)  # (P, C)
        moved = z.T @ s / len(z) - rotation * (1 - s * s).mean(0)  # (C, C)
        left, _, right = np.linalg.svd(moved)
        rotation = left @ right  # the nearest orthogonal matrix
    return rotation


INTERVALS = 100


def bits_a_pixel(code, unseen, pixels):
    """Return the bits a pixel that the code (P, C) of unseen pictures costs.

    Frequencies come from the code of the training pictures; each interval is counted once more.
    """
    low, span = code.min(0), np.maximum(np.ptp(code, axis=0), 1e-12)  # (C,) each
    places = [np.floor(INTERVALS * (y - low) / span) for y in (code, unseen)]
    seen, coded = (np.clip(place, 0, INTERVALS - 1).astype(np.intp) for place in places)
    total = 0.0
    for known, new in zip(seen.T, coded.T):
        count = np.bincount(known, minlength=INTERVALS) + 1.0  # (INTERVALS,)
        total -= np.log2(count[new] / count.sum()).mean()
    return total / pixels


def linear_codes(x, unseen, gain, components, rng):
    """Return bits of PCA and of ICA with so many components, and the error that both share."""
    rows = []
    for pictures, others in zip(gain * x.astype(float), gain * unseen.astype(float)):
        mean, axes, spread = principal(pictures, components)
        code = (pictures - mean) @ axes  # (P, C)
        new = (others - mean) @ axes
        rotation = independent(code / spread, rng)
        pca = bits_a_pixel(code, new, len(axes))
        ica = bits_a_pixel(code / spread @ rotation, new / spread @ rotation, len(axes))
        rows.append((pca, ica, ((others - mean - new @ axes.T) ** 2).sum(1).mean()))
    return np.mean(rows, axis=0)


def compare(net, x, unseen, gain, rng):
    """Return a table of bits a pixel and errors: the nets' alive units, PCA, ICA."""
    y, y_unseen = net.code(x), net.code(unseen)  # (N, P, H) each
    o = net.decode(y_unseen)
    pixels = x.shape[2]
    parts = zip(y, y_unseen, living(net, y))
    bits = [bits_a_pixel(a[:, alive], b[:, alive], pixels) for a, b, alive in parts]
    table = {"loc": {"bits": np.mean(bits), "error": ((o - gain * unseen) ** 2).sum(2).mean()}}
    for components in (10, 15):
        pca, ica, error = linear_codes(x, unseen, gain, components, rng)
        table[f"pca_{components}"] = {"bits": pca, "error": error}
        table[f"ica_{components}"] = {"bits": ica, "error": error}
    return table


def saving(table):
    """Return by how many bits LOCOCODE beats the better of the two codes of ten components."""
    return min(table["pca_10"]["bits"], table["ica_10"]["bits"]) - table["loc"]["bits"]


# ---- flat minimum search without a part, and other penalties ----
class NoActivation(Lococode):
    """B without the logarithms of the activations, which draw units towards silence."""

    def flatness_gradient(self, y, o):
        dW2, dy, dz2 = super().flatness_gradient(y, o)
        return dW2, dy - 2.0 * self.counts()[2] / (y + self.floor), dz2


def decoder_gradient(net, o):
    """Return the part of the gradient of B that is due to the logarithms of K."""
    W2 = net.theta["W2"]  # (N, H, D)
    c = 0.5 * (1.0 - o * o)  # (N, P, D)
    pull = 2.0 * net.counts()[0] / (c * c @ across(W2 * W2) + net.floor)  # (N, P, H)
    dW2 = W2 * (across(pull) @ (c * c))
    dc = c * (pull @ (W2 * W2))  # (N, P, D)
    return dW2, -dc * c * o


class NoDecoder(Lococode):
    """B without the logarithms of K, which shrink what leads from a unit to the outputs."""

    def flatness_gradient(self, y, o):
        dW2, dy, dz2 = super().flatness_gradient(y, o)
        part, z_part = decoder_gradient(self, o)
        return dW2 - part, dy, dz2 - z_part


class NoSpread(Lococode):
    """B without its last term, that of the sums T."""

    def flatness_gradient(self, y, o):
        _, dy, _ = super().flatness_gradient(y, o)
        dW2, dz2 = decoder_gradient(self, o)
        c = 0.5 * (1.0 - o * o)  # (N, P, D)
        return dW2, dy, dz2 - 2.0 * self.counts()[1] / (c + self.floor) * c * o


class SparseCode(Lococode):
    """The sum of the activations in place of B / b_scale."""

    def flatness_gradient(self, y, o):
        return 0.0, np.full_like(y, self.b_scale), 0.0


class WeightDecay(Lococode):
    """Half the sum of all squared weights in place of B / b_scale."""

    def gradient(self, x, target):
        error, gradient = super().gradient(x, target)
        for name in ("W1", "W2"):
            gradient[name] = gradient[name] + self.strength[:, None, None] * self.theta[name]
        return error, gradient

    def flatness_gradient(self, y, o):
        return 0.0, 0.0, 0.0


PARTS = {
    "whole": Lococode,
    "no_activation": NoActivation,
    "no_decoder": NoDecoder,
    "no_spread": NoSpread,
    "l1": SparseCode,
    "weight_decay": WeightDecay,
}


# ---- linear nets that separate sources: y = x W1, o = y W2, as many hidden units as inputs ----
SAMPLES, STRENGTH, STEPS, RATE = 2000, 0.01, 1000, 0.01  # lambda and Adam's steps and rate
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam
ROUND = (0.3, 0.03)  # log |y| is log sqrt(y^2 + r^2), with this r at first and at last


def no_spread(W2, y, r):
    """Return the derivatives of D sum_i log K_i + 2 D sum_i log |y_i|, by W2 and by y."""
    inputs = W2.shape[1]
    dW2 = 2.0 * inputs * W2 / (W2 * W2).sum(1, keepdims=True)  # (H, D)
    return dW2, 2.0 * inputs / len(y) * y / (y * y + r * r)


def whole(W2, y, r):
    """Return the derivatives of all of B, whose last term is W log sum_k T_k^2."""
    hidden, inputs = W2.shape
    size = np.abs(W2)
    root = 1.0 / np.sqrt((W2 * W2).sum(1))  # (H,)
    T = hidden + inputs * (root @ size)  # (D,)
    q = 4.0 * inputs**2 * hidden / (T @ T)
    odd = np.outer(q * root, T) * np.sign(W2)  # (H, D)
    even = (q * root**3 * (size @ T))[:, None] * W2
    dW2, dy = no_spread(W2, y, r)
    return dW2 + odd - even, dy


def absolute(W2, y, r):
    """Return the derivatives of 2 D sum_i |y_i| sqrt(K_i), the absolute parts of the outputs."""
    scale = 2.0 * W2.shape[1]
    length = np.sqrt((W2 * W2).sum(1, keepdims=True))  # (H, 1)
    size = np.sqrt(y * y + r * r)  # (P, H)
    dW2 = scale * size.mean(0)[:, None] * W2 / length
    return dW2, scale / len(y) * length.T * y / size


def separate(x, penalty, rng):
    """Return W1 (D, H) and W2 (H, D) of a linear net after Adam on x (P, D), not whitened."""
    W1 = np.linalg.qr(rng.standard_normal((x.shape[1], x.shape[1])))[0]
    theta = np.stack([W1, W1.T])  # W1, then W2
    mean, square = np.zeros_like(theta), np.zeros_like(theta)
    for step in range(STEPS):
        W1, W2 = theta
        r = ROUND[0] * (ROUND[1] / ROUND[0]) ** (step / STEPS)
        y = x @ W1  # (P, H)
        do = 2.0 / len(x) * (y @ W2 - x)  # (P, D)
        W2_pull, y_pull = penalty(W2, y, r)
        dW2 = y.T @ do + STRENGTH * W2_pull
        dW1 = x.T @ (do @ W2.T + STRENGTH * y_pull)
        slope = np.stack([dW1, dW2])
        mean += (1.0 - BETA_1) * (slope - mean)
        square += (1.0 - BETA_2) * (slope * slope - square)
        spread = np.sqrt(square / (1.0 - BETA_2 ** (step + 1))) + EPSILON
        rate = RATE * (1.0 - step / STEPS)  # sinks to 0
        theta = theta - rate * mean / (1.0 - BETA_1 ** (step + 1)) / spread
    return theta


def mixings(rng):
    """Draw the three matrices (sources, D) that mix: a rotation, an ill-conditioned one, few."""
    turn, first, last, few = np.linalg.qr(rng.standard_normal((4, 8, 8)))[0]
    ill = first * np.geomspace(1.0, 0.05, 8) @ last  # of condition 20
    return {"rotated": turn, "ill": ill, "few": few[:4]}


def amari(gains):
    """Return the distance of gains (S, S), sources to units, from a permutation: 0 to 1."""
    size = np.abs(gains)
    rows = size.sum(1) / size.max(1) - 1.0  # (S,)
    columns = size.sum(0) / size.max(0) - 1.0
    return (rows.sum() + columns.sum()) / (2 * len(size) * (len(size) - 1))


def sources_of(config, seed, progress):
    """Return a table of Amari distances and alive units: mixings by methods, means."""
    methods = {"whole": whole, "no_spread": no_spread, "l1": absolute}
    mixing_rng, source_rng, init_rng, ica_rng = map(np.random.default_rng, seed.spawn(4))
    rows = {}
    for turn in range(config.mixtures):
        progress(turn / config.mixtures, "separating sources")
        for name, mixing in mixings(mixing_rng).items():
            sources = source_rng.laplace(size=(SAMPLES, len(mixing))) / 2**0.5
            x = sources @ mixing  # (P, 8)
            for method, penalty in methods.items():
                W1, W2 = separate(x, penalty, init_rng)
                effect = (x @ W1).std(0) * np.abs(W2).max(1)  # (H,)
                largest = np.argsort(-effect)[: len(mixing)]  # as many units as sources
                found = amari(mixing @ W1[:, largest]), (effect >= ALIVE).sum()
                rows.setdefault((name, method), []).append(found)
            mean, axes, spread = principal(x, len(mixing))
            whitening = axes / spread  # (8, S)
            rotation = independent((x - mean) @ whitening, ica_rng)
            found = amari(mixing @ whitening @ rotation), len(mixing)
            rows.setdefault((name, "fastica"), []).append(found)
    table = {name: {} for name, _ in rows}
    for (name, method), values in rows.items():
        distance, alive = np.mean(values, axis=0)
        table[name][method] = {"amari": distance, "alive": alive}
    return table


# ---- the study ----
def bars_of(config, seed, progress):
    """Train all rows of PARTS on the same bars; returns their table and that of the bits."""
    settings = replace(lococode_ica.Config(), nets=config.nets, epochs=config.epochs)
    settings = replace(settings, patterns=config.patterns)
    training, testing, init, order, ica = map(np.random.default_rng, seed.spawn(5))
    x, _ = draw_bars(training, settings)
    unseen, bars = draw_bars(testing, settings)
    theta = first_weights(init, settings)
    order = shuffles(order, settings)
    gain = settings.target / LIT
    table = {}
    for k, (name, kind) in enumerate(PARTS.items()):

        def watch(epoch, error, k=k, name=name):
            done = (k + epoch / config.epochs) / len(PARTS)
            progress(done, f"{name}: squared error {error.mean():.3f}")

        net = kind(theta, settings)
        train(net, x, gain * x, order, settings, watch)
        table[name] = measure(net, unseen, gain * unseen, bars)
        if name == "whole":
            bits = compare(net, x, unseen, gain, ica)
    return table, bits


def noisy_bars_of(config, seed, progress):
    """Train on noisy bars at several tolerances; returns tables of units and of bits."""
    others = np.repeat(config.sweep, config.sweep_nets)  # (sweep * nets,)
    tolerances = np.concatenate([np.full(config.noisy_nets, config.noisy_tolerance), others])
    settings = replace(lococode_ica.Config(), nets=len(tolerances), epochs=config.noisy_epochs)
    settings = replace(settings, patterns=config.patterns, lambda_step=config.noisy_step)
    training, testing, init, order, ica = map(np.random.default_rng, seed.spawn(5))
    x, _ = draw_noisy_bars(training, settings)
    unseen, bars = draw_noisy_bars(testing, settings)
    net = Lococode(first_weights(init, settings), settings)
    net.tolerance = tolerances

    def watch(epoch, error):
        progress(epoch / config.noisy_epochs, f"noisy bars: squared error {error.mean():.3f}")

    train(net, x, x, shuffles(order, settings), settings, watch)
    y = net.code(unseen)  # (N, P, H)
    alive = living(net, y)  # (N, H)
    owned = owners(y, alive, bars).any(1).sum(1)  # (N,)
    count = alive.sum(1)
    error = ((net.decode(y) - unseen) ** 2).sum(2).mean(1)  # (N,)
    found = (owned >= 9) & (count <= 12)
    main = slice(0, config.noisy_nets)
    by_tolerance = {"tolerance": [config.noisy_tolerance, *config.sweep]}
    for name, values in {"alive": count, "owned": owned, "error": error}.items():
        means = [values[tolerances == t].mean().item() for t in by_tolerance["tolerance"]]
        by_tolerance[name] = means
    row = {"alive": count[main].mean(), "owned": owned[main].mean()}
    net.theta = {name: w[main] for name, w in net.theta.items()}
    bits = compare(net, x[main], unseen[main], 1.0, ica)
    return found[main].mean(), row, by_tolerance, bits


def run(config, seed, progress):
    """Train all rows on bars, then nets on noisy bars, then separate sources."""
    bars_seed, noisy_seed, sources_seed = np.random.SeedSequence(seed).spawn(3)
    parts, bits = bars_of(config, bars_seed, lambda done, said: progress(0.5 * done, said))
    found, noisy, by_tolerance, noisy_bits = noisy_bars_of(
        config,
        noisy_seed,
        lambda done, said: progress(0.5 + 0.4 * done, said),
    )
    sources = sources_of(config, sources_seed, lambda done, said: progress(0.9 + done / 10, said))
    return parts | {
        "bits_saved": saving(bits),
        "noisy_owned_share": found,
        "noisy_bits_saved": saving(noisy_bits),
        "noisy": noisy,
        "bars_bits": bits,
        "noisy_bits": noisy_bits,
        "by_tolerance": by_tolerance,
        "sources": sources,
    }


if __name__ == "__main__":
    lococode_ica.main(sys.modules[__name__])
