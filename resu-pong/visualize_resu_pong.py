# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "ale-py==0.12.1"]
# ///
"""Static pictures of ReSU on Pong, into viz/: exact checks, filters, maps of one moment, and all
recorded encoders.

What the seeds have in common is read from results.json and study.json, if they are there; the rest
is computed here.

    python visualize_resu_pong.py            about half a minute
    python visualize_resu_pong.py --quick    the same code on a few frames of the mini-Pong
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import resu_pong as rp

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

VIZ, HERE = flags.out / "viz", Path(__file__).resolve().parent
VIZ.mkdir(exist_ok=True)
CONFIG = rp.Config(**(rp.QUICK if flags.quick else {}))
WORLD = "Pong" if CONFIG.emulated else "mini-Pong"


def save(figure, name):
    figure.savefig(VIZ / name, metadata={"Software": None})
    plt.close(figure)


def recorded(file):
    path = HERE / file
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def draw_exact():
    """Convergence in the window, convergence in the sample, and which filters a sample can tell."""
    figure, axes = plt.subplot_mosaic("abcc;abdd", figsize=(11, 4.2), width_ratios=(1, 1, 0.9, 0.9))
    windows, truth = (5, 10, 15, 20, 25, 30, 40, 50), rp.system_truth(**rp.SYSTEM)
    spectra = [
        rp.canonical(*rp.blocks(rp.system_covariance(**rp.SYSTEM, lags=2 * m), m, m))[0][:3]
        for m in windows
    ]
    errors = np.maximum(np.abs(np.array(spectra) - truth), 1e-17)
    for k, colour in enumerate((BLUE, ORANGE, GREEN)):
        axes["a"].semilogy(windows, errors[:, k], "o-", color=colour, markersize=4)
        axes["a"].text(
            28, 10.0 ** (-1 - 1.4 * k), f"$\\sigma_{k + 1}$ = {truth[k]:.4f}", color=colour
        )
    axes["a"].set(xlabel="window, samples", ylabel="error against Riccati", ylim=(1e-17, 1))
    axes["a"].set_title("Known covariances: exact", fontsize=10.5)

    m, lengths, rng = 25, (1000, 3000, 10_000, 30_000, 100_000), np.random.default_rng(flags.seed)
    pp, ff, fp = rp.blocks(rp.system_covariance(**rp.SYSTEM, lags=2 * m), m, m)
    exact, psi, _ = rp.canonical(pp, ff, fp)
    error = []
    for length in lengths[:3] if flags.quick else lengths:
        y = rp.system_sample(rng, **rp.SYSTEM, length=length, draws=1)[0]
        p, f = rp.window_pairs(y, m, m)
        found, drawn, _ = rp.canonical(p.T @ p / len(p), f.T @ f / len(p), f.T @ p / len(p))
        error.append(np.sqrt(np.mean((found - exact) ** 2)))
    n = np.array(lengths[: len(error)])
    axes["b"].loglog(n, error, "o", color=BLUE)
    axes["b"].loglog(n, np.exp(np.mean(np.log(error * n**0.5))) * n**-0.5, **PAPER)
    axes["b"].text(n[1] * 1.1, error[1] * 1.15, "slope $-1/2$")
    axes["b"].set(xlabel="samples", ylabel="error of all correlations, RMS")
    axes["b"].set_title("Samples: as they must", fontsize=10.5)

    cosine = np.einsum("kp,pq,kq->k", psi, pp, drawn) / np.sqrt(
        np.einsum("kp,pq,kq->k", drawn, pp, drawn)
    )
    for name, first in (("c", 0), ("d", 3)):
        ax = axes[name]
        if first:
            ax.set_facecolor("#EEEEEE")
        for k in range(first, first + 3):
            colour = (BLUE, ORANGE, GREEN)[k - first]
            ax.plot(
                drawn[k] * np.sign(cosine[k]) / np.abs(drawn[k]).max() - 2.6 * (k - first),
                color=colour,
            )
            if not first:
                ax.plot(psi[k] / np.abs(psi[k]).max() - 2.6 * (k - first), **PAPER)
            ax.text(
                25.2,
                -2.6 * (k - first),
                f"filter {k + 1}\ncosine {abs(cosine[k]):.3f}",
                color=colour,
                va="center",
                fontsize=9,
            )
        ax.set(yticks=[], ylim=(-6.5, 1.3), xlim=(-1, 33.5), xticks=[0, 5, 10, 15, 20, 24])
    axes["c"].set_title("Three states, three filters (dashed: exact)", fontsize=10.5)
    axes["d"].set_title(
        "not identifiable: noise that looks like a filter", fontsize=10.5, weight="normal", pad=4
    )
    axes["c"].tick_params(labelbottom=False)
    axes["d"].set(xlabel="samples back from the present")
    figure.suptitle(
        "Past-future CCA finds what Riccati equations demand, and a sample cannot tell "
        "more than it has",
        x=0.01,
        ha="left",
        weight="bold",
    )
    save(figure, "exact.png")


def draw_filters(sigma, psi, raw_sigma, raw_psi, null):
    """Dead leaves under noise; Pong centred and not; other games."""
    study = recorded("study.json")
    study = study and study["records"][0]["metrics"]
    figure = plt.figure(figsize=(11, 7.2))
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.15))
    axes = top.subplots(2, 4, sharex=True)
    scenes = rp.scene_filters(CONFIG, np.random.default_rng(flags.seed))
    for column, (noise, s, filters) in enumerate(scenes):
        for row, (ax, colour) in enumerate(zip(axes[:, column], (BLUE, ORANGE))):
            w = filters[row]
            ax.fill_between(
                np.arange(len(w)), 0, w / np.abs(w).max(), color=colour, alpha=0.3, linewidth=0
            )
            ax.plot(w / np.abs(w).max(), color=colour)
            ax.axhline(0, color=GREY, linewidth=0.6)
            ax.set(yticks=[], ylim=(-1.1, 1.15))
            ax.text(
                49,
                0.97,
                f"{rp.lobes(w)} lobe{'s' * (rp.lobes(w) > 1)}",
                ha="right",
                va="top",
                color=colour,
            )
        axes[0, column].set_title(
            f"noise {noise:g}, $\\sigma_1$ = {s[0]:.3f}", fontsize=10, weight="normal"
        )
        axes[1, column].set_xlabel("samples back")
    axes[0, 0].set_ylabel("filter 1 (L3)")
    axes[1, 0].set_ylabel("filter 2 (L1/L2)")
    top.suptitle(
        "Dead leaves gliding past: noise widens the filters and takes their lobes",
        x=0.01,
        ha="left",
        weight="bold",
    )
    axes = bottom.subplots(1, 4, width_ratios=(1, 1, 1.1, 1.5))
    taps = np.arange(psi.shape[1])
    for ax, filters, s, name in (
        (axes[0], psi, sigma, "centred"),
        (axes[1], raw_psi, raw_sigma, "not centred"),
    ):
        for k, colour in enumerate((BLUE, ORANGE)):
            ax.plot(taps, filters[k] / np.abs(filters[k]).max(), "o-", color=colour, markersize=3)
        ax.text(2.2, 0.62, f"filter 1, $\\sigma$ = {s[0]:.4f}", color=BLUE, fontsize=9)
        ax.text(2.2, 0.45, f"filter 2, $\\sigma$ = {s[1]:.3f}", color=ORANGE, fontsize=9)
        ax.axhline(0, color=GREY, linewidth=0.6)
        ax.set(xlabel="steps back", yticks=[], ylim=(-1.1, 1.1))
        ax.set_title(f"{WORLD}, {name}", fontsize=10, weight="normal")
    for s, colour, name, place in (
        (raw_sigma, GREY, "not centred", (1.15, 0.9)),
        (sigma, BLUE, "centred", (1.05, 0.1)),
    ):
        axes[2].semilogy(1 + np.arange(len(s)), s, "o-", color=colour, markersize=4)
        axes[2].text(*place, name, color=colour)
    axes[2].axhline(null, color=RED, linestyle=":")
    axes[2].text(4.1, null * 1.15, "chance", color=RED, ha="right", va="bottom")
    axes[2].set(xlabel="filter", ylabel="canonical correlation", xticks=[1, 2, 3, 4])
    axes[2].set_title("two filters stand out", fontsize=10, weight="normal")
    games = [g for g in rp.GAMES if study and f"{g}_filters" in study]
    for row, game in enumerate(games):
        w = np.array(study[f"{game}_filters"]).reshape(2, -1)
        for k, colour in enumerate((BLUE, ORANGE)):
            axes[3].plot(
                taps + 9 * k,
                w[k] / np.abs(w[k]).max() * 0.42 - row,
                "o-",
                color=colour,
                markersize=2.5,
            )
        axes[3].plot([0, 16], [-row, -row], color=GREY, linewidth=0.5, zorder=0)
        spectrum = ", ".join(f"{study[f'{game}_sigma_{k}']:.2f}" for k in (1, 2))
        axes[3].text(16.6, -row, f"{game.replace('_', ' ')}\n{spectrum}", fontsize=8.5, va="center")
    axes[3].set(
        yticks=[],
        xticks=[0, 7, 9, 16],
        xticklabels=[0, 7, 0, 7],
        xlabel="steps back (filter 1; filter 2)",
        xlim=(-0.5, 24),
    )
    axes[3].set_title(
        "random play of five games, centred" if games else "", fontsize=10, weight="normal"
    )
    bottom.suptitle(
        "Without centring, Pong's first filter is its constant background; "
        "with it, the present frame",
        x=0.01,
        ha="left",
        weight="bold",
    )
    save(figure, "filters.png")


def draw_maps(data, lesson, psi):
    """One moment, as frame, ON and OFF maps and two versions of a layer-2 unit."""
    state, train = data.state[-1], slice(CONFIG.train_runs)
    v = np.abs(np.diff(state[:, :2], axis=0, prepend=state[:1, :2]))
    good = (
        rp.visible(state) & np.roll(rp.visible(state), 8) & (state[:, 0] > 90) & (state[:, 0] < 170)
    )
    good &= (v < 30).all(1)
    good[:10] = False
    moment = (
        int(np.argmax(good * (v[:, 1] + np.minimum(v[:, 0], 12))))
        if good.any()
        else len(state) // 2
    )
    r = rp.respond(lesson.x[-1], data.fresh[-1], psi.astype(np.float32))
    image = data.frames[-1, moment].reshape(40, 40)
    panels = [
        ("frame, 40 x 40", image, "gray"),
        ("filter 2, ON", np.maximum(r[moment, 1], 0), "Oranges"),
        ("filter 2, OFF", np.maximum(-r[moment, 1], 0), "Blues"),
    ]
    for name, gap in (("layer 2, adjacent windows", 0), ("layer 2, gap of 7", CONFIG.gap)):
        sigma, unit = rp.fit_layer_2(
            CONFIG, np.random.default_rng(0), lesson.x[train], data.fresh[train], psi, gap
        )
        panels.append(
            (
                f"{name}\n$\\sigma_1$ = {sigma[0]:.4f}, $\\sigma_8$ = {sigma[7]:.3f}",
                rp.layer_2_maps(r[moment : moment + 1], unit)[0, 0],
                "RdBu_r",
            )
        )
    figure, axes = plt.subplots(1, 5, figsize=(12, 3.05))
    for ax, (name, values, colours) in zip(axes, panels):
        values = np.asarray(values, float).reshape(40, 40)
        low, high = (80, 165) if colours == "gray" else (0, np.quantile(values, 0.9985) + 1e-9)
        if colours == "RdBu_r":
            low, high = np.quantile(np.abs(values - np.median(values)), 0.9985) * np.array([-1, 1])
            values = values - np.median(values)
        ax.imshow(values, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
        ax.set(xticks=[], yticks=[])
        ax.set_title(name, fontsize=10, weight="normal", pad=5)
        for spine in ax.spines.values():
            spine.set(visible=True, color=GREY)
    figure.suptitle(
        f"{WORLD}: what is new lights up ON, what has gone lights up OFF, "
        "and so the maps show motion",
        x=0.01,
        ha="left",
        weight="bold",
    )
    save(figure, "maps.png")


NAMES = {
    "resu": "ReSU, 4 filters",
    "resu_first_two": "ReSU, first 2",
    "raw_window_on_off": "8 raw frames, ON/OFF",
    "raw_window": "8 raw frames",
    "difference": "frame and difference",
    "cnn": "CNN, end to end",
    "resu_unrectified": "ReSU, not rectified",
    "raw_pair": "2 raw frames",
    "pca": "PCA, 4 filters",
    "random_mean": "random filters",
    "raw_frame": "1 raw frame",
    "resu_linear_head": "ReSU, linear head",
}


def draw_bars():
    """Every encoder over all recorded seeds."""
    results = recorded("results.json")
    runs = [record["metrics"] for record in results["records"]] if results else []
    runs = runs or [rp.run(rp.Config(**rp.QUICK), flags.seed)]

    def all_of(key):
        return np.array([run[key] for run in runs], float)

    figure, axes = plt.subplots(1, 3, figsize=(12.5, 5), width_ratios=(1.25, 1, 1))
    ranked = sorted(NAMES, key=lambda name: all_of(f"accuracy_{name}").mean())

    def colour(name):
        return (
            BLUE
            if name.startswith("resu")
            else GREEN
            if name == "cnn"
            else ORANGE
            if "raw" in name
            else GREY
        )

    def dots(ax, row, values, shade):
        ax.plot(
            values,
            np.full(len(values), row) + np.linspace(-0.18, 0.18, len(values)),
            "o",
            color=shade,
            markersize=4,
            alpha=0.55,
        )
        ax.plot([values.mean()] * 2, [row - 0.33, row + 0.33], color=shade, linewidth=3)

    for row, name in enumerate(ranked):
        dots(axes[0], row, 100 * all_of(f"accuracy_{name}"), colour(name))
    majority = 100 * all_of("accuracy_majority").mean()
    axes[0].axvline(majority, **PAPER)
    axes[0].text(
        majority + 0.3, len(ranked) - 0.6, "always the same\naction", fontsize=8.5, va="top"
    )
    axes[0].set(
        yticks=range(len(ranked)),
        yticklabels=[NAMES[name] for name in ranked],
        xlabel="steps with the expert's action, %",
    )
    axes[0].set_title("cloning", fontsize=10.5)
    played = sorted((*rp.PLAYED, "cnn"), key=lambda name: all_of(f"score_{name}").mean())
    for row, name in enumerate(played):
        dots(axes[1], row, all_of(f"score_{name}"), colour(name))
    for name, words, side in (
        ("expert", "expert", "right"),
        ("random_play", "random\nplay", "left"),
    ):
        mean = all_of(f"score_{name}").mean()
        axes[1].axvline(mean, **PAPER)
        axes[1].text(
            mean + (-0.8 if side == "right" else 0.8),
            len(played) - 1.15 if side == "left" else -0.45,
            words,
            ha=side,
            fontsize=8.5,
            va="bottom",
        )
    names = NAMES | {"random_1": "random filters"}
    axes[1].set(
        yticks=range(len(played)),
        yticklabels=[names[name] for name in played],
        xlabel="points per 10,000 frames",
        ylim=(-0.6, len(played) - 0.4),
    )
    axes[1].set_title("play", fontsize=10.5)
    probed = (
        "raw_pair",
        "random_mean",
        "resu_first_two",
        "resu",
        "pca",
        "raw_window",
        "raw_window_on_off",
    )
    for row, name in enumerate(probed):
        for key, marker in (("vx", "o"), ("vy", "s")):
            values = all_of(f"r2_{name}_{key}")
            axes[2].plot(
                values,
                np.full(len(values), row),
                marker,
                color=colour(name),
                markersize=5,
                alpha=0.6,
                fillstyle="full" if key == "vx" else "none",
            )
    axes[2].text(all_of("r2_raw_pair_vx").mean(), 0.3, "across", ha="center", fontsize=9)
    axes[2].margins(x=0.12)
    axes[2].text(all_of("r2_raw_pair_vy").mean(), 0.3, "up and down", ha="center", fontsize=9)
    axes[2].set(
        yticks=range(len(probed)),
        yticklabels=[NAMES[name] for name in probed],
        xlabel="$R^2$ of the ball's velocity",
    )
    axes[2].set_title("probe", fontsize=10.5)
    figure.suptitle(
        "Spectral filters clone and play better than random or PCA filters, "
        "hardly better than the raw frames",
        x=0.01,
        ha="left",
        weight="bold",
    )
    save(figure, "bars.png")


draw_exact()
draw_bars()
rng = np.random.default_rng(
    np.random.SeedSequence(flags.seed).spawn(9)[2]
)  # not the run's own: pictures need no test
data, _ = rp.collect(CONFIG, rng)
lesson = rp.prepare(CONFIG, data)
x, fresh = lesson.x[: CONFIG.train_runs], data.fresh[: CONFIG.train_runs]
sigma, psi, pp, ff = rp.fit_layer_1(CONFIG, x, fresh)
raw_sigma, raw_psi, _ = rp.canonical(
    *rp.window_covariances(x + lesson.mean, fresh, CONFIG.taps, CONFIG.horizon), CONFIG.floor
)
draw_filters(sigma, psi, raw_sigma, raw_psi, rp.null_spectrum(CONFIG, rng, x, fresh, pp, ff))
draw_maps(data, lesson, psi)
print(*sorted(VIZ.glob("*.png")), sep="\n")
