import pytest
from apache_beam.runners.portability.fn_api_runner import worker_handlers
from apache_beam.runners.worker.data_plane import (
    BeamFnDataServicer,
    TimeBasedBufferingClosableOutputStream,
)

from pipeline.cluster import task
from pipeline.runs import beam_workers, launch


@pytest.fixture(autouse=True)
def as_beam_has_it(monkeypatch):
    monkeypatch.setattr(worker_handlers, "DATA_BUFFER_TIME_LIMIT_MS", 1000)


def stream():
    """What DirectRunner writes a worker's input to."""
    servicer = BeamFnDataServicer(worker_handlers.DATA_BUFFER_TIME_LIMIT_MS)
    stream = servicer.get_conn_by_worker_id("worker").output_stream("bundle", "transform")
    stream.close()
    return stream


def test_nothing_is_flushed_while_it_is_written():
    assert isinstance(stream(), TimeBasedBufferingClosableOutputStream)
    beam_workers.send_all_to_workers()
    assert not isinstance(stream(), TimeBasedBufferingClosableOutputStream)


def test_a_run_sees_to_it(tmp_path, monkeypatch):
    (tmp_path / "config.yaml").write_text(f"name: parts\ndata: {{root: {tmp_path}}}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.dag.create_pipeline", lambda _: 1 / 0)
    monkeypatch.setattr("pipeline.runs.preflight.check_network", lambda _: None)
    assert launch.main(tmp_path) == 1
    assert worker_handlers.DATA_BUFFER_TIME_LIMIT_MS == 0


def test_a_task_of_the_cluster_sees_to_it():
    assert task.main(["task", "--executor_class_path", "none"]) == 1
    assert worker_handlers.DATA_BUFFER_TIME_LIMIT_MS == 0
