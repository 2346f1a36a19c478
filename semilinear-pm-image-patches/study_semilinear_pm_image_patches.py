# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""What the feature detectors of semilinear_pm_image_patches.py depend on, and what they carry.

Images: dead leaves, the same images with random phases (their power spectrum stays, their edges
go), and white noise. Layout: 32 receptive fields with one unit each in place of 8 with four.
Throughput: the error of a linear decoder that restores the inputs of all receptive fields from
the 32 units; rivals are the twins with blind predictors, the untrained nets, and 32 principal
components. Settings: shorter and longer training, slower and faster predictors.

    python3 study_semilinear_pm_image_patches.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import semilinear_pm_image_patches
from semilinear_pm_image_patches import PLACEMENTS, Minimizer, Unpredicted, Window
from semilinear_pm_image_patches import as_input, draw_images, measure, ridge, train
import numpy as np


@dataclass(frozen=True)
class Config:
    images: Annotated[int, "images to train with", (1, 1000)] = 15
    test_images: Annotated[int, "images to test with", (1, 1000)] = 5
    image_size: Annotated[int, "side of an image, pixels", (66, 2048)] = 192
    nets: Annotated[int, "nets of each kind", (1, 1000)] = 4
    steps: Annotated[int, "steps of the usual training", (20, 10**6)] = 4000
    ratios: Annotated[tuple[float, ...], "predictor rates, in code rates", (0.01, 1000.0)] = (
        1.0,
        3.0,
        30.0,
    )


QUICK = {"images": 2, "test_images": 1, "image_size": 96, "nets": 1, "steps": 40}

# ---- other images, another layout ----
RINGS = (1, 6, 10, 15)  # 32 receptive fields with a unit each
RING_DISTANCE = 7.3  # pixels: the input area stays as large as with two rings


def random_phases(rng, images):
    """Return images (n, G, G) with the same power spectrum, and the phases of white noise."""
    power = np.abs(np.fft.fft2(images))
    noise = np.fft.fft2(rng.standard_normal(images.shape))
    return np.fft.ifft2(power * noise / np.abs(noise)).real


def white_noise(rng, images):
    """Return white noise in the shape of images (n, G, G), prepared as they are."""
    return np.array([as_input(noise) for noise in rng.standard_normal(images.shape)])


def learner(seed, images, unseen, base):
    """Train nets on images, measure them on unseen ones: a row of the table."""
    weights, looks, tests = map(np.random.default_rng, seed.spawn(3))
    net = Minimizer(weights, base)
    train([net], Window(images, base), looks, base.steps, base)
    x = Window(unseen, base).look(tests, 2 * PLACEMENTS)
    return row(measure(net, x, base))


def row(metrics):
    """Return the columns of the table from the metrics of nets."""
    detector = metrics["edge"] + metrics["centre"]
    return {"detector": detector} | {name: metrics[name] for name in ("edge", "centre", "r2")}


# ---- throughput: what a decoder restores ----
DECODED = 4000  # placements on training images that a decoder is fitted on; 2000 others test it


def flat(x):
    """Return the inputs of all receptive fields, (F, B, I) as (B, F I)."""
    return x.transpose(1, 0, 2).reshape(x.shape[1], -1)


def decoder_error(fitted, tested, x_fitted, x_tested):
    """Return the mean squared error of a linear decoder, as a share of the inputs' variance.

    It is fitted on codes (B, D) with their inputs (B, F I), and tested on others.
    """
    mean_y = fitted.mean(0)
    mean_x = x_fitted.mean(0)
    decoder = ridge(fitted - mean_y, x_fitted - mean_x)  # (D, F I)
    left = x_tested - mean_x - (tested - mean_y) @ decoder
    return (left**2).mean() / ((x_tested - mean_x) ** 2).mean()


def net_error(net, fit, test):
    """Return the decoder's error, the mean over nets, for inputs fit and test (F, B, I)."""
    codes = zip(net.encode(fit), net.encode(test))
    return np.mean([decoder_error(*pair, flat(fit), flat(test)) for pair in codes])


def pca_error(count, fit, test):
    """Return the decoder's error for the first principal components of all inputs."""
    x = flat(fit)
    centred = x - x.mean(0)
    _, vectors = np.linalg.eigh(centred.T @ centred)  # ascending
    components = vectors[:, -count:]  # (F I, count)
    return decoder_error(x @ components, flat(test) @ components, x, flat(test))


# ---- more and fewer steps, other rates ----
MULTIPLES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)  # of the usual steps
USUAL = MULTIPLES.index(1.0)


def durations(seed, window, test_window, base, progress):
    """Train nets and twins for four times the usual steps.

    Returns lists over MULTIPLES, and the errors of the principal components.
    """
    weights, looks, fits, tests = seed.spawn(4)
    nets = [kind(np.random.default_rng(weights), base) for kind in (Minimizer, Unpredicted)]
    looks = np.random.default_rng(looks)
    fit = window.look(np.random.default_rng(fits), DECODED)  # (F, B, I)
    test = test_window.look(np.random.default_rng(tests), 2 * PLACEMENTS)
    done = 0
    lists = {"steps": [], "edge": [], "centre": [], "r2": [], "error": [], "error_twin": []}
    for multiple in MULTIPLES:
        steps = int(multiple * base.steps)
        train(nets, window, looks, steps - done, base)
        done = steps
        metrics = measure(nets[0], test, base)
        errors = [net_error(net, fit, test) for net in nets]
        for name, value in zip(
            lists, (steps, metrics["edge"], metrics["centre"], metrics["r2"], *errors)
        ):
            lists[name].append(float(value))
        progress(0.5 * multiple / MULTIPLES[-1], f"{steps} steps")
    return lists, pca_error(nets[0].c.shape[-1], fit, test)


def rates(seed, window, test_window, ratios, base):
    """Train nets whose predictors learn slower and faster: lists over ratios."""
    weights, looks, tests = seed.spawn(3)
    nets = []
    for ratio in ratios:
        changed = replace(base, predictor_rate=ratio * base.code_rate)
        nets.append(Minimizer(np.random.default_rng(weights), changed))
    train(nets, window, np.random.default_rng(looks), base.steps, base)
    x = test_window.look(np.random.default_rng(tests), 2 * PLACEMENTS)
    rows = [row(measure(net, x, base)) for net in nets]
    return {"x": list(ratios)} | {
        name: [float(found[name]) for found in rows] for name in ("detector", "r2")
    }


# ---- the study ----
def run(config, seed, progress):
    """Change the steps, the rates, the layout and the images; compare what the codes carry."""
    seeds = np.random.SeedSequence(seed).spawn(9)
    draw, draw_unseen, phase, phase_unseen, noise = map(np.random.default_rng, seeds[:5])
    names = ("images", "test_images", "image_size", "nets", "steps")
    base = semilinear_pm_image_patches.Config(**{name: getattr(config, name) for name in names})
    layout = replace(base, rings=RINGS, ring_distance=RING_DISTANCE, units=1)
    images = draw_images(draw, base.images, base.image_size)
    unseen = draw_images(draw_unseen, base.test_images, base.image_size)
    windows = [Window(images, base), Window(unseen, base)]

    longer, pca = durations(seeds[5], *windows, base, progress)
    rate = rates(seeds[6], *windows, config.ratios, base)
    progress(0.7, "32 receptive fields with a unit each")
    single = learner(seeds[7], images, unseen, layout)
    progress(0.9, "images without edges")
    phases = [random_phases(phase, images), random_phases(phase_unseen, unseen)]
    noises = [white_noise(noise, images), white_noise(noise, unseen)]
    other_seeds = seeds[8].spawn(2)
    return {
        "decoder_ratio": longer["error"][USUAL] / longer["error_twin"][USUAL],
        "centre_difference": single["centre"] - longer["centre"][USUAL],
        "error": {
            "pm": longer["error"][USUAL],
            "twin": longer["error_twin"][USUAL],
            "untrained": longer["error"][0],
            "pca": pca,
        },
        "single": single,
        "phases": learner(other_seeds[0], *phases, base),
        "noise": learner(other_seeds[1], *noises, base),
        "longer": longer,
        "rate": rate,
    }


if __name__ == "__main__":
    semilinear_pm_image_patches.main(sys.modules[__name__])
