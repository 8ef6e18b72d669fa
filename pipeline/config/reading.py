"""Reads the configuration of a run from a YAML file, and overrides single keys of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.config.encoder_size import with_encoder_size
from pipeline.config.errors import ConfigError, explain
from pipeline.config.paths import resolve, with_absolute_paths
from pipeline.config.run_config import RunConfig


def load(path: str | Path, overrides: Iterable[str] = ()) -> RunConfig:
    """Read a configuration file. Its paths are relative to its folder.

    Args:
        path: A YAML file.
        overrides: `section.key=value` each, where the value is YAML (`training.epochs=5`); paths
            are relative to the current folder.

    Returns:
        The configuration, complete with its defaults.

    Raises:
        ConfigError: The file cannot be read, a key is unknown, or a value is invalid.
    """
    return complete(read_yaml(path), overrides, Path(path).parent, str(path))


def complete(
    values: dict[str, Any], overrides: Iterable[str], folder: Path, source: str
) -> RunConfig:
    """Return a configuration with overridden keys, resolved paths and its defaults.

    Args:
        values: Keys and values, as a YAML file holds them, which are changed.
        overrides: See `load`.
        folder: Relative paths are relative to it.
        source: The values' name in error messages.

    Raises:
        ConfigError: A key is unknown, or a value is invalid.
    """
    typed = [_apply(override, values) for override in overrides]
    resolve(values, folder, source, typed)
    with_encoder_size(values)
    return parse(values, source)


def parse(values: Mapping[str, Any], source: str = "configuration") -> RunConfig:
    """Validate values and complete them with the defaults.

    Args:
        values: Keys and values, as a YAML file holds them.
        source: The values' name in error messages.

    Raises:
        ConfigError: A key is unknown or a value is invalid.
    """
    try:
        return RunConfig.model_validate(values)
    except ValidationError as e:
        lines = [explain(error, RunConfig) for error in e.errors()]
        raise ConfigError("\n".join(f"{source}: {line}" for line in lines)) from None


def dump(config: RunConfig) -> str:
    """Return a configuration as YAML, with all defaults and absolute paths."""
    values = with_absolute_paths(config.model_dump(mode="json"))
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Return the keys and values of a YAML file.

    Raises:
        ConfigError: The file cannot be read or is no YAML mapping.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read ({e.strerror}); give a YAML file") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"{path}: is not a UTF-8 text file; give a YAML file") from e
    try:
        values = _parse_yaml(text)
    except _DuplicateKey as e:
        raise ConfigError(f"{path}: {e}") from None
    except yaml.YAMLError as e:
        raise ConfigError(f"{path}: is not YAML: {' '.join(str(e).split())}") from e
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must hold keys and values, such as `data: {{root: FOLDER}}`")
    return values


def _apply(override: str, values: dict[str, Any]) -> str:
    """Set a key of `values`, and return the key."""
    key, equals, text = override.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_]+(\.[A-Za-z_]+)*", key):
        raise ConfigError(f"--set {override}: write it as section.key=value")
    try:
        value = _parse_yaml(text)
    except yaml.YAMLError as e:
        raise ConfigError(f"--set {override}: the value is not YAML") from e
    except _DuplicateKey as e:
        raise ConfigError(f"--set {override}: {e}") from None
    *sections, last = key.split(".")
    for section in sections:
        below = values.get(section)
        if below is None:
            below = values[section] = {}
        if not isinstance(below, dict):
            raise ConfigError(f"--set {override}: {section} has no keys below it")
        values = below
    values[last] = value
    return key


class _DuplicateKey(Exception):
    """A mapping holds a key twice."""


def _parse_yaml(text: str) -> Any:
    """Return what a YAML text holds.

    Raises:
        yaml.YAMLError: The text is not YAML.
        _DuplicateKey: YAML forbids duplicate keys; PyYAML would silently take the last.
    """
    if (root := yaml.compose(text, yaml.SafeLoader)) is not None:
        _refuse_duplicate_keys(root, set())
    return yaml.safe_load(text)


def _refuse_duplicate_keys(node: yaml.Node, visited: set[int]) -> None:
    if id(node) in visited:  # an alias
        return
    visited.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_duplicate_keys(value, visited)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if isinstance(key, yaml.ScalarNode):
            if key.value in lines:
                raise _DuplicateKey(
                    f"line {line}: duplicate key {key.value!r}, first given in line "
                    f"{lines[key.value]}; keep one of them"
                )
            lines[key.value] = line
        _refuse_duplicate_keys(value, visited)
