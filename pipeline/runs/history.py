"""The components of a run and their outputs, as ML Metadata holds them. Needs no TFX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from base.errors import UserError
from pipeline.runs.outcome import ComponentOutcome, Outcome


class Artifact(BaseModel):
    """An output: its location, ML Metadata's id, and the component's properties of it."""

    uri: str
    id: int | None = None
    properties: dict[str, int | float | str] = {}


class Component(BaseModel):
    """A component's outcome in one run; `inputs` are the artifacts' URIs."""

    id: str
    outcome: ComponentOutcome
    seconds: float | None = None
    inputs: dict[str, list[str]] = {}
    outputs: dict[str, Artifact] = {}


class Run(BaseModel):
    """The components of one run and their outputs.

    Attributes:
        id: TFX's id of the run: the name of the run's folder.
        components: In the order in which they ran.
    """

    id: str
    components: list[Component]

    def output(self, component: str, name: str) -> Artifact | None:
        """Return a component's output; None if it made none in this run."""
        for one in self.components:
            if one.id == component:
                return one.outputs.get(name)
        return None

    @property
    def failed(self) -> str | None:
        """The component that failed or did not finish, if any."""
        for one in self.components:
            if one.outcome in (ComponentOutcome.FAILED, ComponentOutcome.UNFINISHED):
                return one.id
        return None

    @property
    def verdict(self) -> Outcome | None:
        """The outcome of the gate: the Judge's, unless InfraCheck withholds the blessing."""
        blessing = self.output("Judge", "blessing")
        found = blessing and blessing.properties.get("verdict")
        if not found:
            return None
        return Outcome.NOT_BLESSED if self.infra_problem else Outcome(str(found))

    @property
    def infra_problem(self) -> str | None:
        """InfraCheck's reason to withhold its blessing; None if it does not."""
        blessing = self.output("InfraCheck", "blessing")
        return str(blessing.properties.get("problem", "")) or None if blessing else None

    @property
    def pushed(self) -> str | None:
        """Folder of the pushed version; a cached Pusher names the version pushed before."""
        model = self.output("Pusher", "pushed_model")
        if model is None or model.properties.get("pushed") != 1:
            return None
        return str(model.properties["pushed_destination"])


class HistoryError(UserError):
    """The metadata database cannot be read."""

    exit_code = 1


def read_run(metadata: Path, pipeline_name: str, run_id: str) -> Run | None:
    """Return what ML Metadata knows of a run; None if none of its components began.

    Args:
        metadata: The SQLite database, which may be missing.
        pipeline_name: As in the configuration.
        run_id: The name of the run's folder.

    Raises:
        HistoryError: The database cannot be read.
    """
    # A run that died at its very start leaves an empty file.
    if not metadata.is_file() or not metadata.stat().st_size:
        return None
    import ml_metadata
    from ml_metadata.proto import metadata_store_pb2

    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(metadata)
    config.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READONLY
    try:
        store = ml_metadata.MetadataStore(config)
        context = store.get_context_by_type_and_name("pipeline_run", run_id)
        if context is None:
            return None
        executions = store.get_executions_by_context(context.id)
        return Run(
            id=run_id,
            components=[
                _component(store, execution, pipeline_name)
                for execution in sorted(executions, key=lambda e: e.id)
            ],
        )
    except ml_metadata.errors.NotFoundError:
        return None
    except (RuntimeError, ml_metadata.errors.StatusError) as e:
        said = str(e).partition(" query:")[0]
        raise HistoryError(
            f"{metadata}: is not a readable database of ML Metadata ({said}); restore it, or move "
            "it away: the pipeline then starts afresh, with no earlier run to resume or compare "
            "with"
        ) from e


def _component(store: Any, execution: Any, pipeline_name: str) -> Component:
    nodes = [
        context.name.removeprefix(f"{pipeline_name}.")
        for context in store.get_contexts_by_execution(execution.id)
        if context.type == "node"
    ]
    outcomes = {
        execution.COMPLETE: ComponentOutcome.DONE,
        execution.CACHED: ComponentOutcome.CACHED,
        execution.FAILED: ComponentOutcome.FAILED,
    }
    outcome = outcomes.get(execution.last_known_state, ComponentOutcome.UNFINISHED)
    ended = execution.last_update_time_since_epoch
    return Component(
        id=nodes[0] if nodes else f"execution {execution.id}",
        outcome=outcome,
        seconds=None
        if outcome is ComponentOutcome.UNFINISHED
        else (ended - execution.create_time_since_epoch) / 1000,
        **_artifacts(store, execution),
    )


def _artifacts(store: Any, execution: Any) -> dict[str, Any]:
    """Return an execution's `inputs` and `outputs`."""
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
