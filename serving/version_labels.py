"""The labels of a model's versions, in TensorFlow Serving's own configuration file.

The file is `models.config` in the model's base path, beside the versions, so that a server that
reads these reads it too:

    model_config_list {
      config {
        name: "parts"
        base_path: "/models/parts"
        model_platform: "tensorflow"
        model_version_policy { specific { versions: 1795625841 versions: 1795712241 } }
        version_labels { key: "canary" value: 1795712241 }
        version_labels { key: "stable" value: 1795625841 }
      }
    }

A server follows it with the options of `FOLLOWING_OPTIONS`. Needs neither TensorFlow nor a server.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final

from google.protobuf import text_format

from base.errors import UserError
from serving.wire import serving_pb2 as wire
from storage.file_systems import exists, open_file, write_whole

FILE = "models.config"
"""Name of the file; a server takes no file in a base path for a version."""

STABLE: Final = "stable"
CANARY: Final = "canary"

POLL_SECONDS = 5
"""Interval at which servers that are started with `FOLLOWING_OPTIONS` read the file again."""

FOLLOWING_OPTIONS = (
    f"--model_config_file_poll_wait_seconds={POLL_SECONDS}",
    # Labels are read before any version is loaded: the start would fail.
    "--allow_version_labels_for_unavailable_models=true",
)
"""Options of a server that follows the file; serving/deploy and kubeflow/manifests have them."""


class LabelsError(UserError):
    """A file of labels that cannot be used."""


@dataclass(frozen=True)
class Labels:
    """The content of the file.

    Attributes:
        name: The model's name, which clients ask for.
        base_path: Folder of the versions, as the server sees it.
        versions: Version by label.
        loaded: The versions that servers load; empty: the newest one.
    """

    name: str
    base_path: str
    versions: dict[str, int] = field(default_factory=dict)
    loaded: tuple[int, ...] = ()

    @property
    def stable(self) -> int | None:
        """The version with the label `stable`; None if there is none."""
        return self.versions.get(STABLE)

    @property
    def canary(self) -> int | None:
        """The version with the label `canary`; None if there is none."""
        return self.versions.get(CANARY)


def labels_file(base_path: str | os.PathLike[str]) -> str:
    """Return the path of the file of a model's base path."""
    return os.path.join(os.fspath(base_path), FILE)


def read_labels(file: str | os.PathLike[str]) -> Labels | None:
    """Return the labels in a file; None if there is no such file.

    Args:
        file: Its path or address.

    Raises:
        LabelsError: It is no such file, names another number of models than one, or holds what
            `write_labels` would lose.
        OSError: It cannot be read.
    """
    file = os.fspath(file)
    if not exists(file):
        return None
    with open_file(file, "rb") as opened:
        content = opened.read()
    try:
        config = text_format.Parse(content.decode(), wire.ModelServerConfig())
    except (text_format.ParseError, UnicodeDecodeError) as e:
        raise LabelsError(
            f"{file}: is no ModelServerConfig in text, or has fields that this project does not "
            f"keep ({e}); correct it, or move it away"
        ) from e
    models = config.model_config_list.config
    if len(models) != 1:
        raise LabelsError(f"{file}: names {len(models)} models; it must name one, of this folder")
    policy = models[0].model_version_policy
    if policy.WhichOneof("policy_choice") == "all":
        raise LabelsError(
            f"{file}: has the policy `all`; leave model_version_policy out, or name versions by "
            "`specific`"
        )
    return Labels(
        name=models[0].name,
        base_path=models[0].base_path,
        versions={key: models[0].version_labels[key] for key in sorted(models[0].version_labels)},
        loaded=tuple(policy.specific.versions),
    )


def write_labels(file: str | os.PathLike[str], labels: Labels) -> None:
    """Write the labels; a server that reads the file meanwhile sees the old or the new ones.

    Raises:
        OSError: The file cannot be written.
    """
    write_whole(os.fspath(file), _text(labels))


def _text(labels: Labels) -> str:
    config = wire.ModelServerConfig()
    model = config.model_config_list.config.add(
        name=labels.name, base_path=labels.base_path, model_platform="tensorflow"
    )
    if labels.loaded:
        model.model_version_policy.specific.versions.extend(sorted(labels.loaded))
    else:
        model.model_version_policy.latest.num_versions = 1
    for label, version in sorted(labels.versions.items()):
        model.version_labels[label] = version
    note = "# Written by `siamese promote` and `siamese rollback`; see docs/versions.md.\n"
    return note + text_format.MessageToString(config)
