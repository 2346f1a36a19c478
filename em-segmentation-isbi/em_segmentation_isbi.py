# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Does a net that sees a window find the membranes between neurons where darkness does not?

Paper: D. C. Ciresan, A. Giusti, L. M. Gambardella, J. Schmidhuber, "Deep neural networks segment
neuronal membranes in electron microscopy images", NIPS 25, 2012.
Task: is the centre pixel of a window membrane? Membranes part a slice of brain into neurons.
Claim: a max-pooling convolutional net won the ISBI 2012 challenge "by a large margin": 60
thousandths of the pixels wrong, where a threshold has 225 and a second human observer 67.
Baselines: darkness, local contrast, and the best linear filters of 5, 9 and 15 pixels.
The slices are generated, with faint membranes and with organelles as dark as they.

    python3 em_segmentation_isbi.py --seed 0             # one net on tissue of its own
    python3 em_segmentation_isbi.py --isbi FOLDER        # your copy of the challenge's stack
    python3 em_segmentation_isbi.py --help               # every setting

FOLDER holds train-volume.tif and train-labels.tif; or give a .npz file (see `real_stack`).
The letters of this file: n slices of H x W pixels; B windows, C channels; activations are
(H, C, W, B), which lets a kernel's rows overlap in memory (see `columns`).
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Annotated, NamedTuple
from zipfile import BadZipFile

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view

np.empty(31 * 2**20, np.uint8)  # glibc then keeps what is freed: arrays come from warm memory

KERNELS = {9: (4, 2), 17: (4, 4), 33: (4, 4, 3), 65: (4, 4, 3, 3)}  # sides, for each window


class Source(tuple):
    """The words that --isbi takes: the first of these, or a path that exists."""

    def __contains__(self, word):
        return word == self[0] or os.path.exists(word)


@dataclass(frozen=True)
class Config:
    isbi: Annotated[str, "the real stack", Source(("none", "FILE.npz", "FOLDER"))] = "none"
    size: Annotated[int, "side of a generated slice, pixels", (16, 2048)] = 128
    train_images: Annotated[int, "generated slices to train with", (1, 1000)] = 12
    cells: Annotated[int, "seeds of cells for 128 x 128 pixels", (4, 1000)] = 45
    noise: Annotated[float, "standard deviation of a pixel's noise, white is 1", (0.0, 1.0)] = 0.05
    window: Annotated[int, "side of a window, pixels: 9, 17, 33 or 65", (9, 65)] = 33
    filters: Annotated[tuple[int, ...], "maps of each convolution", (1, 512)] = (12, 16, 96)
    hidden_size: Annotated[int, "units of the hidden layer", (1, 4096)] = 64
    training_windows: Annotated[int, "windows to train with", (1, 10**8)] = 416_000
    batch_size: Annotated[int, "windows in a batch", (2, 4096)] = 32
    learning_rate: Annotated[float, "at the start; falls linearly to zero", (1e-6, 10.0)] = 0.03
    momentum: Annotated[float, "share of the last step in the next one", (0.0, 0.999)] = 0.9
    calibration: Annotated[bool, "correct the probabilities by a cubic"] = True
    median_radius: Annotated[int, "of the median filter, pixels", (0, 20)] = 2

    def __post_init__(self):
        if self.window not in KERNELS:
            raise ValueError(f"argument --window: must be one of {list(KERNELS)}")
        stages = len(KERNELS[self.window])
        if len(self.filters) != stages:
            raise ValueError(f"argument --filters: a window of {self.window} asks for {stages}")


QUICK = {"size": 48, "train_images": 2, "window": 17, "filters": (4, 6), "training_windows": 6400}


# ---- the task: slices of tissue ----
VALIDATION_IMAGES = 3
TEST_IMAGES = 6
REACH = 1.5  # pixels from the boundary of two cells to the end of their membrane
INK = 0.42  # how much darker than cytoplasm a membrane is
MITOCHONDRIA, VESICLES, DOTS = (14, 22), 60, 70  # for 128 x 128 pixels; mitochondria from, below
TRIES = 40  # places that are looked at for them: about half are refused


class Stack(NamedTuple):
    """Slices, and which of their pixels are membrane."""

    image: np.ndarray  # (n, H, W) mean 0, standard deviation 1
    membrane: np.ndarray  # (n, H, W) bool
    observer: np.ndarray | None  # (n, H, W) bool: the second observer's drawing


class Tissue(NamedTuple):
    """Three stacks of different slices."""

    train: Stack
    validation: Stack
    test: Stack


def blur(x, sigma):
    """Smooth x (..., H, W) with a Gaussian; what would lie outside is left out."""
    for axis in (-2, -1):
        place = np.arange(x.shape[axis])
        bell = np.exp(-0.5 * ((place[:, None] - place) / sigma) ** 2)
        bell = (bell / bell.sum(1, keepdims=True)).astype(x.dtype)
        x = bell @ x if axis == -2 else x @ bell.T
    return x


def field(rng, size, sigma):
    """Draw smoothed white noise (H, W) of mean 0 and standard deviation 1."""
    smooth = blur(rng.standard_normal((size, size)), sigma)
    return (smooth - smooth.mean()) / smooth.std()


def draw_cells(rng, size, count):
    """Part a slice into cells. Returns each pixel's distance to a boundary, and its cell."""
    warp = [3.5 * field(rng, size, 7), 3.5 * field(rng, size, 7)]
    place = (np.mgrid[:size, :size] + warp)[:, :, :, None]  # (2, H, W, 1)
    seeds = rng.uniform(-6, size + 6, (2, count))
    power = ((place - seeds[:, None, None]) ** 2).sum(0) - rng.uniform(-60, 60, count)
    nearest = np.argpartition(power, 1, -1)[:, :, :2]  # (H, W, 2)
    first, second = np.moveaxis(np.take_along_axis(power, nearest, -1), -1, 0)
    apart = np.linalg.norm(seeds[:, nearest[:, :, 0]] - seeds[:, nearest[:, :, 1]], axis=0)
    edge = (second - first) / (2 * apart)  # (H, W) distance before the warp
    slope = np.hypot(*np.gradient(blur(edge, 1)))
    return edge / np.clip(slope, 0.6, 1.6), nearest[:, :, 0]


def mitochondria(rng, edge, count):
    """Paint ellipses with a rim and with stripes inside, away from boundaries: ink (H, W)."""
    size = len(edge)
    rows, columns = np.mgrid[:size, :size]
    ink = np.zeros((size, size))
    for _ in range(TRIES):
        if count == 0:
            break
        row, column = rng.uniform(0, size, 2)
        along, across = rng.uniform((4.5, 3), (8.5, 4.8))
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        u = np.cos(angle) * (columns - column) + np.sin(angle) * (rows - row)
        v = np.cos(angle) * (rows - row) - np.sin(angle) * (columns - column)
        radius = np.hypot(u / along, v / across)
        inside = radius < 1
        if not inside.any() or (edge[inside] < 2).mean() > 0.08:
            continue
        distance = (radius - 1) * np.sqrt(along * across)
        rim = rng.uniform(0.6, 1) * np.exp(-(distance**2) / 2)
        stripes = inside * (0.25 + 0.25 * np.cos(2 * np.pi * u / 3 + phase))
        ink = np.maximum(ink, np.maximum(rim, stripes))
        count -= 1
    return ink


def rings(rng, edge, count, depth, radii, sigma):
    """Paint circles at random places, where these are deeper in a cell than `depth`: ink (H, W)."""
    ink = np.zeros_like(edge)
    rows, columns = np.indices(edge.shape)
    for row, column in rng.integers(len(edge), size=(count, 2)):
        near = slice(max(row - 7, 0), row + 8), slice(max(column - 7, 0), column + 8)
        distance = np.hypot(rows[near] - row, columns[near] - column) - rng.uniform(*radii)
        circle = rng.uniform(0.5, 1) * np.exp(-((distance / sigma) ** 2) / 2)
        if edge[row, column] > depth:
            ink[near] = np.maximum(ink[near], circle)
    return ink


def draw_slice(rng, config):
    """Draw a slice of tissue, its membranes, and what a second observer takes for them."""
    size = config.size
    share = (size / 128) ** 2
    edge, cell = draw_cells(rng, size, max(2, round(share * config.cells)))
    faint = np.clip(0.78 + 0.25 * field(rng, size, 6), 0.25, 1)  # where it is cut obliquely
    width = 1.1 + 0.5 * np.clip(field(rng, size, 8), 0, 2)
    ink = faint * np.exp(-(edge**2) / (2 * width**2))
    for clutter in (
        mitochondria(rng, edge, round(share * rng.integers(*MITOCHONDRIA))),
        rings(rng, edge, round(share * VESICLES), 4.5, (1.8, 3.2), 0.7),
        rings(rng, edge, round(share * DOTS), 3.0, (0, 0), 1.0),
    ):
        ink = np.maximum(ink, clutter)
    cytoplasm = rng.normal(0.66, 0.05, cell.max() + 1)[cell]
    cytoplasm += 0.045 * field(rng, size, 1.2) + 0.03 * field(rng, size, 3)
    image = blur(cytoplasm - INK * ink, 0.6) + 0.04 * field(rng, size, 30)
    image += rng.normal(0, config.noise, image.shape)
    return image, edge < REACH, edge + field(rng, size, 3) < REACH


def standardised(image):
    """Scale each slice (n, H, W) to mean 0 and standard deviation 1."""
    image = image - image.mean((1, 2), keepdims=True)
    return (image / image.std((1, 2), keepdims=True)).astype(np.float32)


def generated(streams, config):
    """Draw tissue with a random stream for each of the three stacks."""
    stacks = []
    counts = config.train_images, VALIDATION_IMAGES, TEST_IMAGES
    for stream, count in zip(streams, counts, strict=True):
        rng = np.random.default_rng(stream)
        image, membrane, observer = zip(*(draw_slice(rng, config) for _ in range(count)))
        stacks.append(Stack(standardised(np.array(image)), np.array(membrane), np.array(observer)))
    return Tissue(*stacks)


# ---- the task: the real stack ----
def tiff_pages(path):
    """Read an uncompressed 8-bit TIFF of many pages: (n, H, W) uint8."""
    raw = path.read_bytes()
    order = {b"II": "<", b"MM": ">"}.get(raw[:2])
    if order is None:
        raise OSError(f"{path} is not a TIFF")
    pages = []
    (place,) = struct.unpack_from(f"{order}I", raw, 4)
    while place:
        (count,) = struct.unpack_from(f"{order}H", raw, place)
        tags = {}
        for entry in range(place + 2, place + 2 + 12 * count, 12):
            tag, kind, many = struct.unpack_from(f"{order}HHI", raw, entry)
            form = f"{order}{many}{'H' if kind == 3 else 'I'}"
            if kind in (3, 4):  # of 16 or 32 bits; more than four bytes stand elsewhere
                there = entry + 8
                if struct.calcsize(form) > 4:
                    (there,) = struct.unpack_from(f"{order}I", raw, there)
                tags[tag] = struct.unpack_from(form, raw, there)
        if tags.get(258, (1,)) != (8,) or tags.get(259, (1,)) != (1,):
            raise OSError(f"{path} is not uncompressed with 8 bits a pixel")
        strips = zip(tags[273], tags[279], strict=True)  # where each starts, and its bytes
        page = b"".join(raw[start : start + length] for start, length in strips)
        pages.append(np.frombuffer(page, np.uint8).reshape(tags[257][0], tags[256][0]))
        (place,) = struct.unpack_from(f"{order}I", raw, place + 2 + 12 * count)
    return np.array(pages)


def labelled_slices(source):
    """Read images (n, H, W) and which of their pixels are membrane.

    A .npz file holds `image` uint8 (n, H, W) and `membrane`, np.packbits of a bool (n, H, W).
    """
    if source.is_dir():
        image = tiff_pages(source / "train-volume.tif")
        return image, tiff_pages(source / "train-labels.tif") == 0
    with np.load(source) as held:
        image = held["image"]
        return image, np.unpackbits(held["membrane"], count=image.size).astype(bool)


def real_stack(source):
    """Read the user's copy: two thirds of it train and validate, the rest tests."""
    try:
        image, membrane = labelled_slices(source)
    except (BadZipFile, EOFError, LookupError, TypeError, ValueError, struct.error) as error:
        raise OSError(f"{source} cannot be read: {error}") from error
    if image.ndim != 3 or len(image) < 6 or membrane.size != image.size:
        raise OSError(f"{source} holds no six slices with a label for each pixel")
    image = standardised(image.astype(float))
    membrane = membrane.reshape(image.shape)
    ends = len(image) * 8 // 15, len(image) * 2 // 3  # of training and of validation
    slices = zip(np.split(image, ends), np.split(membrane, ends), strict=True)
    return Tissue(*(Stack(*pair, None) for pair in slices))


# ---- the net ----
def columns(x, kernel):
    """Return what each place of a square kernel sees in x (H, C, W, B), row by row.

    The result (H - k + 1, k k C, (W - k + 1) B) is a view: its rows share the rows of x.
    """
    height, channels, width, batch = x.shape
    across = width - kernel + 1
    wide = np.empty((height, kernel, channels, across, batch), x.dtype)
    for shift in range(kernel):
        wide[:, shift] = x[:, :, shift : shift + across]
    rows = wide.reshape(height, kernel * channels, -1)
    shape = height - kernel + 1, kernel * rows.shape[1], rows.shape[2]
    return as_strided(rows, shape, rows.strides, writeable=False)


def convolve(x, W, kernel):
    """Return W (D, k k C) applied everywhere, z (H - k + 1, D, W - k + 1, B), and what it saw."""
    seen = columns(x, kernel)
    z = W @ seen
    return z.reshape(len(z), len(W), -1, x.shape[3]), seen


def weight_gradient(dz, seen):
    """Return the gradient by W."""
    flat = dz.reshape(seen.shape[0], -1, seen.shape[2])  # (height, D, width B)
    return (seen @ flat.transpose(0, 2, 1)).sum(0).T  # this way round BLAS is twice as fast


def input_gradient(dz, W, kernel):
    """Return the gradient by the input x: each tap of the kernel gives to where it looked."""
    height, units, width, batch = dz.shape
    flat = dz.reshape(height, units, -1)
    taps = W.reshape(units, kernel, kernel, -1).transpose(1, 2, 3, 0)  # (k, k, C, D)
    shape = height + kernel - 1, taps.shape[2], width + kernel - 1, batch
    dx = np.zeros(shape, dz.dtype)
    for i in range(kernel):
        for j in range(kernel):
            given = np.ascontiguousarray(taps[i, j]) @ flat  # (height, C, width B)
            dx[i : i + height, :, j : j + width] += given.reshape(height, -1, width, batch)
    return dx


def pool(z):
    """Take the larger of two rows, then of two columns: (H, C, W, B) to (H / 2, C, W / 2, B).

    Also says which row, and then which column, has won.
    """
    upper = z[0::2] >= z[1::2]  # a tie goes to the first
    rows = np.maximum(z[0::2], z[1::2])
    left = rows[:, :, 0::2] >= rows[:, :, 1::2]
    return np.maximum(rows[:, :, 0::2], rows[:, :, 1::2]), (upper, left)


def back_pool(dy, winners):
    """Give the gradient to the winners alone."""
    upper, left = winners
    rows = np.empty(upper.shape, dy.dtype)
    np.multiply(dy, left, out=rows[:, :, 0::2])
    np.subtract(dy, rows[:, :, 0::2], out=rows[:, :, 1::2])
    dz = np.empty((2 * len(rows), *rows.shape[1:]), dy.dtype)
    np.multiply(rows, upper, out=dz[0::2])
    np.subtract(rows, dz[0::2], out=dz[1::2])
    return dz


def fragments(z):
    """Pool from each of four starts, so that no place is lost: (H // 2, C, W // 2, 4 B)."""
    height, width = len(z) // 2 * 2, z.shape[2] // 2 * 2
    starts = [(i, j) for i in (0, 1) for j in (0, 1)]
    parts = [pool(z[i : i + height, :, j : j + width])[0] for i, j in starts]
    return np.concatenate(parts, 3), None


class WindowNet:
    """Says of windows whether their centres are membrane.

    x -> [convolution, 2 x 2 max-pooling, max(0, .)] for each kernel -> hidden units -> 2 units
    The hidden layer is a convolution too, whose kernel covers all that is left of the window.
    """

    def __init__(self, rng, window, filters, hidden_size):
        self.window = window
        self.stages = len(filters)
        kernels = KERNELS[window][: self.stages]
        left = window
        for kernel in kernels:
            left = (left - kernel + 1) // 2
        self.kernels = *kernels, left, 1
        self.layers = []  # of W (D, k k C) and b (D,)
        channels = 1
        for kernel, units in zip(self.kernels, (*filters, hidden_size, 2), strict=True):
            inputs = kernel**2 * channels
            W = rng.standard_normal((units, inputs)) * (1 / inputs) ** 0.5
            self.layers.append([W.astype(np.float32), np.zeros(units, np.float32)])
            channels = units

    def forward(self, x, pooled=pool):
        """Return log p (2, ...) of x (H, 1, W, B), and what `backward` needs of each layer."""
        tape = []
        for n, ((W, b), kernel) in enumerate(zip(self.layers, self.kernels, strict=True)):
            z, seen = convolve(x, W, kernel)
            z, winners = pooled(z) if n < self.stages else (z, None)
            z += b[:, None, None]  # a constant does not change who wins
            x = np.maximum(z, 0)
            tape.append((seen, winners, x > 0))
        z = z.transpose(1, 0, 2, 3)  # (2, H, W, B)
        z = z - z.max(0)
        return z - np.log(np.exp(z).sum(0)), tape

    def backward(self, log_p, label, tape):
        """Return the gradient (dW, db) of the mean of -log p(label), layer by layer."""
        dz = np.exp(log_p)  # (2, 1, 1, B)
        dz[label, 0, 0, np.arange(len(label))] -= 1
        dz = dz.transpose(1, 0, 2, 3) / len(label)  # (1, 2, 1, B)
        gradient = []
        for n in reversed(range(len(self.layers))):
            seen, winners, on = tape[n]
            if n < len(self.layers) - 1:
                dz = dz * on
            db = dz.sum((0, 2, 3))
            if winners is not None:
                dz = back_pool(dz, winners)
            gradient.append((weight_gradient(dz, seen), db))
            if n > 0:
                dz = input_gradient(dz, self.layers[n][0], self.kernels[n])
        return gradient[::-1]

    def scan(self, image):
        """Return p(membrane) of every pixel of slices (n, H, W), as window by window.

        Max-pooling fragments (Giusti et al., 2013): all windows share their convolutions, and
        each pooling parts the picture into four, which are woven together again at the end.
        """
        return np.array([self.scan_slice(one) for one in image])

    def scan_slice(self, image):
        """Return p(membrane) of a slice (H, W)."""
        step = 2**self.stages
        half = self.window // 2
        beyond = [(half, half + -side % step) for side in image.shape]
        x = np.pad(image, beyond, "reflect")[:, None, :, None]  # (H', 1, W', 1)
        log_p, _ = self.forward(x, fragments)
        p = np.exp(log_p[1])  # (H / step, W / step, 4 ** stages), the last stage's start first
        rows, places, _ = p.shape
        p = p.reshape(rows, places, *(2, 2) * self.stages)  # the starts (i, j) of each stage
        axes = range(2 * self.stages + 2)
        p = p.transpose(*axes[0::2], *axes[1::2]).reshape(rows * step, places * step)
        return p[: image.shape[0], : image.shape[1]]


# ---- training ----
class Windows:
    """Windows of training slices: as many on membrane as not, each turned or mirrored at random."""

    def __init__(self, stack, side):
        half = side // 2
        padded = np.pad(stack.image, ((0, 0), (half, half), (half, half)), "reflect")
        self.pixels = padded.ravel()
        _, height, width = padded.shape
        grid = np.arange(side)[:, None] * width + np.arange(side)  # (side, side)
        turned = [np.rot90(g, turns) for g in (grid, grid.T) for turns in range(4)]
        self.turned = np.stack(turned, -1).astype(np.intp)  # (side, side, 8)
        self.corners = []
        for kind in (~stack.membrane, stack.membrane):
            image, row, column = np.nonzero(kind)
            self.corners.append((image * height + row) * width + column)

    def look(self, rng, count):
        """Return windows (side, 1, side, count) and their labels (count,)."""
        halves = [corners[rng.integers(len(corners), size=count)] for corners in self.corners]
        label = np.arange(count) % 2
        corner = np.where(label, halves[1], halves[0])
        turned = self.turned[:, :, rng.integers(8, size=count)]
        return self.pixels[turned + corner][:, None], label


def train(net, windows, rng, config, progress):
    """Descend on -log p(label) with momentum. Returns the learning curve: windows, mean loss."""
    velocity = [[np.zeros_like(part) for part in layer] for layer in net.layers]
    steps = max(1, config.training_windows // config.batch_size)
    blocks = np.array_split(np.arange(steps), min(steps, 50))
    curve = {"x": [], "y": []}
    for block in blocks:
        losses = []
        for step in block:
            rate = config.learning_rate * (1 - step / steps)
            with np.errstate(over="ignore", invalid="ignore"):  # a net that diverges is stopped
                x, label = windows.look(rng, config.batch_size)
                log_p, tape = net.forward(x)
                losses.append(-float(log_p[label, 0, 0, np.arange(len(label))].mean()))
                gradient = net.backward(log_p, label, tape)
                descend(net.layers, velocity, gradient, rate, config.momentum)
        curve["x"].append(int(block[-1] + 1) * config.batch_size)
        curve["y"].append(sum(losses) / len(losses))
        if not np.isfinite(curve["y"][-1]):
            raise FloatingPointError(f"the loss of windows up to {curve['x'][-1]} is not a number")
        progress((block[-1] + 1) / steps, f"training loss {curve['y'][-1]:.3f} nats")
    return curve


def descend(layers, velocity, gradient, rate, momentum):
    """Make one step of gradient descent with momentum, in place."""
    for layer, speeds, slopes in zip(layers, velocity, gradient, strict=True):
        for parameter, speed, slope in zip(layer, speeds, slopes, strict=True):
            speed *= momentum
            speed -= rate * slope
            parameter += speed


# ---- after the net ----
CURVE = np.linspace(0, 1, 1001)


def calibrated(p, fitted, membrane):
    """Map p to the frequency of membrane, by a cubic fitted on other slices and kept rising."""
    powers = np.arange(4)
    cubic = fitted.ravel().astype(float)[:, None] ** powers  # (pixels, 4)
    w = np.linalg.lstsq(cubic, membrane.ravel().astype(float), rcond=None)[0]
    rising = np.maximum.accumulate(CURVE[:, None] ** powers @ w)
    return np.interp(p, CURVE, rising)


def median(score, radius):
    """Take the median of the disk around each pixel of (n, H, W)."""
    padded = np.pad(score, ((0, 0), (radius, radius), (radius, radius)), "reflect")
    near = np.arange(-radius, radius + 1)
    disk = np.argwhere(near[:, None] ** 2 + near**2 <= radius**2)
    _, height, width = score.shape
    return np.median([padded[:, i : i + height, j : j + width] for i, j in disk], axis=0)


# ---- the simple methods: each learns from a training stack and returns a score of membrane ----
def darkness(stack):
    """Return the score that reads one pixel."""
    return lambda image: -image


def contrast(stack):
    """Return the score that compares a pixel with its surroundings."""
    return lambda image: blur(image, 5) - blur(image, 1)


def patches(image, side):
    """Return the neighbourhood of each pixel of a slice and a 1, (H W, side side + 1)."""
    around = sliding_window_view(np.pad(image, side // 2, "reflect"), (side, side))
    ones = np.ones((image.size, 1), image.dtype)
    return np.concatenate([around.reshape(image.size, -1), ones], 1)


def linear_filter(side):
    """Return the method that fits a filter to the labels of all training pixels."""

    def method(stack):
        gram = 0.0
        wanted = 0.0
        for image, membrane in zip(stack.image, stack.membrane, strict=True):
            x = patches(image, side)
            gram = gram + (x.T @ x).astype(float)
            wanted = wanted + (x.T @ membrane.ravel().astype(x.dtype)).astype(float)
        w = np.linalg.lstsq(gram, wanted, rcond=None)[0].astype(np.float32)
        return lambda image: np.array([patches(one, side) @ w for one in image]).reshape(
            image.shape
        )

    return method


SIMPLE = {
    "darkness": darkness,
    "contrast": contrast,
    "linear_5": linear_filter(5),
    "linear_9": linear_filter(9),
    "linear_15": linear_filter(15),
}


# ---- evaluation ----
QUANTILES = np.linspace(0.4, 0.98, 30)  # of the validation score: thresholds that are tried


def pixel_error(predicted, membrane):
    """Return the share of wrong pixels, in per cent."""
    return 100 * float((predicted != membrane).mean())


def components(inside):
    """Number the parts of (n, H, W) bool that hang together by their sides; 0 is outside."""
    begins = inside.copy()
    begins[:, :, 1:] &= ~inside[:, :, :-1]
    run = np.cumsum(begins).reshape(inside.shape)  # each run of pixels in a row has a number
    touch = inside[:, 1:] & inside[:, :-1]  # (n, H - 1, W)
    touch[:, :, 1:] &= begins[:, 1:, 1:] | begins[:, :-1, 1:]  # once for two runs is enough
    above, below = run[:, :-1][touch], run[:, 1:][touch]
    root = np.arange(run.max(initial=0) + 1)
    while len(above):
        low = np.minimum(root[above], root[below])
        np.minimum.at(root, root[above], low)
        np.minimum.at(root, root[below], low)
        while (root[root] != root).any():
            root = root[root]
        apart = root[above] != root[below]
        above, below = above[apart], below[apart]
    return np.where(inside, root[run], 0)


def rand_error(predicted, membrane):
    """Return 1 - F of the Rand index on the true cells, in per cent.

    F = 2 sum p^2 / (sum s^2 + sum t^2) with p, s and t the sizes of overlaps, of predicted and
    of true segments; a cell's pixel that is predicted membrane is a segment of its own.
    """
    true = components(~membrane)
    segment = components(~predicted)[true > 0].astype(np.int64)
    true = true[true > 0].astype(np.int64)
    lone = int((segment == 0).sum())
    joint = (segment * (true.max(initial=0) + 1) + true)[segment > 0]

    def squares(labels):
        return float((np.unique(labels, return_counts=True)[1].astype(float) ** 2).sum())

    sizes = squares(segment[segment > 0]) + lone + squares(true)
    return 100 * (1 - 2 * (squares(joint) + lone) / max(sizes, 1.0))


def auc(score, membrane):
    """Return the area under the ROC curve; ties count half."""
    no = np.sort(score[~membrane])
    yes = score[membrane]
    below = np.searchsorted(no, yes, "left") + np.searchsorted(no, yes, "right")
    return float(below.mean() / 2 / len(no))


ERRORS = {"pixel_error": pixel_error, "rand_error": rand_error}


def versions(score, radius):
    """Return scores as they are and, unless the radius is 0, under the median filter."""
    return [score, median(score, radius)] if radius > 0 else [score]


def choose(error, held, membrane):
    """Return which version of validation scores has the least error, and at which threshold."""
    choices = []
    for version, score in enumerate(held):
        for cut in np.quantile(score, QUANTILES):
            choices.append((error(score > cut, membrane), version, cut))
    return min(choices)[1:]


def judge(held, unseen, tissue, radius):
    """Return AUC and errors of scores on the test slices; the validation slices choose how."""
    row = {"auc": auc(unseen, tissue.test.membrane)}
    held, unseen = versions(held, radius), versions(unseen, radius)
    for name, error in ERRORS.items():
        version, cut = choose(error, held, tissue.validation.membrane)
        row[name] = error(unseen[version] > cut, tissue.test.membrane)
    return row


# ---- the experiment ----
def prepare(config, seed):
    """Return tissue, a net before training, its windows, and the stream that picks them."""
    *tissues, weights, picks = np.random.SeedSequence(seed).spawn(5)
    real = config.isbi != "none"
    tissue = real_stack(Path(config.isbi)) if real else generated(tissues, config)
    shape = config.window, config.filters, config.hidden_size
    net = WindowNet(np.random.default_rng(weights), *shape)
    return tissue, net, Windows(tissue.train, config.window), np.random.default_rng(picks)


def scores(net, tissue, config):
    """Return the net's scores of the validation and of the test slices."""
    held, unseen = (net.scan(stack.image) for stack in tissue[1:])
    if not config.calibration:
        return held, unseen
    return [calibrated(p, held, tissue.validation.membrane) for p in (held, unseen)]


def second_observer(stack):
    """Return the errors of the second observer, None where there is none."""
    if stack.observer is None:
        return dict.fromkeys(ERRORS)
    return {name: error(stack.observer, stack.membrane) for name, error in ERRORS.items()}


def run(config, seed, progress):
    """Train a net on one stack, tune on another, and compare it with simple methods on a third."""
    tissue, net, windows, picks = prepare(config, seed)
    began = process_time()
    curve = train(net, windows, picks, config, progress)
    seconds = max(process_time() - began, 1e-9)
    cnn = judge(*scores(net, tissue, config), tissue, config.median_radius)
    simple = {}
    for name, method in SIMPLE.items():
        score = method(tissue.train)
        pair = [score(stack.image) for stack in tissue[1:]]
        simple[name] = judge(*pair, tissue, config.median_radius)
    best = {name: min(row[name] for row in simple.values()) for name in ERRORS}
    observer = second_observer(tissue.test)
    drawn = observer["pixel_error"]
    less = None if drawn is None else cnn["pixel_error"] - drawn
    return {
        "cnn_over_best_simple": {name: cnn[name] / max(best[name], 1e-9) for name in ERRORS},
        "cnn_minus_observer": {"pixel_error": less},
        "cnn": cnn,
        **simple,
        "observer": observer,
        "training": {"patterns_per_second": curve["x"][-1] / seconds},
        "curve": curve,
    }


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
