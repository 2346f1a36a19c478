"""The films of the site: each animation as a small video with a poster, and the small pictures."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from PIL import Image, ImageOps

from tools import pages
from tools.schema import CatalogueError, shown

SLOWEST = 2  # hundredths of a second: what is shorter counts as a tenth of a second, as in browsers
# Times are those of the GIF, in hundredths. No frame refers to a later one, so the first is at 0.
# A key frame every ten keeps a jump to any frame short.
ENCODER = (
    "-an -fps_mode passthrough -enc_time_base 1:100 -video_track_timescale 100 "
    "-c:v libx264 -threads 1 -preset veryfast -crf 23 -g 10 -bf 0 -sc_threshold 0 "
    "-fflags +bitexact -flags:v +bitexact -map_metadata -1 -movflags +faststart"
).split()
FILTER = (
    "format=rgb24,pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white,"
    "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,"
    "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
)
DAMAGES = (OSError, ValueError, SyntaxError, EOFError)  # what Pillow says of damaged files
THUMB_WIDTH, THUMB_BYTES = 560, 10_000
SOCIAL = (1200, 630)
KEPT_DAYS = 60  # in the cache, after the last use


def films(pairs):
    """The films of many (animation, folder), in their order."""
    made = several(film, pairs)
    forget()
    return made


def several(function, rows):
    """function(*row) of each row, in their order, on all cores: film, thumb and social are slow."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda row: function(*row), rows))


def film(gif, folder):
    """Write the video and the poster of an animation to folder. None where there is none.

    The answer names both files and holds the size, the seconds, the frames, and the time of each
    frame in hundredths of a second.
    """
    gif, folder = Path(gif), Path(folder)
    if not gif.exists():
        return None
    entry = cached(key("film", *ENCODER, FILTER, encoder_version(), gif.read_bytes()), encode, gif)
    about = json.loads((entry / "about.json").read_text("utf-8"))
    names = {"video": f"{gif.stem}.mp4", "poster": f"{gif.stem}.webp"}
    folder.mkdir(parents=True, exist_ok=True)
    for kind, name in names.items():
        shutil.copyfile(entry / kind, folder / name)
    return about | names


def encode(gif, folder):
    """Write the files of a cache entry: the video, the poster and what is to be said of them."""
    with reading(gif) as image:
        starts, now = [], 0
        for frame in range(image.n_frames):
            image.seek(frame)
            hundredths = image.info.get("duration", 0) // 10
            starts.append(now)
            now += hundredths if hundredths >= SLOWEST else 10
        last = even(flat(image))
    (folder / "poster").write_bytes(webp(last))
    command = [ffmpeg(), "-v", "error", "-y", "-threads", "1", "-f", "gif", "-i", gif]
    command += ["-vf", FILTER, *ENCODER, "-f", "mp4", folder / "video"]
    done = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode or done.stdout.strip():
        raise damaged(gif)
    about = {
        "width": last.width,
        "height": last.height,
        "seconds": now / 100,
        "frames": len(starts),
        "frames_per_second": round(100 * len(starts) / now, 2),
        "times": starts,
    }
    (folder / "about.json").write_text(json.dumps(about), "utf-8")


def player(film, alt, caption="", at="", gif=None):
    """A film with its controls, as HTML without blank lines; at is the address of its folder."""
    template = pages.templates.get_template("site/film.html.j2")
    text = template.render(film=film, alt=alt, caption=caption, at=at, gif=gif)
    return "\n".join(line for line in text.splitlines() if line.strip())


def thumb(stub, path):
    """Write the crop that stands for a stub as a small WebP. Returns its size, None without one."""
    return written(stub, path, small)


def social(stub, path):
    """Write the picture that a shared link shows, a JPEG. Returns its size, None without one."""
    return written(stub, path, framed)


def written(stub, path, draw):
    """Write what draw makes of the crop of a stub, out of the cache where it is there."""
    source, path = stub.folder / stub.card.thumb.file, Path(path)
    if not source.exists():
        return None
    settings = (draw.__name__, str((THUMB_WIDTH, THUMB_BYTES, SOCIAL)), str(stub.card.thumb.box))

    def make(source, folder):
        with reading(source) as image:
            image.seek(getattr(image, "n_frames", 1) - 1)
            crop = flat(image).crop(stub.card.thumb.box)
        size, content = draw(crop)
        (folder / "picture").write_bytes(content)
        (folder / "about.json").write_text(json.dumps(size), "utf-8")

    entry = cached(key(*settings, source.read_bytes()), make, source)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(entry / "picture", path)
    return tuple(json.loads((entry / "about.json").read_text("utf-8")))


def small(crop):
    """(size, WebP) of a crop at most THUMB_WIDTH wide, as good as THUMB_BYTES allow."""
    for width, quality in ((1, 78), (1, 60), (1, 45), (0.75, 55), (0.75, 40)):
        content = saved(picture := narrowed(crop, width * THUMB_WIDTH), "webp", quality=quality)
        if len(content) <= THUMB_BYTES:
            break
    return picture.size, content


def narrowed(picture, width):
    """The picture at most that wide."""
    if picture.width <= width:
        return picture
    size = round(width), round(picture.height * width / picture.width)
    return picture.resize(size, Image.Resampling.LANCZOS)


def framed(crop):
    """(size, JPEG) of a crop on white, in the shape that previews of links have."""
    width, height = SOCIAL
    # a small crop is not blown up; half of the full size is what a large preview asks for
    scale = max(0.5, min(1, max(crop.width / width, crop.height / height)))
    size = round(width * scale), round(height * scale)
    picture = ImageOps.pad(crop, size, Image.Resampling.LANCZOS, color="white")
    return size, saved(picture, "jpeg", quality=75, subsampling=0, optimize=True)


# ---- pictures ----
@contextlib.contextmanager
def reading(path):
    """An open picture; whatever Pillow dislikes about it becomes one clear line."""
    try:
        with Image.open(path) as image:
            yield image
    except DAMAGES:
        raise damaged(path) from None


def damaged(path):
    folder = path.parent if path.parent.name != "viz" else path.parent.parent
    return CatalogueError(
        f"{shown(path)} is no picture; run: python3 -m tools figures {folder.name}"
    )


def flat(image):
    """The present frame in full colours on white."""
    clear = image.convert("RGBA")
    white = Image.new("RGBA", clear.size, "white")
    return Image.alpha_composite(white, clear).convert("RGB")


def even(picture):
    """The picture with a white pixel more where a side is odd, as the video has."""
    white = Image.new(
        "RGB", (picture.width + picture.width % 2, picture.height + picture.height % 2), "white"
    )
    white.paste(picture)
    return white


def webp(picture):
    """The picture as WebP without loss or nearly so, whichever is smaller."""
    exact = saved(picture, "webp", lossless=True, quality=60, method=4)
    lossy = saved(picture, "webp", quality=82, method=4)
    return min(exact, lossy, key=len)


def saved(picture, kind, **settings):
    memory = io.BytesIO()
    picture.save(memory, kind, **settings)
    return memory.getvalue()


def ffmpeg():
    """The encoder that imageio-ffmpeg carries, or the one of the system."""
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        raise CatalogueError(
            "there is no encoder for films; run: pip install imageio-ffmpeg"
        ) from None


def encoder_version():
    return f"{version('pillow')} {version('imageio-ffmpeg')} {Path(ffmpeg()).name}"


# ---- the cache ----
def cache():
    """The folder in which films stay between builds."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "learning-problems" / "films"


def key(*parts):
    """The name of a cache entry: a hash of all that it depends on."""
    parts = [part if isinstance(part, bytes) else part.encode() for part in parts]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def cached(name, make, source):
    """The folder of a cache entry, which make(source, folder) fills where it is not there yet."""
    entry = cache() / name
    if entry.is_dir():
        os.utime(entry)
        return entry
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix="part-", dir=entry.parent))
    except OSError as error:
        wrong = f"{entry.parent} cannot be written: {error.strerror}"
        raise CatalogueError(f"{wrong}; set XDG_CACHE_HOME to a folder that can") from None
    try:
        make(source, part)
        with contextlib.suppress(OSError):  # another build was faster, with the same bytes
            part.rename(entry)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return entry


def forget():
    """Remove what no build has used for long."""
    oldest = time.time() - KEPT_DAYS * 86_400
    for entry in cache().glob("*"):
        if entry.stat().st_mtime < oldest:
            shutil.rmtree(entry, ignore_errors=True)
