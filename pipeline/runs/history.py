"""The runs of a pipeline, as ML Metadata holds them. Needs ml_metadata, but not TFX."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from base.errors import UserError

Outcome = Literal["done", "cached", "failed", "unfinished"]

_UNFINISHED: Outcome = "unfinished"


class Artifact(BaseModel):
    """Where an output lies, and what the component noted of it; `id` is ML Metadata's."""

    uri: str
    id: int | None = None
    properties: dict[str, int | float | str] = {}


class Component(BaseModel):
    """What became of a component in one run; `inputs` are the artifacts' URIs."""

    id: str
    outcome: Outcome
    seconds: float | None = None
    inputs: dict[str, list[str]] = {}
    outputs: dict[str, Artifact] = {}


class Run(BaseModel):
    """One run of the pipeline.

    Attributes:
        id: TFX's pipeline run id.
        started: When its first component began.
        components: In the order in which they ran.
    """

    id: str
    started: datetime
    components: list[Component]

    def output(self, component: str, name: str) -> Artifact | None:
        """A component's output, or None where it made none in this run."""
        for one in self.components:
            if one.id == component:
                return one.outputs.get(name)
        return None

    @property
    def failed(self) -> str | None:
        """The component that failed or was broken off, if any."""
        for one in self.components:
            if one.outcome in ("failed", _UNFINISHED):
                return one.id
        return None

    @property
    def verdict(self) -> str | None:
        """The Judge's: `blessed`, `not_blessed` or `undecided`; None where there is none.

        InfraCheck may withhold a blessing too, and more images would not mend that.
        """
        blessing = self.output("Judge", "blessing")
        found = blessing and blessing.properties.get("verdict")
        if not found:
            return None
        return "not_blessed" if self.infra_problem else str(found)

    @property
    def infra_problem(self) -> str | None:
        """Why a server does not give the model's answers, in InfraCheck's words, if it doesn't."""
        blessing = self.output("InfraCheck", "blessing")
        return str(blessing.properties.get("problem", "")) or None if blessing else None

    @property
    def pushed(self) -> str | None:
        """Where the model was pushed to, in this run or the one that it was taken from."""
        model = self.output("Pusher", "pushed_model")
        if model is None or model.properties.get("pushed") != 1:
            return None
        return str(model.properties["pushed_destination"])


class HistoryError(UserError):
    """The metadata database cannot be read; the message names it."""

    exit_code = 1


def read_runs(metadata: Path, pipeline_name: str, limit: int | None = None) -> list[Run]:
    """The pipeline's runs, the newest first.

    Args:
        metadata: The SQLite database; where there is none, there are no runs.
        pipeline_name: As in the configuration.
        limit: How many at most.

    Raises:
        HistoryError: The database cannot be read.
    """
    # A run that died at its very start leaves an empty file.
    if not metadata.is_file() or not metadata.stat().st_size:
        return []
    import ml_metadata
    from ml_metadata.proto import metadata_store_pb2

    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(metadata)
    config.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READONLY
    try:
        store = ml_metadata.MetadataStore(config)
        contexts = store.get_contexts_by_type("pipeline_run")
        contexts = sorted(contexts, key=lambda c: c.id, reverse=True)
        return [_run(store, context, pipeline_name) for context in contexts[:limit]]
    except ml_metadata.errors.NotFoundError:
        return []
    except (RuntimeError, ml_metadata.errors.StatusError) as e:
        said = str(e).partition(" query:")[0]
        raise HistoryError(
            f"{metadata}: is no database of ML Metadata that can be read ({said}); restore it, or "
            "move it away: the pipeline then begins anew, with no run to go on from or compare with"
        ) from e


def _run(store: Any, context: Any, pipeline_name: str) -> Run:
    executions = sorted(store.get_executions_by_context(context.id), key=lambda e: e.id)
    started = executions[0].create_time_since_epoch if executions else 0
    return Run(
        id=context.name,
        started=datetime.fromtimestamp(
            (started or context.create_time_since_epoch) / 1000, tz=timezone.utc
        ),
        components=[_component(store, execution, pipeline_name) for execution in executions],
    )


def _component(store: Any, execution: Any, pipeline_name: str) -> Component:
    nodes = [
        context.name.removeprefix(f"{pipeline_name}.")
        for context in store.get_contexts_by_execution(execution.id)
        if context.type == "node"
    ]
    outcomes: dict[int, Outcome] = {
        execution.COMPLETE: "done",
        execution.CACHED: "cached",
        execution.FAILED: "failed",
    }
    outcome = outcomes.get(execution.last_known_state, _UNFINISHED)
    ended = execution.last_update_time_since_epoch
    return Component(
        id=nodes[0] if nodes else f"execution {execution.id}",
        outcome=outcome,
        seconds=None
        if outcome == _UNFINISHED
        else (ended - execution.create_time_since_epoch) / 1000,
        **_artifacts(store, execution),
    )


def _artifacts(store: Any, execution: Any) -> dict[str, Any]:
    """An execution's `inputs` and `outputs`."""
    events = store.get_events_by_execution_ids([execution.id])
    artifacts = {a.id: a for a in store.get_artifacts_by_id([e.artifact_id for e in events])}
    inputs: dict[str, list[str]] = {}
    outputs: dict[str, Artifact] = {}
    for event in events:
        artifact = artifacts[event.artifact_id]
        name = event.path.steps[0].key
        if event.type in (event.INPUT, event.DECLARED_INPUT):
            inputs.setdefault(name, []).append(artifact.uri)
        if event.type not in (event.OUTPUT, event.DECLARED_OUTPUT):
            continue
        properties = {
            name: getattr(value, value.WhichOneof("value"))
            for name, value in artifact.custom_properties.items()
            if value.WhichOneof("value") in ("int_value", "double_value", "string_value")
        }
        outputs[name] = Artifact(uri=artifact.uri, id=artifact.id, properties=properties)
    return {"inputs": inputs, "outputs": outputs}
