"""The configuration of a run: one YAML file, read into frozen models.

`load` reads a file and applies overrides (`training.epochs=5`). Each model's fields carry
their description; unknown keys and impossible values raise `ConfigError`, which names the key,
the value, and what is possible.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import Field, ValidationError, model_validator

from base.settings import Section
from judging.settings import JudgeSettings, Thresholds
from pipeline.cluster.settings import Kubeflow
from pipeline.config.sections import Beam, Data, Image, Pairs, Push, Splits, Tuner
from storage.file_systems import is_remote
from trainer.settings import Model, Training

_PATTERN = re.compile(r"[*?\[\]]")


class ConfigError(ValueError):
    """A configuration that cannot be run; the message says which key and how to mend it."""


class RunConfig(Section):
    """Everything that describes a run."""

    name: str = Field(
        "siamese",
        pattern=r"^[a-z][a-z0-9-]{0,62}$",
        description="Of the pipeline: lower-case letters, digits and hyphens (Kubeflow's rule).",
    )
    output: str = Field(
        "runs",
        description="Folder for the pipelines' files; each gets one by its name. It is local: "
        "`artifacts` says where what the components make goes, if elsewhere.",
    )
    artifacts: str | None = Field(
        None,
        description="Folder for what the components make, such as gs://bucket/folder or "
        "s3://bucket/folder; each pipeline gets one by its name. Left out: `pipeline` in the "
        "pipeline's own folder. See docs/storage.md.",
    )
    data: Data
    splits: Splits = Splits()
    image: Image = Image()
    pairs: Pairs = Pairs()
    model: Model = Model()
    training: Training = Training()
    tuner: Tuner = Tuner()
    thresholds: Thresholds | None = Field(
        Thresholds(), description="null: the model is measured, and never blessed."
    )
    judge: JudgeSettings = JudgeSettings()
    push: Push = Push()
    runner: Literal["beam", "local"] = "beam"
    beam: Beam = Beam()
    kubeflow: Kubeflow = Kubeflow()
    cache: bool = Field(True, description="Reuse the outputs of unchanged steps.")
    seed: int = Field(0, ge=0, description="Of the splits and the pairs.")

    @model_validator(mode="after")
    def _judges_what_it_asks_for(self) -> RunConfig:
        asked = self.thresholds
        if asked and asked.beats_pretrained_encoder and not self.judge.reference_methods:
            raise ValueError(
                "thresholds.beats_pretrained_encoder needs judge.reference_methods; set that to "
                "true, or leave the threshold out"
            )
        return self

    @model_validator(mode="after")
    def _unknown_is_no_class(self) -> RunConfig:
        unknown, listed = self.judge.unknown, self.data.manifest
        if not unknown or listed:
            return self
        root, folder = (os.path.abspath(path) for path in (self.data.root, unknown))
        if os.path.commonpath([root, folder]) == root:
            raise ValueError(
                f"judge.unknown {unknown!r} is in data.root, whose folders are classes; move it "
                "beside that"
            )
        return self

    @model_validator(mode="after")
    def _keeps_its_own_files_here(self) -> RunConfig:
        if is_remote(self.output):
            raise ValueError(
                f"output: {self.output} is no local folder, which the metadata database and the "
                "logs need; say `artifacts` for what the components make"
            )
        return self

    @model_validator(mode="after")
    def _names_no_pattern(self) -> RunConfig:
        spans = self.data.root if "{SPAN}" in self.data.root else ""
        key = "artifacts" if self.artifacts else "output"
        for name, path in ((key, self.pipeline_root), ("data.root", absolute(spans))):
            if found := _PATTERN.search(path):
                raise ValueError(
                    f"{name}: {found[0]!r} in {path} would be read as part of a pattern of file "
                    "names; rename the folder, or choose another one"
                )
        return self

    @property
    def root(self) -> Path:
        """The pipeline's own folder."""
        return Path(self.output) / self.name

    @property
    def metadata(self) -> Path:
        """The ML Metadata database."""
        return self.root / "metadata.sqlite"

    @property
    def pipeline_root(self) -> str:
        """Where the components' outputs go: TFX's pipeline root."""
        if self.artifacts:
            return absolute(f"{self.artifacts.rstrip('/')}/{self.name}")
        return absolute(str(self.root / "pipeline"))

    @property
    def serving_root(self) -> str:
        """Base path of the pushed models."""
        return self.push.destination or str(self.root / "serving")

    @property
    def judged_by(self) -> JudgeSettings:
        """The `judge` section, whose folder is named from any place."""
        unknown = self.judge.unknown and absolute(self.judge.unknown)
        return self.judge.model_copy(update={"unknown": unknown})

    @property
    def addresses(self) -> tuple[str, ...]:
        """Whatever may be on another file system, of a run here or on a cluster."""
        cluster = self.kubeflow.pipeline_root or ""
        return (*self.read_from.values(), *self.written_to.values(), cluster)

    @property
    def read_from(self) -> dict[str, str]:
        """What a run reads, by key: paths and addresses, no other values."""
        model, files = self.model, {}
        if model.saved_encoder:
            files["model.backbone"] = model.backbone
        if model.weights not in ("imagenet", "none"):
            files["model.weights"] = model.weights
        folders = {
            "data.root": self.data.root,
            "tuner.reuse": self.tuner.reuse,
            "judge.unknown": self.judge.unknown,
        }
        return files | {key: path for key, path in folders.items() if path}

    @property
    def written_to(self) -> dict[str, str]:
        """What a run writes, by key, but for what is kept in its own folder."""
        paths = {
            "artifacts": self.pipeline_root if self.artifacts else None,
            "push.destination": self.push.destination,
        }
        return {key: path for key, path in paths.items() if path}


def load(path: str | Path, overrides: Iterable[str] = ()) -> RunConfig:
    """Read a configuration file.

    Args:
        path: A YAML file.
        overrides: `section.key=value` each, where the value is YAML (`training.epochs=5`).

    Returns:
        The configuration, complete with its defaults.

    Raises:
        ConfigError: The file cannot be read, a key is unknown, or a value is impossible.
    """
    values = read_yaml(path)
    for override in overrides:
        _apply(override, values)
    return parse(values, str(path))


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The keys and values of a YAML file.

    Raises:
        ConfigError: The file cannot be read, or holds something else.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read ({e.strerror}); give a YAML file") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"{path}: is not a UTF-8 text file; give a YAML file") from e
    try:
        values = _read(text)
    except _KeyGivenTwice as e:
        raise ConfigError(f"{path}: {e}") from None
    except yaml.YAMLError as e:
        raise ConfigError(f"{path}: is not YAML: {' '.join(str(e).split())}") from e
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must hold keys and values, such as `data: {{root: FOLDER}}`")
    return values


class _KeyGivenTwice(Exception):
    """A key is in a mapping twice."""


def _read(text: str) -> Any:
    """What a YAML text holds.

    Raises:
        yaml.YAMLError: It is none.
        _KeyGivenTwice: YAML forbids it; PyYAML would silently take the last.
    """
    if (root := yaml.compose(text, yaml.SafeLoader)) is not None:
        _refuse_keys_given_twice(root, set())
    return yaml.safe_load(text)


def _refuse_keys_given_twice(node: yaml.Node, done: set[int]) -> None:
    if id(node) in done:  # an alias
        return
    done.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_keys_given_twice(value, done)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if isinstance(key, yaml.ScalarNode):
            if key.value in lines:
                raise _KeyGivenTwice(
                    f"line {line}: {key.value!r} is given before, in line {lines[key.value]}; "
                    "put what belongs to it in one place"
                )
            lines[key.value] = line
        _refuse_keys_given_twice(value, done)


def parse(values: Mapping[str, Any], source: str = "configuration") -> RunConfig:
    """Check `values` and complete them with the defaults.

    Args:
        values: What the YAML file holds.
        source: What error messages call them.

    Raises:
        ConfigError: A key is unknown or a value is impossible.
    """
    try:
        return RunConfig.model_validate(values)
    except ValidationError as e:
        lines = [_explain(error) for error in e.errors()]
        raise ConfigError("\n".join(f"{source}: {line}" for line in lines)) from None


def dump(config: RunConfig) -> str:
    """The effective configuration as YAML, all defaults included."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def absolute(path: str) -> str:
    """`path` from the current folder on; addresses such as gs://bucket stay as they are."""
    return path if is_remote(path) else os.path.abspath(path)


def _apply(override: str, values: dict[str, Any]) -> None:
    key, equals, text = override.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_]+(\.[A-Za-z_]+)*", key):
        raise ConfigError(f"--set {override}: write it as section.key=value")
    try:
        value = _read(text)
    except yaml.YAMLError as e:
        raise ConfigError(f"--set {override}: the value is not YAML") from e
    except _KeyGivenTwice as e:
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


def _explain(error: Any) -> str:
    """One line for people from pydantic's record of one error."""
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        *parents, unknown = error["loc"]
        valid = list(_section_at(parents).model_fields)
        close = difflib.get_close_matches(str(unknown), valid, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"{key}: unknown key; {hint}valid keys are {', '.join(valid)}"
    if error["type"] == "missing":
        return f"{key}: is required"
    message = error["msg"].removeprefix("Value error, ")
    if isinstance(error["input"], str | int | float | bool | None):
        message += f"; got {error['input']!r}"
    return f"{key or 'configuration'}: {message[0].lower()}{message[1:]}"


def _section_at(location: list[Any]) -> type[Section]:
    section: type[Section] = RunConfig
    for part in location:
        if part in section.model_fields:  # else it is a place in a list, or a key that users chose
            section = next(_sections_in(section.model_fields[part].annotation))
    return section


def _sections_in(annotation: Any) -> Iterator[type[Section]]:
    """Those that a type such as `tuple[Volume, ...] | None` names."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from _sections_in(argument)
