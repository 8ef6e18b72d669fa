"""The configuration that a command's argument names: a file, or a folder of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.config import from_folder, reading
from pipeline.config.errors import ConfigError
from pipeline.config.run_config import RunConfig
from pipeline.runs import preflight
from pipeline.terminal.console import note

_OUTPUT = Path("runs")


def load(place: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Return the configuration in a file, or that which `write` would write for a folder.

    Raises:
        ConfigError: The folder holds no images by class, or the file cannot be used.
    """
    if not place.is_dir():
        _refuse_address(place)
        return reading.load(place, overrides)
    sources = preflight.check_data(_complete(place, overrides))
    size, _ = from_folder.image_size(place, sources)
    return _complete(place, overrides, image={"size": size})


def config_file(place: Path) -> Path:
    """Return a configuration's file: for a folder that beside its runs, written if need be.

    Raises:
        ConfigError: The folder holds no images by class, or its file is of another folder.
    """
    if not place.is_dir():
        _refuse_address(place)
        return place
    file = _OUTPUT / f"{from_folder.pipeline_name(place)}.yaml"
    if not file.exists():
        return write(place, file)
    root = reading.load(file).data.root
    if Path(root).resolve() != place.resolve():
        raise ConfigError(
            f"{file}: is the configuration of {root}, not of {place}; write one with another name: "
            f"siamese init {place} -o FILE"
        )
    note(f"configuration: {file}")
    return file


def write(folder: Path, file: Path) -> Path:
    """Write the configuration of a folder of images, and return its file.

    Raises:
        ConfigError: The folder holds no images by class, or the file exists.
    """
    sources = preflight.check_data(_complete(folder))
    from_folder.write_config(folder, file, str(_OUTPUT), sources)
    note(f"wrote {file}; change it as you like, it will be used again")
    return file


def _complete(folder: Path, overrides: Sequence[str] = (), **sections: Any) -> RunConfig:
    values = {
        "name": from_folder.pipeline_name(folder),
        "data": {"root": str(folder)},
        **sections,
    }
    return reading.complete(values, overrides, Path(), str(folder))


def _refuse_address(place: Path) -> None:
    """Refuse the address of a bucket, of which the command line's `Path` keeps one slash."""
    scheme, slash, rest = str(place).partition(":/")
    if slash and scheme.isalnum() and not place.exists():
        raise ConfigError(
            f"{scheme}://{rest}: only local folders can be named here; write a configuration with "
            f"data.root: {scheme}://{rest}, and name its file"
        )
