"""On a real ML Metadata store, filled as TFX fills it."""

import pytest

from pipeline.runs.history import HistoryError, read_run


@pytest.fixture
def metadata(tmp_path):
    import ml_metadata
    from ml_metadata.proto import metadata_store_pb2 as pb

    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = str(tmp_path / "metadata.sqlite")
    config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    store = ml_metadata.MetadataStore(config)

    def kind(put, message, name, **properties):
        made = message(name=name)
        for key, value in properties.items():
            made.properties[key] = value
        return put(made)

    run_type = kind(store.put_context_type, pb.ContextType, "pipeline_run")
    node_type = kind(store.put_context_type, pb.ContextType, "node")
    step_type = kind(store.put_execution_type, pb.ExecutionType, "step")
    thing_type = kind(store.put_artifact_type, pb.ArtifactType, "thing")
    nodes, made = {}, {}

    def put_event(artifact, execution, kind, key):
        event = pb.Event(artifact_id=artifact, execution_id=execution, type=kind)
        event.path.steps.add(key=key)
        event.path.steps.add(index=0)
        store.put_events([event])

    def put_run(name, steps):
        [run] = store.put_contexts([pb.Context(type_id=run_type, name=name)])
        for node, state, outputs, *inputs in steps:
            if node not in nodes:
                [nodes[node]] = store.put_contexts(
                    [pb.Context(type_id=node_type, name=f"parts.{node}")]
                )
            [execution] = store.put_executions(
                [pb.Execution(type_id=step_type, last_known_state=getattr(pb.Execution, state))]
            )
            store.put_attributions_and_associations(
                [],
                [
                    pb.Association(execution_id=execution, context_id=context)
                    for context in (run, nodes[node])
                ],
            )
            for key, properties in outputs.items():
                artifact = pb.Artifact(type_id=thing_type, uri=f"/{name}/{node}/{key}")
                for field, value in properties.items():
                    if isinstance(value, int):
                        artifact.custom_properties[field].int_value = value
                    else:
                        artifact.custom_properties[field].string_value = value
                [made[artifact.uri]] = store.put_artifacts([artifact])
                put_event(made[artifact.uri], execution, pb.Event.OUTPUT, key)
            for key, uri in inputs:
                put_event(made[uri], execution, pb.Event.INPUT, key)

    put_run(
        "first",
        [
            ("Trainer", "COMPLETE", {"model": {}}),
            ("Evaluator", "COMPLETE", {"blessing": {"blessed": 1}}),
            ("Judge", "COMPLETE", {"blessing": {"blessed": 1, "verdict": "blessed"}}),
            (
                "Pusher",
                "COMPLETE",
                {"pushed_model": {"pushed": 1, "pushed_destination": "/serving/1"}},
            ),
        ],
    )
    put_run(
        "second",
        [
            ("Trainer", "CACHED", {"model": {}}),
            (
                "Judge",
                "FAILED",
                {},
                ("model", "/second/Trainer/model"),
                ("last_blessed_model", "/first/Trainer/model"),
            ),
        ],
    )
    put_run(
        "third",
        [
            # The Judge has the last word.
            ("Evaluator", "COMPLETE", {"blessing": {"blessed": 1}}),
            ("Judge", "COMPLETE", {"blessing": {"blessed": 0, "verdict": "undecided"}}),
            ("Pusher", "COMPLETE", {"pushed_model": {"pushed": 0}}),
        ],
    )
    put_run("fourth", [("Trainer", "RUNNING", {})])
    put_run(
        "fifth",
        [
            ("Judge", "COMPLETE", {"blessing": {"blessed": 1, "verdict": "blessed"}}),
            ("InfraCheck", "COMPLETE", {"blessing": {"blessed": 0, "problem": "no such op"}}),
        ],
    )
    return tmp_path / "metadata.sqlite"


def test_outcomes(metadata):
    first, second, third, fourth = (
        read_run(metadata, "parts", name) for name in ("first", "second", "third", "fourth")
    )
    assert (first.id, first.verdict, first.pushed, first.failed) == (
        "first", "blessed", "/serving/1", None,
    )  # fmt: skip
    assert (third.verdict, third.pushed, third.failed) == ("undecided", None, None)
    assert (second.verdict, second.failed) == (None, "Judge")
    assert fourth.failed == "Trainer"  # unfinished
    assert [(c.id, c.outcome) for c in second.components] == [
        ("Trainer", "cached"),
        ("Judge", "failed"),
    ]
    assert first.output("Trainer", "model").uri == "/first/Trainer/model"
    assert first.output("Trainer", "nothing") is None


def test_inputs_name_the_outputs_of_other_components(metadata):
    first, second = (read_run(metadata, "parts", name) for name in ("first", "second"))
    assert second.components[1].inputs == {
        "model": ["/second/Trainer/model"],
        "last_blessed_model": ["/first/Trainer/model"],
    }
    assert first.components[0].inputs == {}
    ids = [run.output("Trainer", "model").id for run in (first, second)]
    assert None not in ids
    assert ids[0] < ids[1]


def test_a_model_that_cannot_be_served_is_not_blessed(metadata):
    fifth = read_run(metadata, "parts", "fifth")
    assert (fifth.verdict, fifth.infra_problem) == ("not_blessed", "no such op")
    assert read_run(metadata, "parts", "first").infra_problem is None


def test_a_run_of_which_no_component_began(metadata, tmp_path):
    assert read_run(metadata, "parts", "sixth") is None
    assert read_run(tmp_path / "none.sqlite", "parts", "first") is None
    (tmp_path / "empty.sqlite").touch()
    assert read_run(tmp_path / "empty.sqlite", "parts", "first") is None


@pytest.mark.parametrize("content", [b"?" * 5000, b"SQLite format 3\0" + b"?" * 5000])
def test_a_damaged_database_is_named(tmp_path, content):
    metadata = tmp_path / "metadata.sqlite"
    metadata.write_bytes(content)
    with pytest.raises(HistoryError, match=r"sqlite: is not a readable .* restore it") as caught:
        read_run(metadata, "parts", "first")
    assert "CREATE" not in str(caught.value)
