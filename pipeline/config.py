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

from components.file_systems import is_remote
from components.judge.settings import JudgeSettings, Thresholds
from trainer.settings import Model, Positive, Search, Section, Share, Training


class ConfigError(ValueError):
    """A configuration that cannot be run; the message says which key and how to mend it."""


class Data(Section):
    """Where the labelled images are."""

    root: str = Field(
        description="Folder of the images. A folder name such as `span-{SPAN}` takes the "
        "newest span, so that new images arrive beside the old ones."
    )
    layout: Literal["auto", "class_folders", "split_folders", "manifest"] = Field(
        "auto",
        description="`class_folders` is root/class/image, `split_folders` is "
        "root/{train,validation,test}/class/image, `manifest` is a CSV file; `auto` looks.",
    )
    manifest: str | None = Field(
        None,
        description="CSV file, relative to the root, with the columns path, label and "
        "(optional) split; paths are relative to the root.",
    )
    classes: tuple[str, ...] | None = Field(
        None,
        description="The classes there must be, no more and no less. Left out: the folders' "
        "names; with spans, those of the first span.",
    )
    max_unusable: Share = Field(
        0.1, description="Share of files that may be unusable before the run stops."
    )
    max_pixels: Positive = Field(
        100_000_000, description="Largest image, in pixels; larger ones are set aside unread."
    )

    @model_validator(mode="after")
    def _manifest_is_named(self) -> Data:
        if self.layout == "manifest" and not self.manifest:
            raise ValueError("layout 'manifest' needs data.manifest, the name of the CSV file")
        if self.manifest and self.layout not in ("auto", "manifest"):
            raise ValueError(
                f"data.manifest is given but data.layout is {self.layout!r}; "
                "set the layout to 'manifest' or leave it out"
            )
        return self


class Splits(Section):
    """How images are divided. Near-duplicates always stay together."""

    by: Literal["image", "class"] = Field(
        "image",
        description="`image`: each class is divided; `class`: whole classes are kept apart, to "
        "judge on classes never seen in training.",
    )
    train: Share = Field(0.6, gt=0, description="Share of the images to learn from.")
    validation: Share = Field(0.2, gt=0, description="Share to choose by (best epoch, threshold).")
    test: Share = Field(0.2, gt=0, description="Share to judge on; never used for a choice.")
    near_duplicate_bits: int = Field(
        3,
        ge=0,
        le=7,
        description="Two images whose 64-bit perceptual hashes (or mirrored ones) differ in at "
        "most so many bits are near-duplicates.",
    )

    @model_validator(mode="after")
    def _shares_add_up(self) -> Splits:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train + validation + test must be 1, not {total:g}")
        return self


class Image(Section):
    """What the network sees."""

    size: int = Field(224, ge=16, le=1024, description="Height and width in pixels.")
    interpolation: Literal["cubic", "linear", "area", "nearest"] = Field(
        "cubic", description="How images are resized."
    )


class TrainingPairs(Section):
    """Pair blocks of the training split."""

    sampling: Literal["class_balanced", "all_pairs", "random_partners"] = Field(
        "class_balanced",
        description="`class_balanced`: blocks of `classes_per_block` x `images_per_class` images "
        "with all their pairs; `all_pairs`: random blocks of `block_size` images with all their "
        "pairs; `random_partners`: plain pairs, each image with `partners` random others (2019).",
    )
    classes_per_block: int = Field(10, ge=2, description="At most; fewer if there are fewer.")
    images_per_class: int = Field(5, ge=2, description="Images of each class in a block.")
    block_size: int = Field(32, ge=2, description="Images in a block of `all_pairs`.")
    partners: Positive = Field(8, description="Partners an image, for `random_partners`.")
    passes: Positive = Field(
        8,
        description="Times that each image is drawn into a block. More passes give more varied "
        "blocks and larger files; `random_partners` makes one.",
    )


class HeldOutPairs(Section):
    """Plain pairs of the validation and test splits."""

    partners: int = Field(
        16, ge=2, description="Pairs an image takes part in: half of the same class, half not."
    )
    max_images: int = Field(
        500, ge=3, description="Images that pairs are drawn from, at most, in each split."
    )


class Pairs(Section):
    """How images become pairs."""

    train: TrainingPairs = TrainingPairs()
    held_out: HeldOutPairs = HeldOutPairs()


class Tuner(Search):
    """Search for hyperparameters before the training (`trainer/search_space.py` says which)."""

    enabled: bool = False
    reuse: str | None = Field(
        None,
        description="Folder with the `best_hyperparameters.txt` of an earlier search, to train by "
        "it without searching.",
    )

    @model_validator(mode="after")
    def _searches_or_reuses(self) -> Tuner:
        if self.enabled and self.reuse:
            raise ValueError(
                "enabled searches anew and reuse takes what was found before; choose one of them"
            )
        return self


class Push(Section):
    """Where a blessed model goes."""

    destination: str | None = Field(
        None,
        description="Base path that TensorFlow Serving watches; left out: `serving` in the run's "
        "folder. Models go to <destination>/<version>/.",
    )
    infra_check: Literal["auto", "tensorflow", "docker", "embedded"] | None = Field(
        "auto",
        description="The server that must give the model's answers before it is pushed: the first "
        "of these at hand. `null` pushes unserved models.",
    )


class Beam(Section):
    """Apache Beam, which does the data processing."""

    args: tuple[str, ...] = Field(
        ("--runner=DirectRunner", "--direct_running_mode=in_memory"),
        description="Beam's own options, passed to every step that uses Beam; see docs/beam.md.",
    )


class Toleration(Section):
    """A taint of a node that a pod puts up with, as Kubernetes writes it."""

    key: str | None = Field(None, description="Of the taint; left out (with `Exists`): all.")
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None

    @model_validator(mode="after")
    def _value_fits_operator(self) -> Toleration:
        if self.operator == "Exists" and self.value is not None:
            raise ValueError("operator 'Exists' takes no value; leave it out")
        if self.operator == "Equal" and self.key is None:
            raise ValueError("operator 'Equal' needs a key; or say operator: Exists")
        return self


class Resources(Section):
    """What a component's pod gets. What is left out is `kubeflow.resources`' or the cluster's."""

    cpu: float | None = Field(None, gt=0, description="Cores, at most.")
    memory_gb: float | None = Field(None, gt=0, description="Gigabytes of memory, at most.")
    gpu_count: int | None = Field(None, ge=0, description="GPUs for each pod.")
    gpu_type: str | None = Field(
        None,
        description="What the cluster calls them: `nvidia.com/gpu` on Kubernetes, "
        "`NVIDIA_TESLA_T4` on Vertex AI.",
    )
    node_selector: dict[str, str] | None = Field(
        None, description="Labels that a node must have, such as a GPU's model. Kubernetes only."
    )
    tolerations: tuple[Toleration, ...] | None = Field(
        None, description="Taints to put up with, such as those of GPU nodes. Kubernetes only."
    )
    retries: int | None = Field(None, ge=0, description="How often a failed task is tried again.")
    timeout_minutes: Positive | None = Field(
        None, description="After which its pod is ended. Kubernetes only."
    )

    @model_validator(mode="after")
    def _gpus_have_a_type(self) -> Resources:
        if self.gpu_count and not self.gpu_type:
            raise ValueError(
                f"gpu_count {self.gpu_count} without gpu_type; name what the cluster calls its "
                "GPUs, such as nvidia.com/gpu (Vertex AI: NVIDIA_TESLA_T4)"
            )
        if self.gpu_type and self.gpu_count is None:
            raise ValueError(f"gpu_type {self.gpu_type} without gpu_count; say how many for a pod")
        return self


class Volume(Section):
    """A volume that every pod mounts."""

    claim: str = Field(description="Name of the PersistentVolumeClaim, in the run's namespace.")
    path: str = Field(pattern="^/", description="Where it is mounted.")


class Kubeflow(Section):
    """Kubeflow Pipelines and Vertex AI: where the pipeline runs, and what its tasks get."""

    image: str | None = Field(
        None, description="Container image with this project installed (docs/kubeflow.md)."
    )
    pipeline_root: str | None = Field(
        None,
        description="Where the tasks write: gs://bucket/folder or s3://bucket/folder, which all of "
        "them can read.",
    )
    endpoint: str | None = Field(
        None, description="Address of Kubeflow Pipelines' API, such as http://localhost:8080."
    )
    namespace: str | None = Field(
        None, description="Of the runs, where Kubeflow is shared by several users."
    )
    experiment: str | None = Field(
        None, description="That runs are listed under; left out: the pipeline's name."
    )
    service_account: str | None = Field(None, description="Of Kubernetes, that the tasks run as.")
    cache: bool = Field(
        False,
        description="Take the outputs of steps that ran before with the same parameters. Kubeflow "
        "does not look whether the images changed: only for a data root whose files stay as they "
        "are, and with spans only where each run names its span.",
    )
    resources: Resources = Resources(cpu=2, memory_gb=8, retries=1)
    components: dict[str, Resources] = Field(
        {}, description="By component (`Trainer`, `Transform`, ...): what differs from `resources`."
    )
    volumes: tuple[Volume, ...] = ()
    unfinished: str = Field(
        "/tmp/siamese-unfinished",
        description="Folder for what a training needs to go on after its pod died; on a mounted "
        "volume it is there for the next try.",
    )


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
        if asked and asked.beats_frozen_encoder and not self.judge.baselines:
            raise ValueError(
                "thresholds.beats_frozen_encoder needs judge.baselines; set that to true, or leave "
                "the threshold out"
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
        values = yaml.safe_load(text)
    except yaml.YAMLError as e:
        raise ConfigError(f"{path}: is not YAML: {' '.join(str(e).split())}") from e
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must hold keys and values, such as `data: {{root: FOLDER}}`")
    return values


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
        value = yaml.safe_load(text)
    except yaml.YAMLError as e:
        raise ConfigError(f"--set {override}: the value is not YAML") from e
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
