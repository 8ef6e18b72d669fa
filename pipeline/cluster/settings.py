"""The configuration's section `kubeflow`: where the cluster is, and what pods get."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from base.settings import Positive, Section


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
