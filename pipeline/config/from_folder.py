"""Writes the configuration of a folder of images: what it decides, and why, as comments."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import yaml

from components.image_example_gen.sources import Source
from pipeline.config.errors import ConfigError
from storage.file_systems import is_remote

_MEASURED = 50
"""Files whose headers are read for the images' size."""

_LARGEST, _SMALLEST, _STEP = 224, 32, 32
"""Of image.size in pixels: backbones are pretrained at 224, and halve the sides five times."""


def pipeline_name(folder: Path) -> str:
    """Return a name for a folder's pipeline: its own in lower-case letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", folder.resolve().name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    return (words if words[:1].isalpha() else f"images-{words}".strip("-"))[:63].rstrip("-")


def write_config(folder: Path, file: Path, output: str, sources: Sequence[Source]) -> None:
    """Write the configuration of a folder of images.

    Args:
        folder: The data root.
        file: The YAML file, which must not exist.
        output: Folder of all pipelines, as a path from the current folder.
        sources: The folder's files.

    Raises:
        ConfigError: The file exists or cannot be written.
    """
    text = _text(folder, file.parent, output, sources)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as sink:
            sink.write(text)
    except FileExistsError as e:
        raise ConfigError(f"{file}: exists; remove it, or name another file with -o") from e
    except OSError as e:
        raise ConfigError(f"{file}: cannot be written ({e.strerror})") from e


def _text(folder: Path, place: Path, output: str, sources: Sequence[Source]) -> str:
    counts = Counter(source.label for source in sources)
    least, most = min(counts.values()), max(counts.values())
    each = f"{least}" if least == most else f"{least} to {most}"
    size, why = image_size(folder, sources)
    return "\n".join(
        [
            f"# {len(sources)} files of {len(counts)} classes, {each} per class.",
            "# Every other setting keeps its default; configs/production.yaml explains them.",
            f"name: {pipeline_name(folder)}",
            f"output: {_scalar(_from(output, place))}",
            f"data: {{root: {_scalar(_from(str(folder), place))}}}",
            f"# {why}",
            f"image: {{size: {size}}}",
            f"# {_weights()}",
            "model: {weights: imagenet}",
            "",
        ]
    )


def image_size(folder: Path, sources: Sequence[Source]) -> tuple[int, str]:
    """Return the `image.size` that suits a folder's files, and why."""
    from images.canonical import UnusableImage, open_header
    from images.reading import read_bytes

    sides = []
    for source in sources[:: max(1, len(sources) // _MEASURED)]:
        try:
            with open_header(read_bytes(str(folder / source.path))) as header:
                sides.append(max(header.size))
        except UnusableImage:  # the audit names it
            continue
    if not sides:
        return _LARGEST, "The images' size is unknown; this is the backbone's own."
    middle = sorted(sides)[len(sides) // 2]
    size = min(_LARGEST, max(_SMALLEST, -(-middle // _STEP) * _STEP))
    own = "the backbone's own" if size == _LARGEST else f"the next multiple of {_STEP}"
    return size, f"The median image's longer side is {middle} pixels; {size} is {own}."


def _weights() -> str:
    """Return why ImageNet's weights are chosen, and what to do without them."""
    cache = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    if any(cache.glob("resnet50_weights*notop*")):
        return "ImageNet's weights are in Keras' cache."
    return (
        "ImageNet's weights are downloaded once. Without network access, set backbone to a saved\n"
        "# encoder (.keras), or weights to a file or to none; from scratch, more images are needed."
    )


def _from(path: str, place: Path) -> str:
    """Return a path as the file in `place` names it."""
    if is_remote(path):
        return path
    whole = os.path.abspath(path)
    near = Path(whole).is_relative_to(Path.cwd()) and place.resolve().is_relative_to(Path.cwd())
    return os.path.relpath(whole, place.resolve()) if near else whole


def _scalar(text: str) -> str:
    """Return a text as YAML, in one line, quoted only where YAML needs it."""
    line = yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=10**6)
    return line.strip()[1:-1]
