# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The pictures of linear transformers as fast weights: capacity, changing values, identity,
ablations, recall, cost."""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from linear_transformers_fwp import (
    QUICK,
    Config,
    Method,
    attention,
    feature_map,
    features,
    program,
    run,
    sigmoid,
    study,
    sum_normalised,
    train,
)

# ---- picture style, byte-identical in every picture script; its text stands in SPEC.md ----
plt.switch_backend("Agg")
plt.rcParams.update({"figure.figsize": (8, 4.5), "figure.dpi": 100, "savefig.dpi": 150})
plt.rcParams.update({"figure.facecolor": "white", "savefig.facecolor": "white"})
plt.rcParams.update({"figure.constrained_layout.use": True, "lines.linewidth": 1.6})
plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 10, "legend.frameon": False})
plt.rcParams.update({"axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlepad": 10})
plt.rcParams.update({"axes.titlelocation": "left"})
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
BLACK, GREY, ORANGE, YELLOW = "#000000", "#999999", "#E69F00", "#F0E442"  # Okabe and Ito's colours,
SKY, BLUE, GREEN, RED, PINK = "#56B4E9", "#0072B2", "#009E73", "#D55E00", "#CC79A7"  # told by all
PAPER = {"color": BLACK, "linestyle": "--", "linewidth": 1.2}  # for the paper's own figures
flags = argparse.ArgumentParser(description=__doc__)
flags.add_argument("--seed", type=int, default=0, help="seed of the run that the pictures show")
flags.add_argument("--quick", action="store_true", help="draw a quick run: it proves the code")
flags.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="folder")
flags = flags.parse_args()
flags.out.mkdir(parents=True, exist_ok=True)

NAMES = {
    "elu": "ELU+1",
    "dpfp1": "DPFP-1",
    "dpfp2": "DPFP-2",
    "dpfp3": "DPFP-3",
    "favor16": "FAVOR+",
    "favor64": "FAVOR+",
    "softmax": "softmax",
}
INK = {
    "elu": RED,
    "dpfp1": SKY,
    "dpfp2": BLUE,
    "dpfp3": GREEN,
    "favor16": PINK,
    "favor64": PINK,
    "softmax": BLACK,
}
WARM, COLD = plt.get_cmap("Oranges"), plt.get_cmap("RdBu_r")


def save(figure, name):
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


def recorded(config, name, measure):
    """The metrics of each record, or of a run made now."""
    path = Path(__file__).resolve().with_name(name)
    if flags.quick or not path.exists():
        return [measure(config, flags.seed)]
    return [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]


def over_seeds(ax, sizes, rows, color, **style):
    """A thin line per seed, the median on top."""
    for row in rows:
        ax.plot(sizes, row, color=color, lw=0.6, alpha=0.35)
    ax.plot(sizes, np.median(rows, 0), color=color, lw=2.2, **style)


def bound(ax, room, largest, color):
    """The least error of any memory with so many features: 1 - features / keys."""
    keys = np.linspace(room, largest, 200)
    ax.plot(keys, 1 - room / keys, **(PAPER | {"color": color, "linewidth": 1.0, "zorder": 1}))


# ---- 1: capacity ---------------------------------------------------------------------------------
def capacity_picture(config, runs, large):
    figure, axes = plt.subplots(1, 2, figsize=(12, 5.4), sharey=True)
    figure.suptitle(
        "A linear memory holds about as many keys as it has features, and no more",
        x=0.01,
        ha="left",
        weight="bold",
        fontsize=15,
    )
    lift = {
        "favor16": -0.035,
        "dpfp1": 0.005,
        "favor64": -0.025,
    }  # labels that would lie on one another
    panels = (
        (axes[0], config.d_key, list(config.unique_keys), "a thin line per seed", "favor16"),
        (axes[1], config.study_d_key, large["unique_keys"], "as in the paper; one seed", "favor64"),
    )
    for ax, d, sizes, title, favor in panels:
        for name in ("elu", "dpfp1", "dpfp2", "dpfp3", favor, "softmax"):
            if ax is axes[0]:
                rows = np.array(
                    [[metrics[f"unique_{name}_{keys}_error"] for keys in sizes] for metrics in runs]
                )
            else:
                rows = np.array([large[f"unique_{name}_errors"]])
            over_seeds(ax, sizes, rows, INK[name], marker="o", markersize=4)
            room = features(Config(d_key=d), name)
            if room < sizes[-1] and not name.startswith("favor"):
                bound(ax, room, sizes[-1], INK[name])
            if name != "softmax":
                limit = large[f"limit_{name}{'_large' if ax is axes[1] else ''}_errors"]
                ax.plot(
                    sizes, limit, "D", mfc="none", mec=INK[name], markersize=7, mew=1.0, zorder=1
                )
            end = float(np.median(rows, 0)[-1])
            count = "" if name == "softmax" else f" ({room})"
            ax.annotate(
                NAMES[name] + count,
                (sizes[-1], end + lift.get(name, 0.0)),
                xytext=(8, 0),
                textcoords="offset points",
                color=INK[name],
                va="center",
                weight="bold",
                fontsize=10.5,
            )
        ax.set(
            xlabel="unique keys in the sequence, each written once",
            xlim=(0, 1.3 * sizes[-1]),
            ylim=(-0.03, 1.14),
            yticks=np.arange(0, 1.01, 0.2),
        )
        ax.set_xticks(sizes[::2] if ax is axes[1] else [k for k in sizes if k % 16 == 0])
        ax.set_title(f"keys of {d} numbers; {title}", weight="normal", fontsize=12)
    axes[0].set_ylabel("squared error (1: no memory at all)")
    axes[0].text(
        2,
        1.12,
        "dashed: 1 - features / keys, the least error that so many features allow\n"
        "diamonds: the best matrix for random keys, by least squares\n"
        "(in brackets: number of features)",
        fontsize=10,
        va="top",
        color="#444444",
    )
    save(figure, "capacity.png")


# ---- 2: changing values --------------------------------------------------------------------------
def parts(memory):
    """What a trained memory writes with: features of its keys and queries, and write strengths, in
    64 bits."""
    E, Wk, Wq, wb = (w[0].astype(float) for w in memory.weights)
    k, q = (feature_map(memory.method.phi, E @ W)[0] for W in (Wk, Wq))
    if memory.method.rule == "sum":
        return k, q, None
    return sum_normalised(k)[0], sum_normalised(q)[0], sigmoid(E @ wb[:-1] + wb[-1])


def told_and_stored(memory, rng, writes=5):
    """How much of the value it was last told, and of the first one, a memory gives for key 0, after
    every pair."""
    keys = memory.keys
    order = np.concatenate(
        [np.concatenate([[0], rng.permutation(np.arange(1, keys))[:7]]) for _ in range(writes)]
    )
    values = rng.integers(1, keys, len(order))
    values[order == 0] = np.arange(writes) % keys
    k, q, beta = parts(memory)
    total, shares = np.zeros(k.shape[1]), []

    def watch(t, W):
        nonlocal total
        total = total + k[order[t]]
        answer = W @ q[0] / (total @ q[0] if beta is None else 1)
        shares.append([answer[n] for n in range(writes)])

    program(
        k[order],
        np.eye(max(keys, writes))[values],
        q[order],
        None if beta is None else beta[order],
        watch=watch,
    )
    return np.array(shares), np.flatnonzero(order == 0)


def changing_picture(config, runs, memories):
    figure = plt.figure(figsize=(12, 6.4))
    grid = figure.add_gridspec(2, 2, width_ratios=[1.05, 1])
    figure.suptitle(
        "When values change, adding smears them; the delta rule replaces them",
        x=0.01,
        ha="left",
        weight="bold",
        fontsize=15,
    )
    sizes = list(config.changing_keys)
    rules = (
        ("dpfp1", "sum", RED, "sum, DPFP-1", {}),
        ("softmax", "sum", BLACK, "softmax", {}),
        ("dpfp1", "delta", BLUE, "delta, DPFP-1", {}),
        ("dpfp2", "delta", GREEN, "delta, DPFP-2", {}),
    )
    for row, (part, words) in enumerate(
        (("accuracy", "right answers"), ("error", "squared error"))
    ):
        ax = figure.add_subplot(grid[row, 0])
        for phi, rule, color, label, style in rules:
            rows = [
                [metrics[f"changing_{phi}_{rule}_{keys}_{part}"] for keys in sizes]
                for metrics in runs
            ]
            over_seeds(ax, sizes, rows, color, marker="o", markersize=4, **style)
            ax.annotate(
                label,
                (sizes[-1], float(np.median(rows, 0)[-1])),
                xytext=(8, 0),
                textcoords="offset points",
                color=color,
                va="center",
                weight="bold",
            )
        ax.axvline(2 * config.d_key, color=SKY, ls=":", lw=1)
        if not row:
            ax.text(
                2 * config.d_key + 0.5,
                0.03,
                "32 features of DPFP-1".replace("32", str(2 * config.d_key)),
                color="#2F8FC4",
                fontsize=9.5,
            )
        ax.set(ylim=(0, 1.04), xlim=(0, 1.28 * sizes[-1]), ylabel=words, xticks=sizes)
        if row:
            ax.set_xlabel("keys (the sequence has twice as many pairs)")
    for row, (memory, words) in enumerate(zip(memories, ("sum", "delta rule"), strict=True)):
        ax = figure.add_subplot(grid[row, 1])
        shares, told = told_and_stored(memory, np.random.default_rng(flags.seed))
        colors = (ORANGE, SKY, GREEN, PINK, BLUE)
        ax.stackplot(
            np.arange(1, len(shares) + 1),
            np.maximum(shares.T, 0),
            colors=colors,
            step="mid",
            alpha=0.85,
        )
        for n, color in enumerate(colors):
            ax.text(
                told[n] + 1.2, 1.08, f"value {'ABCDE'[n]}", color=color, weight="bold", fontsize=10
            )
            ax.axvline(told[n] + 0.5, color=color, lw=0.8, ls=":")
        ax.set(
            ylim=(0, 1.2),
            xlim=(0.4, len(shares) + 0.6),
            ylabel="share in the answer",
            yticks=[0, 0.5, 1],
        )
        ax.set_title(
            f"{words}: its answer for one key, told A, then B, C, D, E",
            weight="normal",
            fontsize=11,
        )
        if row:
            ax.set_xlabel("pairs written so far (between them, pairs of other keys)")
    save(figure, "changing.png")


# ---- 3: the identity -----------------------------------------------------------------------------
def identity_picture():
    rng = np.random.default_rng(flags.seed)
    length, d = 40, 12
    k, q, v = rng.standard_normal((3, length, d))
    k, q = feature_map("elu", k)[0], feature_map("elu", 2 * q)[0]
    scores = np.tril(q @ k.T)
    kept = {}
    one = program(k, v, q, normaliser=True, watch=lambda t, W: kept.update({t: W.copy()}))
    two = attention(k, v, q, normaliser=True)
    figure = plt.figure(figsize=(12, 4.6), layout="none")
    figure.text(
        0.012,
        0.94,
        "Attention without softmax is a memory matrix that is written pair by pair",
        weight="bold",
        fontsize=15,
    )
    weights, W, top = scores / scores.sum(1, keepdims=True), kept[length - 1], abs(one).max()
    shown = np.where(np.tri(length) > 0, weights, np.nan)
    panels = (
        (
            0.03,
            0.27,
            shown,
            WARM,
            0,
            np.nanquantile(shown, 0.95),
            "attention: 40 x 40 weights",
            "earlier pairs",
            "queries",
        ),
        (0.35, 0.13, two, COLD, -top, top, "its answers", "value", ""),
        (0.53, 0.13, one, COLD, -top, top, "the same answers", "value", ""),
        (
            0.71,
            0.27,
            W,
            COLD,
            -abs(W).max(),
            abs(W).max(),
            "fast weights: 12 x 12 memory",
            "feature of the key; a row per value",
            "",
        ),
    )
    for left, width, picture, cmap, low, high, title, x, y in panels:
        ax = figure.add_axes((left, 0.17, width, 0.62))
        ax.imshow(picture, cmap=cmap, vmin=low, vmax=high, aspect="auto")
        ax.set_title(title, fontsize=12)
        ax.set(xlabel=x, ylabel=y, xticks=[], yticks=[])
        ax.spines[["left", "bottom"]].set_visible(False)
    for left, arrow in ((0.325, "→"), (0.505, "="), (0.687, "←")):
        figure.text(left, 0.48, arrow, fontsize=20, ha="center", va="center", weight="bold")
    gap = abs(one - two).max() / top
    figure.text(
        0.505,
        0.035,
        f"largest difference: {gap:.0e} of the largest answer",
        ha="center",
        fontsize=11.5,
        weight="bold",
        color=GREEN,
    )
    save(figure, "identity.png")


# ---- 4: ablations --------------------------------------------------------------------------------
def ablation_picture(config, runs):
    rows = [
        ("replacement", "replace always (strength 1)", SKY),
        ("delta", "learned strength", BLUE),
        ("fixed", f"half strength ({config.fixed_beta:g})", ORANGE),
        ("attention", "with attention's normaliser", PINK),
        ("reversed", "pairs written last to first", GREEN),
        ("sum", "sum instead of delta", RED),
    ]
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.6), sharey=True)
    figure.suptitle(
        "Delta rule: half strength or attention's normaliser costs the scale, "
        "the wrong order the answer",
        x=0.01,
        ha="left",
        weight="bold",
        fontsize=15,
    )
    for ax, part, words in (
        (axes[0], "error", "squared error"),
        (axes[1], "accuracy", "right answers"),
    ):
        for y, (name, _, color) in enumerate(rows):
            seeds = np.array([metrics[f"{name}_{part}"] for metrics in runs])
            spread = 0.16 * np.linspace(-1, 1, len(seeds)) if len(seeds) > 1 else np.zeros(1)
            ax.barh(y, np.median(seeds), color=color, alpha=0.35, height=0.62)
            ax.plot(seeds, y + spread, "o", color=color, markersize=4)
            figure_said = f"{np.median(seeds):.3f}" if np.median(seeds) > 5e-3 else "< 0.005"
            ax.text(
                seeds.max() + 0.025,
                y,
                figure_said,
                va="center",
                fontsize=10.5,
                weight="bold",
                color=BLACK,
            )
        ax.set(
            xlabel=f"{words}, {config.ablation_keys} keys, "
            f"{config.repeats * config.ablation_keys} pairs",
            xlim=(0, 1.15 if part == "accuracy" else None),
        )
    axes[0].set_yticks(range(len(rows)), [label for _, label, _ in rows], fontsize=11)
    axes[0].invert_yaxis()
    save(figure, "ablations.png")


# ---- 5: similar keys, and the stream -------------------------------------------------------------
def recall_picture(config, runs, large):
    figure = plt.figure(figsize=(12, 6.8))
    grid = figure.add_gridspec(2, 2, width_ratios=[1, 1.1], height_ratios=[1.5, 1])
    figure.suptitle(
        "Similar keys defeat every write rule; in a stream, one layer of delta memory is enough",
        x=0.01,
        ha="left",
        weight="bold",
        fontsize=14.5,
    )
    pairs = large["similar_pairs"]
    top, low = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
    rows = (
        ("least_squares", BLACK, "best matrix"),
        ("unit_sum", ORANGE, "sum, unit keys"),
        ("sum", RED, "sum"),
        ("untrained_delta", SKY, "delta, trained as sum"),
        ("delta", BLUE, "delta"),
    )
    ends = np.linspace(0.69, 0.45, len(rows))  # labels stand apart where the lines do not
    for (name, color, label), end in zip(rows, ends, strict=True):
        y = large[f"similar_{name}_cosines"]
        top.errorbar(
            pairs,
            y,
            np.array(large[f"similar_{name}_spreads"]),
            color=color,
            capsize=2,
            lw=1.8,
            elinewidth=1,
        )
        top.annotate(
            label,
            (pairs[-1], y[-1]),
            xytext=(1.04 * pairs[-1] + 0.3, end),
            color=color,
            va="center",
            weight="bold",
            fontsize=10,
            arrowprops={"arrowstyle": "-", "color": color, "lw": 0.6, "relpos": (0, 0.5)},
        )
    top.axvline(config.similar_d, color=GREY, ls=":", lw=1)
    top.text(
        config.similar_d + 0.6,
        0.995,
        f"{config.similar_d} numbers per key",
        color="#666666",
        fontsize=9.5,
    )
    top.set(
        ylabel="cosine of answer and value",
        xlim=(0.5, 1.55 * pairs[-1]),
        ylim=(0.42, 1.03),
        xticks=pairs[1::2],
    )
    top.set_title(
        "similar keys: one common vector, a little noise each", weight="normal", fontsize=12
    )
    for name, color in (("unit_sum", ORANGE), ("untrained_delta", SKY), ("delta", BLUE)):
        y, error = (
            np.array(large[f"similar_{name}_gains"]),
            np.array(large[f"similar_{name}_gain_spreads"]),
        )
        low.errorbar(pairs, y, error, color=color, capsize=2, lw=1.8, elinewidth=1)
    low.plot(pairs, np.zeros(len(pairs)), color=RED, lw=1.8)
    low.set(
        xlabel=f"pairs stored (trained with {config.similar_train_pairs})",
        ylabel="gain over the sum",
        xlim=(0.5, 1.55 * pairs[-1]),
        xticks=pairs[1::2],
    )
    low.text(1.04 * pairs[-1] + 0.3, 0, "sum", color=RED, weight="bold", va="center", fontsize=10)

    ax = figure.add_subplot(grid[:, 1])
    both, few = f"{config.stream_layers} layers", f"{config.stream_few_recalls:.0%} recalls"
    variants = (
        ("", f"{both}\n(all seeds)"),
        ("_few_recalls", f"{both},\n{few}"),
        ("_placeless", f"{both},\nno places"),
        ("_one_layer", "1 layer"),
        ("_one_placeless", "1 layer,\nno places"),
        ("_unshifted", f"{both},\nno token\nbefore"),
    )
    rules = ((-0.22, "delta", BLUE), (0.0, "softmax", BLACK), (0.22, "sum", RED))
    for y, (variant, _) in enumerate(variants):
        records = [large] if variant else runs
        counted = np.median([metrics[f"stream{variant}_counting_accuracy"] for metrics in records])
        ax.plot([counted, counted], [y - 0.38, y + 0.38], **PAPER)
        for lift, name, color in rules:
            seeds = np.array([metrics[f"stream{variant}_{name}_accuracy"] for metrics in records])
            ax.barh(y + lift, np.median(seeds), height=0.18, color=color, alpha=0.3)
            ax.plot(seeds, np.full(len(seeds), y + lift), "o", color=color, markersize=4)
            ax.text(
                1.03,
                y + lift,
                f"{name} {np.median(seeds):.3f}",
                color=color,
                va="center",
                weight="bold",
                fontsize=9.5,
            )
    ax.set_yticks(range(len(variants)), [label for _, label in variants], fontsize=10.5)
    ax.set(
        xlabel="right answers at recalls",
        xlim=(0, 1.34),
        xticks=np.arange(0, 1.01, 0.2),
        ylim=(len(variants) - 0.1, -0.55),
    )
    ax.text(
        0.02,
        len(variants) - 0.45,
        "dashed: what counting the values of a key can do",
        fontsize=9.5,
        va="center",
        color="#444444",
    )
    ax.set_title(
        f"stream of {config.stream_length} tokens: {config.stream_keys} keys, values that change",
        weight="normal",
        fontsize=12,
    )
    save(figure, "recall.png")


# ---- 6: cost -------------------------------------------------------------------------------------
def cost_picture(config, large):
    figure, axes = plt.subplots(1, 2, figsize=(12, 5))
    figure.suptitle(
        "Attention needs memory that grows with the square of the length; fast weights do not",
        x=0.01,
        ha="left",
        weight="bold",
        fontsize=15,
    )
    lengths = np.array(large["cost_lengths"])
    rows = (
        ("softmax", BLACK, "softmax", "o-", 1.35),
        ("masked", ORANGE, "masked matrix", "s--", 0.72),
        ("delta_recurrent", SKY, "delta, pair by pair", "o-", 1.35),
        ("recurrent", RED, "sum, pair by pair", "s--", 0.72),
        ("delta_chunked", BLUE, "delta, in chunks", "o-", 1.0),
        ("chunked", GREEN, "sum, in chunks", "s--", 1.0),
    )
    for ax, part, words in (
        (axes[0], "numbers", "numbers held at once, beside the inputs"),
        (axes[1], "seconds", "seconds, one core"),
    ):
        for name, color, label, style, lift in rows:
            y = large[f"cost_{name}_{part}"]
            ax.loglog(lengths, y, style, color=color, markersize=4)
            if part == "seconds":
                ax.annotate(
                    label,
                    (lengths[-1], lift * y[-1]),
                    xytext=(8, 0),
                    textcoords="offset points",
                    color=color,
                    weight="bold",
                    va="center",
                    fontsize=10,
                )
        ax.set(
            xlabel="pairs in the sequence",
            xlim=(0.8 * lengths[0], (9 if part == "seconds" else 1.3) * lengths[-1]),
        )
        ax.set_xticks(lengths[::2], [f"{length:,}" for length in lengths[::2]])
        ax.minorticks_off()
        ax.set_title(words, weight="normal", fontsize=12)
    axes[0].set_ylim(0.15 * min(large["cost_masked_numbers"]))
    slope = {name: large[f"cost_{name}_slope"] for name, *_ in rows}
    for x, y, names, words, color in (
        (0.03, 0.97, ("softmax", "masked"), "softmax, masked matrix", BLACK),
        (0.99, 0.03, ("delta_recurrent", "recurrent"), "pair by pair", RED),
        (0.99, 0.10, ("delta_chunked", "chunked"), "in chunks (delta, sum)", BLUE),
    ):
        axes[0].text(
            x,
            y,
            f"{words}: slope "
            + " and ".join(dict.fromkeys(f"{slope[name]:.2f}" for name in names)),
            transform=axes[0].transAxes,
            color=color,
            weight="bold",
            fontsize=10.5,
            ha="right" if x > 0.5 else "left",
            va="top" if y > 0.5 else "bottom",
        )
    save(figure, "cost.png")


config = Config(**(QUICK if flags.quick else {}))
runs = recorded(config, "results.json", run)
large = recorded(config, "study.json", study)[0]
memories = [
    train(config, flags.seed, 2, Method("dpfp1", rule), config.ablation_keys)
    for rule in ("sum", "delta")
]
capacity_picture(config, runs, large)
changing_picture(config, runs, memories)
identity_picture()
ablation_picture(config, runs)
recall_picture(config, runs, large)
cost_picture(config, large)
