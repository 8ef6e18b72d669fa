"""The configuration's section `kubeflow`: where the cluster is, and what the tasks' pods get."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from base.settings import Positive, Section

Platform = Literal["kubeflow", "vertex"]
"""Kubeflow Pipelines 2, or Vertex AI Pipelines."""

_Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_SecretName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]


class Toleration(Section):
    """A toleration of a node's taint, as Kubernetes writes it."""

    key: str | None = Field(None, description="The taint's key; left out (with `Exists`): all.")
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None

    @model_validator(mode="after")
    def _value_fits_operator(self) -> Toleration:
        if self.operator == "Exists" and self.value is not None:
            raise ValueError("operator 'Exists' takes no value; leave it out")
        if self.operator == "Equal" and self.key is None:
            raise ValueError("operator 'Equal' needs a key; or write operator: Exists")
        return self


class Resources(Section):
    """Resources of a component's pod. Missing keys come from `kubeflow.resources`."""

    cpu: float | None = Field(None, gt=0, description="Maximum number of cores.")
    memory_gb: float | None = Field(None, gt=0, description="Maximum memory in gigabytes.")
    scratch_gb: float | None = Field(
        None,
        gt=0,
        description="Maximum size of /tmp in gigabytes, on the node's disk. Kubernetes only.",
    )
    gpu_count: int | None = Field(None, ge=0, description="GPUs of each pod.")
    gpu_type: str | None = Field(
        None,
        description="The cluster's name for the GPU: `nvidia.com/gpu` on Kubernetes, "
        "`NVIDIA_TESLA_T4` on Vertex AI.",
    )
    node_selector: dict[str, str] | None = Field(
        None, description="Labels that a node must have, such as a GPU's model. Kubernetes only."
    )
    tolerations: tuple[Toleration, ...] | None = Field(
        None, description="Taints to tolerate, such as those of GPU nodes. Kubernetes only."
    )
    retries: int | None = Field(None, ge=0, description="How often a failed task is retried.")
    timeout_minutes: Positive | None = Field(
        None, description="Time limit, after which the pod is stopped. Kubernetes only."
    )

    @model_validator(mode="after")
    def _gpus_have_a_type(self) -> Resources:
        if self.gpu_count and not self.gpu_type:
            raise ValueError(
                f"gpu_count {self.gpu_count} without gpu_type; set gpu_type to the cluster's name "
                "for its GPUs, such as nvidia.com/gpu (Vertex AI: NVIDIA_TESLA_T4)"
            )
        if self.gpu_type and self.gpu_count is None:
            raise ValueError(f"gpu_type {self.gpu_type} without gpu_count; set gpu_count")
        return self


class Volume(Section):
    """A PersistentVolumeClaim and where it is mounted."""

    claim: str = Field(description="Name of the PersistentVolumeClaim, in the run's namespace.")
    path: str = Field(pattern="^/", description="Where it is mounted.")
    components: tuple[str, ...] | None = Field(
        None,
        description="Components that mount it; left out: those that read or write a path of the "
        "configuration on it.",
    )

    def holds(self, path: str) -> bool:
        """Return whether a path lies on the volume."""
        root = self.path.rstrip("/")
        return path == root or path.startswith(root + "/")


class EnvironmentFromSecret(Section):
    """Environment variables whose values are keys of a Kubernetes Secret."""

    secret: _SecretName = Field(description="Name of the Secret, in the run's namespace.")
    env: dict[_Variable, str] = Field(
        min_length=1, description="Key of the Secret by variable: `AWS_ACCESS_KEY_ID: accesskey`."
    )


class Vertex(Section):
    """Vertex AI Pipelines on Google Cloud."""

    project: str | None = Field(None, description="ID of the Google Cloud project.")
    location: str | None = Field(None, description="Region, such as europe-west4.")
    service_account: str | None = Field(
        None,
        description="E-mail address of the Google service account that the tasks run as; left out: "
        "the project's default.",
    )


class Kubeflow(Section):
    """Kubeflow Pipelines and Vertex AI: where the pipeline runs, and what its tasks get."""

    image: str | None = Field(
        None, description="Container image with this project installed (docs/kubeflow.md)."
    )
    image_pull_secrets: tuple[_SecretName, ...] = Field(
        (), description="Secrets with the credentials of a private registry. Kubernetes only."
    )
    pipeline_root: str | None = Field(
        None,
        description="Root of the tasks' outputs, readable by every task: gs://bucket/folder or "
        "s3://bucket/folder (Vertex AI: gs:// only).",
    )
    endpoint: str | None = Field(
        None, description="URL of the Kubeflow Pipelines API, such as http://localhost:8080."
    )
    namespace: str | None = Field(
        None, description="Namespace of the runs, where several users share Kubeflow."
    )
    experiment: str | None = Field(
        None, description="Experiment that lists the runs; left out: the pipeline's name."
    )
    service_account: str | None = Field(
        None, description="Kubernetes service account that the tasks run as."
    )
    vertex: Vertex = Vertex()
    cache: bool = Field(
        False,
        description="Reuse the outputs of earlier tasks with the same parameters. Kubeflow does "
        "not notice changed images: use it only for a data root whose files never change, and "
        "with spans only where each run names its span.",
    )
    resources: Resources = Resources(cpu=2, memory_gb=8, retries=1)
    components: dict[str, Resources] = Field(
        {}, description="What differs from `resources`, by component (`Trainer`, `Transform`, ...)."
    )
    env: dict[_Variable, str] = Field(
        {},
        description="Environment variables of every task. They are readable in the compiled file: "
        "use `env_from_secrets` for credentials.",
    )
    env_from_secrets: tuple[EnvironmentFromSecret, ...] = Field(
        (), description="Environment variables from Secrets, of every task. Kubernetes only."
    )
    volumes: tuple[Volume, ...] = Field((), description="Volumes of the tasks. Kubernetes only.")
    unfinished: str = Field(
        "/tmp/siamese-unfinished",
        description="Folder for checkpoints of an unfinished training; on a mounted volume they "
        "survive the pod, and the next try continues from them.",
    )

    @model_validator(mode="after")
    def _variables_are_set_once(self) -> Kubeflow:
        names = Counter([*self.env, *(name for one in self.env_from_secrets for name in one.env)])
        if twice := [name for name, count in names.items() if count > 1]:
            raise ValueError(f"env: {', '.join(twice)} is set twice; remove all but one")
        return self
