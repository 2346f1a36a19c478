# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Static pictures of the racing world model, into viz/. One run is trained here by
world_models_carracing.train (some minutes); the means of all recorded seeds are read from
results.json, dreams and ring from study.json.

    python3 visualize_world_models_carracing.py            the pictures
    python3 visualize_world_models_carracing.py --quick    the same code on a run too short to learn
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import world_models_carracing as wm
from matplotlib.collections import LineCollection
from world_models_carracing import ARMS

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

VIZ = flags.out / "viz"
VIZ.mkdir(exist_ok=True)
NAMES = {"v": "V alone", "v_hidden": "V + hidden layer", "v_raw": "V + untrained M", "v_m": "V + M"}
COLOURS = {"v": ORANGE, "v_hidden": PINK, "v_raw": SKY, "v_m": BLUE}


def save(figure, name):
    figure.savefig(VIZ / name, metadata={"Software": None})
    plt.close(figure)


def grow(config, seed):
    """Train one run; with its curve: per generation the mean score of each arm and, now and then,
    where it searches."""
    curve = []

    def watch(generation, nets, searches, results):
        now = (generation + 1) % (2 if flags.quick else 10) == 0
        curve.append(
            (
                generation + 1,
                [result[0].mean() for result in results],
                {name: search.mean.copy() for name, search in searches.items()} if now else {},
            )
        )

    world, nets, searches, _ = wm.train(config, seed, ARMS, callback=watch)
    return world, nets, searches, curve


def drive_once(world, nets, arm, x, track):
    """One test drive with the weights of point x of a search: places (T, 2), speeds (T,), score,
    share of tiles."""
    places, speeds = [], []

    def watch(frame, ids, cars, view, z, h, action):
        places.append(cars["xy"][0].copy())
        speeds.append(cars["speed"][0])

    theta = wm.weights(arm, world.config, x)[None]
    (result,) = wm.drive(world, nets, [(arm, theta)], np.array([track]), np.array([0]), watch=watch)
    return np.array(places), np.array(speeds), result[0, 0, 0], result[1, 0, 0]


def draw_road(ax, world, track):
    line = np.concatenate([world.points[track], world.points[track, :1]])
    ax.plot(*line.T, color="#E6E6E6", linewidth=9, solid_capstyle="round", zorder=0)
    ax.set(aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def draw_scores(world, nets, searches):
    """How all test tracks went, arm by arm."""
    drives = wm.examine(world, nets, ARMS, searches)
    scores = {name: (NAMES[name], COLOURS[name], score) for name, (score, _, _) in drives.items()}
    scores["scripted"] = ("scripted,\nsees everything", GREY, wm.examine_scripted(world)[0])
    path = Path(wm.__file__).with_name("results.json")
    records = json.loads(path.read_text("utf-8"))["records"] if path.exists() else []
    figure, ax = plt.subplots(figsize=(9, 5))
    rng = np.random.default_rng(0)
    for k, (name, (_, colour, score)) in enumerate(scores.items()):
        body = ax.violinplot(score, [k], widths=0.8, showextrema=False)["bodies"][0]
        body.set(facecolor=colour, alpha=0.35, linewidth=0)
        ax.plot(k + rng.uniform(-0.12, 0.12, len(score)), score, ".", color=colour, markersize=3)
        ax.plot([k - 0.3, k + 0.3], [score.mean()] * 2, color=BLACK, linewidth=2)
        ax.text(
            k + 0.33, score.mean(), f"{score.mean():.0f}", va="center", fontsize=10, weight="bold"
        )
        means = [record["metrics"][f"{name}_score"] for record in records]
        ax.plot(
            [k - 0.38] * len(means), means, "D", color=BLACK, markersize=4, markerfacecolor="white"
        )
    ax.set(
        xticks=range(len(scores)),
        ylabel="score on an unseen track",
        ylim=(-200, 1330),
        yticks=range(0, 1001, 200),
    )
    ax.set_xticklabels([label for label, _, _ in scores.values()])
    ax.set_title("The same eyes with and without a memory: scores on 100 unseen tracks")
    ax.text(
        0.012,
        0.965,
        "dot: a track of this seed; bar: their mean\ndiamonds: the means of all recorded seeds",
        transform=ax.transAxes,
        fontsize=9,
        va="top",
        color="#555555",
    )
    inset = ax.inset_axes((0.55, 0.83, 0.36, 0.15))
    for k, (score, spread) in enumerate(((632, 251), (788, 141), (906, 21))):
        inset.errorbar(
            score, -k, xerr=spread, fmt="o", markersize=4, **(PAPER | {"linestyle": "none"})
        )
    inset.set(yticks=[0, -1, -2], ylim=(-2.6, 0.6), xlim=(300, 1000), xticks=[400, 600, 800, 1000])
    inset.set_yticklabels(["V alone", "hidden layer", "V + M"], fontsize=8)
    inset.tick_params(labelsize=8)
    inset.set_title("the paper, CarRacing-v0", fontsize=8.5, weight="normal", pad=3)
    save(figure, "scores.png")


def draw_lines(world, nets, searches):
    """The same unseen tracks, at the 10th, 25th and 50th percentile of V alone, with and without
    memory."""
    drives = wm.examine(world, nets, ARMS, searches)
    order = np.argsort(drives["v"][0], kind="stable")
    tracks = (
        world.config.train_tracks + order[(np.array([0.1, 0.25, 0.5]) * len(order)).astype(int)]
    )
    figure, axes = plt.subplots(2, 3, figsize=(9, 6.2))
    for row, name in zip(axes, ("v", "v_m")):
        for ax, track in zip(row, tracks):
            draw_road(ax, world, track)
            places, speeds, score, tiles = drive_once(
                world, nets, ARMS[name], searches[name].answer, track
            )
            pieces = LineCollection(
                np.stack([places[:-1], places[1:]], 1), cmap="plasma", linewidth=2
            )
            pieces.set(array=speeds[1:], clim=(0, 12))
            ax.add_collection(pieces)
            ax.plot(*places[0], "o", color=GREEN, markersize=6)
            ax.plot(
                *places[-1],
                "s" if tiles == 1 else "X",
                color=GREEN if tiles == 1 else RED,
                markersize=8,
            )
            ax.set_title(
                f"{NAMES[name]}: {score:.0f} in {len(places)} frames", fontsize=10, loc="center"
            )
    figure.suptitle(
        "Without memory a car that has stopped goes on braking; with M it drives on",
        weight="bold",
        fontsize=12,
        x=0.01,
        ha="left",
    )
    figure.colorbar(pieces, ax=axes, label="speed, m/s", shrink=0.6)
    save(figure, "lines.png")


def draw_dreams(world, nets, searches):
    """What is there, what V keeps of it, and what M dreams from the same moment on, five frames
    apart."""
    config, kept, track = world.config, [], world.config.train_tracks
    theta = wm.weights(ARMS["v_m"], config, searches["v_m"].answer)[None]

    def watch(frame, ids, cars, view, z, h, action):
        kept.append((view[0], z[0], action[0]))

    wm.drive(world, nets, [(ARMS["v_m"], theta)], np.array([track]), np.array([0]), watch=watch)
    warm, step, columns = (20, 3, 3) if flags.quick else (60, 5, 6)
    h = c = np.zeros((1, config.hidden_m), np.float32)
    for _, z, action in kept[:warm]:
        h, c, _ = wm.lstm(nets["m"], np.concatenate([z, action])[None], h, c)

    def picture(z):
        return wm.sigmoid(wm.decode(nets["v"], (z * nets["z_std"] + nets["z_mean"])[None])[0][0])

    rows = {
        "what is there": [view / 255 for view, _, _ in kept[warm:]],
        "what V keeps\n(16 numbers)": [picture(z) for _, z, _ in kept[warm:]],
    }
    for temperature in (0.5, 1.0, 1.5):
        rng, state, dreamt = np.random.default_rng(1), (h, c), []
        for t in range(warm, min(warm + step * columns, len(kept))):
            dice = rng.random(config.latent), rng.standard_normal(config.latent)
            parts = [part[0] for part in wm.mixture(nets["m"], state[0], config.latent)]
            z = wm.sample(parts, temperature, *dice).astype(np.float32)
            dreamt.append(picture(z))
            state = wm.lstm(nets["m"], np.concatenate([z, kept[t][2]])[None], *state)[:2]
        rows[f"what M dreams,\ntemperature {temperature}"] = dreamt
    figure, axes = plt.subplots(len(rows), columns, figsize=(8, 6.8))
    for line, ((label, pictures), row) in enumerate(zip(rows.items(), axes)):
        for k, ax in enumerate(row):
            ax.imshow(pictures[k * step].reshape(wm.SIDE, wm.SIDE), cmap="gray", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
            if line == 0:
                ax.set_title(
                    f"{(k * step + 1) / 10:.1f} s", fontsize=10, weight="normal", loc="center"
                )
        row[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=10)
    figure.suptitle(
        "Cut off from the camera, M dreams a road of its own from the actions alone",
        weight="bold",
        fontsize=12,
        x=0.01,
        ha="left",
    )
    save(figure, "dreams.png")


def draw_evolution(world, nets, curve):
    """The search, generation by generation."""
    config = world.config
    figure, ax = plt.subplots(figsize=(9, 4.8))
    ceiling = wm.examine_scripted(world)[0].mean()
    ax.plot([0, config.generations], [ceiling, ceiling], color=GREY, linestyle=":", linewidth=1.2)
    ax.text(1, ceiling + 12, "scripted driver", color="#666666", fontsize=9)
    track = config.train_tracks + np.arange(config.test_tracks)
    ends = {}
    for column, (name, arm) in enumerate(ARMS.items()):
        ax.plot(
            [g for g, _, _ in curve],
            [means[column] for _, means, _ in curve],
            color=COLOURS[name],
            alpha=0.3,
            linewidth=1,
        )
        points = [(g, x[name]) for g, _, x in curve if x]
        if points:
            theta = np.stack([wm.weights(arm, config, x) for _, x in points])
            score = wm.drive(world, nets, [(arm, theta)], track, 0 * track)[0][0].mean(1)
            ax.plot([g for g, _ in points], score, "o-", color=COLOURS[name], markersize=4)
            ends[name] = score[-1]
    height = np.inf
    for name in sorted(
        ends, key=ends.get, reverse=True
    ):  # from above, each label clear of the last
        height = min(ends[name], height - 52)
        ax.text(
            config.generations * 1.02,
            height,
            NAMES[name],
            color=COLOURS[name],
            va="center",
            weight="bold",
        )
    ax.set(
        xlabel="generation", ylabel="score", xlim=(0, config.generations * 1.25), ylim=(-100, 1000)
    )
    ax.set_title("With M's state the search gets there sooner, and further")
    ax.text(
        0.99,
        0.03,
        "thick: the mean of the search, on the 100 test tracks "
        "(for the eye, nothing is chosen by it)\n"
        "thin: mean score of the generation, on its training tracks",
        transform=ax.transAxes,
        ha="right",
        fontsize=8.5,
        color="#555555",
    )
    save(figure, "evolution.png")


def draw_school(found):
    """Drivers evolved in dreams: what they score on unseen tracks, round by round, and what the
    dream had promised."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.6), width_ratios=(1.35, 1))
    schools = [k for k in range(100) if f"school_{k}_score" in found]
    rounds = np.arange(1, len(found["school_0_score"]) + 1)
    for level, label in (
        (np.mean(found["school_0_scripted"]), "scripted driver"),
        (found["random_score"], "random"),
    ):
        left.axhline(level, color=GREY, linestyle=":", linewidth=1.2)
        left.text(0.75, level + 8, label, color="#666666", fontsize=9, va="bottom")
    for k, colour in zip(schools, (BLUE, GREEN, RED, PINK, SKY)):
        score, spread = (np.array(found[f"school_{k}_{name}"]) for name in ("score", "sd"))
        shift = 0.06 * (k - (len(schools) - 1) / 2)
        left.errorbar(
            rounds + shift, score, yerr=spread, fmt="o-", color=colour, markersize=5, elinewidth=1
        )
        promised, paid = (np.array(found[f"school_{k}_{name}"]) for name in ("promised", "paid"))
        right.plot(promised, paid, "-", color=colour, linewidth=1)
        for n, x, y in zip(rounds, promised, paid):
            right.text(
                x,
                y,
                n,
                color="white",
                fontsize=8,
                ha="center",
                va="center",
                weight="bold",
                bbox={"boxstyle": "circle,pad=0.15", "color": colour},
            )
    seen = np.mean([found[f"school_{k}_frames_seen"] for k in schools], 0)
    left.set(
        xticks=rounds,
        ylim=(-20, 1130),
        yticks=range(0, 1001, 200),
        xlim=(0.7, rounds[-1] + 0.3),
        ylabel="score on 100 unseen tracks, mean and spread",
    )
    left.set_xticklabels(
        [f"round {n}\n{frames / 1000:.0f} k frames" for n, frames in zip(rounds, seen)],
        fontsize=8.5,
    )
    left.text(
        0.02,
        0.97,
        f"{len(schools)} seeds. Below: real frames that M has seen.\n"
        f"V + M evolved on real tracks took {found['v_m_frames_driven'] / 1e6:.1f} million.",
        transform=left.transAxes,
        fontsize=9,
        va="top",
        color="#555555",
    )
    low, high = (
        min(right.get_xlim()[0], right.get_ylim()[0]),
        max(right.get_xlim()[1], right.get_ylim()[1]),
    )
    right.plot([low, high], [low, high], **(PAPER | {"color": GREY}))
    right.text(high, high, "kept ", color="#666666", fontsize=9, ha="right", va="top")
    right.set(
        xlabel="reward per frame that the dream promised",
        ylabel="reward per frame on unseen tracks",
    )
    right.set_title("Promises, by round", fontsize=10.5)
    figure.suptitle(
        "Evolved in M's dream alone, C drives real tracks, once M has seen its mistakes",
        weight="bold",
        fontsize=12,
        x=0.01,
        ha="left",
    )
    save(figure, "school.png")


def draw_ring(found):
    """The fixed ring: everything gets round it."""
    heart = f"60 numbers by heart,\nfound in {found['ring_by_heart_drives']:,} drives"
    rows = (
        ("best constant action", [found["ring_constant"]], GREY),
        (heart, [found["ring_by_heart"]], GREY),
        ("V + M", found["ring_v_m"], BLUE),
        ("the same actions,\neyes closed", found["ring_closed_eyes"], SKY),
        ("V alone", found["ring_v"], ORANGE),
        ("V and M untrained", found["ring_naive"], PINK),
        ("V + M, other starts", found["ring_v_m_elsewhere"], BLUE),
        ("the same actions,\nother starts", found["ring_closed_eyes_elsewhere"], SKY),
    )
    figure, ax = plt.subplots(figsize=(9, 4.8))
    for k, (_, scores, colour) in enumerate(rows):
        ax.plot(
            scores,
            [-k] * len(scores),
            "o",
            color=colour,
            markersize=7,
            alpha=0.6,
            markeredgewidth=0,
        )
        ax.plot([np.median(scores)] * 2, [-k - 0.3, -k + 0.3], color=BLACK, linewidth=2)
        ax.text(126, -k, f"{np.median(scores):.0f}", va="center", weight="bold")
    ax.axvline(100, color=GREY, linestyle=":", linewidth=1.2)
    ax.axhline(-5.5, color="#DDDDDD", linewidth=0.8)
    ax.set(
        yticks=[-k for k in range(len(rows))],
        xlim=(0, 132),
        ylim=(-len(rows) + 0.5, 0.6),
        xlabel=f"score in 120 frames on the ring; a dot per seed ({len(found['ring_v_m'])}), "
        "a bar at the median",
    )
    ax.set_yticklabels([label for label, *_ in rows])
    ax.set_title("One track, one start: untrained nets and closed eyes get round too")
    save(figure, "ring.png")


config = wm.Config(**wm.QUICK) if flags.quick else wm.Config()
recorded = Path(wm.__file__).with_name("study.json")
if recorded.exists() and not flags.quick:
    found = json.loads(recorded.read_text("utf-8"))["records"][0]["metrics"]
else:
    found = wm.study(config, flags.seed)
draw_school(found)
draw_ring(found)
world, nets, searches, curve = grow(config, flags.seed)
draw_scores(world, nets, searches)
draw_lines(world, nets, searches)
draw_dreams(world, nets, searches)
draw_evolution(world, nets, curve)
