# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""What averaging, the window and convolution are worth to the net of em_segmentation_isbi.py.

Averaging: three more nets learn the same tissue; one net, the average of four, and the average
under the median filter. Context: nets with windows of 9, 17 and 65 pixels, whose numbers of maps
let them cost as many multiply-adds a window as the net with 33.
Rivals: logistic regression on Gaussians, Laplacians and gradients at five scales, and a
perceptron with one hidden layer on the same window, which costs and sees as much as the net.

    python3 study_em_segmentation_isbi.py --seed 0
"""

import sys
from dataclasses import dataclass
from typing import Annotated

import em_segmentation_isbi
from em_segmentation_isbi import (
    WindowNet,
    Windows,
    blur,
    judge,
    median,
    prepare,
    scores,
    train,
)
import numpy as np

# maps of each convolution that cost about as much as the experiment's net
FILTERS = {9: (160, 300), 17: (40, 72), 33: (12, 16, 96), 65: (4, 6, 20, 56)}


@dataclass(frozen=True)
class Config(em_segmentation_isbi.Config):
    training_windows: Annotated[int, "windows for each net", (1, 10**8)] = 208_000
    nets: Annotated[int, "nets that are averaged", (2, 100)] = 4
    perceptron_units: Annotated[int, "hidden units of the perceptron", (1, 10**5)] = 807


QUICK = em_segmentation_isbi.QUICK | {"nets": 2, "perceptron_units": 8, "training_windows": 3200}


def multiply_adds(net):
    """Count the multiplications with weights that one window costs."""
    side = net.window
    total = 0
    for n, (kernel, (W, _)) in enumerate(zip(net.kernels, net.layers, strict=True)):
        side = side - kernel + 1
        total += side**2 * W.size
        side = side // 2 if n < net.stages else side
    return total


def learned(stream, tissue, window, filters, units, config, progress):
    """Train a net of this shape. Returns its scores of the validation and of the test slices."""
    weights, picks = map(np.random.default_rng, stream.spawn(2))
    net = WindowNet(weights, window, filters, units)
    train(net, Windows(tissue.train, window), picks, config, progress)
    return scores(net, tissue, config)


# ---- a rival: logistic regression on features ----
SCALES = (0.7, 1.0, 1.6, 3.0, 6.0)  # pixels
NEWTON_STEPS = 8
RIDGE = 1.0  # penalty on squared weights: it keeps Newton's steps bounded


def features(image):
    """Return Gaussian, Laplacian and gradient at each scale, and a 1: (n, H, W, 16)."""
    found = [np.ones_like(image)]
    for sigma in SCALES:
        smooth = blur(image, sigma)
        slopes = np.gradient(smooth, axis=(1, 2))
        laplacian = sum(np.gradient(slope, axis=n) for n, slope in enumerate(slopes, 1))
        found += [smooth, laplacian, np.hypot(*slopes)]
    return np.stack(found, -1)


def logistic(stack):
    """Fit a logistic regression to the labels of all training pixels; return its score."""
    x = features(stack.image).reshape(-1, 3 * len(SCALES) + 1).astype(float)
    scale = np.sqrt((x**2).mean(0))
    x = x / scale
    wanted = stack.membrane.ravel()
    w = np.zeros(x.shape[1])
    for _ in range(NEWTON_STEPS):
        p = 0.5 + 0.5 * np.tanh(0.5 * (x @ w))
        bend = (x * (p * (1 - p))[:, None]).T @ x + RIDGE * np.eye(len(w))
        w += np.linalg.solve(bend, x.T @ (wanted - p))
    return lambda image: features(image) @ (w / scale)


# ---- the study ----
def averaging(nets, tissue, radius):
    """Judge one net (the mean of the rows), the average, and the average under the filter."""
    rows = [judge(*pair, tissue, 0) for pair in nets]
    mean = [np.mean(kind, axis=0) for kind in zip(*nets, strict=True)]
    table = {
        "one_net": {name: float(np.mean([row[name] for row in rows])) for name in rows[0]},
        "averaged": judge(*mean, tissue, 0),
        "averaged_filtered": judge(*(median(score, radius) for score in mean), tissue, 0),
    }
    saved = table["one_net"]["pixel_error"] - table["averaged"]["pixel_error"]
    return table | {"averaging": {"points_saved": saved}}


def run(config, seed, progress):
    """Train nets that are averaged, nets with other windows, and rivals, on one tissue."""
    tissue = prepare(config, seed)[0]
    others = [side for side in FILTERS if side != config.window]
    shapes = [(config.window, config.filters, config.hidden_size)] * config.nets
    shapes += [(side, FILTERS[side], config.hidden_size) for side in others]
    shapes.append((config.window, (), config.perceptron_units))
    streams = np.random.SeedSequence(seed).spawn(5 + len(shapes))[5:]
    found = []
    for done, (stream, shape) in enumerate(zip(streams, shapes, strict=True)):

        def tell(fraction, message, done=done, side=shape[0]):
            progress((done + fraction) / len(shapes), f"window of {side}: {message}")

        found.append(learned(stream, tissue, *shape, config, tell))
    table = averaging(found[: config.nets], tissue, config.median_radius)
    windows = dict(zip(others, found[config.nets :])) | {config.window: found[0]}
    for side in sorted(windows):
        table[f"window_{side}"] = judge(*windows[side], tissue, 0)
    table["perceptron"] = judge(*found[-1], tissue, 0)
    score = logistic(tissue.train)
    table["logistic"] = judge(*(score(stack.image) for stack in tissue[1:]), tissue, 0)
    saved = table["window_9"]["pixel_error"] - table["window_33"]["pixel_error"]
    return table | {"context": {"points_saved": saved}}


if __name__ == "__main__":
    em_segmentation_isbi.main(sys.modules[__name__])
