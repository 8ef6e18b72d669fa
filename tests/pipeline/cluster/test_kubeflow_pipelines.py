import socket

import pytest

from pipeline.cluster.settings import Kubeflow
from pipeline.config.errors import ConfigError
from tests.pipeline.cluster.fake_kubeflow import fake_kubeflow

pytest.importorskip("kfp.client")

from pipeline.cluster.kubeflow_pipelines import KubeflowPipelines
from pipeline.cluster.submit import RunFailed, ServiceError, wait

MISSING = "/usr/bin/python: Error while finding module specification for 'pipeline.cluster.task' "
MISSING += "(ModuleNotFoundError: No module named 'pipeline')"


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))  # the SDK keeps settings there
    with fake_kubeflow() as fake:
        yield fake


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "parts.yaml"
    path.write_text("pipelineInfo: {name: parts}\nroot: {}\n---\nplatforms: {}\n")
    return path


def settings(server, **more):
    return Kubeflow(endpoint=server.address, pipeline_root="gs://bucket/runs", **more)


def submit(server, file, **more):
    service = KubeflowPipelines(settings(server, experiment="night", service_account="runner"))
    return service.submit(file, "parts", "one", {"epochs": 3}, **more)


def task(name, state, **more):
    return {"display_name": name, "state": state, **more}


def run(state, *tasks, **more):
    return {"state": state, "run_details": {"task_details": list(tasks)}, **more}


def waited(server, **more):
    lines = []
    service = KubeflowPipelines(settings(server))
    tasks = ["Trainer", "Pusher"]
    wait(service, "r1", tasks, "registry/image:1", lines.append, every=0, **more)
    return lines


def test_uploads_and_runs(server, file):
    made = submit(server, file)
    assert made.id == "r1"
    assert made.link == f"{server.address}/#/runs/details/r1"
    assert b"pipelineInfo: {name: parts}" in server.uploads[0]
    assert server.experiments == ["night"]
    [body] = server.runs
    assert body["display_name"] == "one"
    assert body["pipeline_version_reference"] == {
        "pipeline_id": "p1",
        "pipeline_version_id": "v1",
    }
    assert body["runtime_config"] == {
        "parameters": {"epochs": 3},
        "pipeline_root": "gs://bucket/runs",
    }
    assert body["service_account"] == "runner"


def test_a_known_pipeline_gets_a_new_version(server, file):
    submit(server, file)
    submit(server, file)
    assert [body["pipeline_version_reference"]["pipeline_version_id"] for body in server.runs] == [
        "v1",
        "v2",
    ]


def test_runs_repeatedly(server, file, capsys):
    made = submit(server, file, cron="0 0 3 * * *")
    assert made.link.endswith("/#/recurringrun/details/rr1")
    [body] = server.recurring
    assert body["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * *"
    assert body["mode"] == "ENABLE"
    assert body["no_catchup"]
    assert not server.runs
    assert not capsys.readouterr().out  # the SDK prints


def test_the_token_goes_with_each_request(server, file, monkeypatch):
    monkeypatch.setenv("KFP_TOKEN", "secret")
    submit(server, file)
    assert server.headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("answered", [0, 2, 3])
def test_a_redirect_does_not_get_the_login(server, file, monkeypatch, status, answered):
    """Neither from the first request, which this project sends, nor from those of the SDK."""
    monkeypatch.setenv("KFP_TOKEN", "secret")
    monkeypatch.setenv("KFP_COOKIE", "session=secret")
    server.refuse, server.refuse_after = (status, "over there"), answered
    with fake_kubeflow() as other:
        server.elsewhere = f"{other.address}/dex/auth?state=1"
        other.refuse = 401, "login required"
        with pytest.raises(ServiceError) as caught:
            submit(server, file)
        assert not {"authorization", "cookie"} & {name.lower() for name in other.headers}
    if not answered:
        assert other.asked == 0
        message = str(caught.value)
        assert f"{server.address} redirects to {other.address}/dex/auth;" in message
        assert "name it in kubeflow.endpoint" in message
        assert "set KFP_TOKEN or KFP_COOKIE" in message


def test_reports_the_progress(server):
    server.states = [
        run("PENDING"),
        run("RUNNING", task("Trainer", "RUNNING"), task("Trainer-driver", "SUCCEEDED")),
        run("RUNNING", task("Trainer", "RUNNING")),
        (503, {"error": "busy"}),
        run("SUCCEEDED", task("Trainer", "SUCCEEDED"), task("Pusher", "SUCCEEDED")),
    ]
    assert waited(server) == [
        "  Trainer: running",
        "  Trainer: succeeded",
        "  Pusher: succeeded",
    ]


def test_a_failed_run_is_explained_by_the_pods_log(server):
    server.logs = {"trainer-pod": f"some noise\n{MISSING}\n"}
    failed = task("Trainer", "FAILED", child_tasks=[{"pod_name": "trainer-pod"}])
    server.states = [run("FAILED", failed, task("Pusher", "SKIPPED"))]
    with pytest.raises(RunFailed) as caught:
        waited(server)
    assert "the run failed" in str(caught.value)
    assert "Trainer: the image registry/image:1 has no module 'pipeline'" in str(caught.value)
    assert "docs/kubeflow.md" in str(caught.value)


def test_a_failed_run_is_explained_by_kubeflows_message(server):
    failed = task("Trainer", "FAILED", error={"message": "pod was evicted"}, pod_name="gone")
    server.states = [run("FAILED", failed)]
    with pytest.raises(RunFailed, match="Trainer: pod was evicted"):
        waited(server)


def test_a_cancelled_run_fails(server):
    server.states = [run("CANCELED")]
    with pytest.raises(RunFailed, match="canceled"):
        waited(server)


def test_waiting_has_a_limit(server):
    server.states = [run("RUNNING")]
    with pytest.raises(TimeoutError):
        waited(server, limit=0)


def test_a_lost_endpoint_ends_waiting(server):
    server.states = [(503, {"error": "gone for good"})]
    with pytest.raises(ServiceError, match="gone for good"):
        waited(server)


def test_an_endpoint_is_required():
    with pytest.raises(ConfigError, match=r"kubeflow\.endpoint: is required"):
        KubeflowPipelines(Kubeflow())


def test_an_unreachable_endpoint():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        kubeflow = Kubeflow(endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ServiceError, match="cannot be reached") as caught:
            KubeflowPipelines(kubeflow)
    assert "kubeflow.endpoint" in str(caught.value)


def test_a_silent_endpoint():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kubeflow = Kubeflow(endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(ServiceError, match=r"did not answer within 0\.1 s"):
            KubeflowPipelines(kubeflow, timeout=0.1)


def test_an_endpoint_that_falls_silent_while_waiting(server):
    service = KubeflowPipelines(settings(server), timeout=0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        service._address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServiceError, match="did not answer within"):
            service.status("r1")


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        (401, "KFP_TOKEN"),
        (403, "ask for the permission"),
        (404, "version 1 has no"),
    ],
)
def test_a_refusal_says_how_to_fix_it(server, status, fix):
    server.refuse = (status, "not you")
    with pytest.raises(ServiceError, match=rf"refuses the request \({status}\).*{fix}"):
        KubeflowPipelines(settings(server))


def test_a_refused_run_quotes_the_endpoint(server, file):
    service = KubeflowPipelines(settings(server))
    server.refuse, server.refuse_after = (403, "User is not authorized"), server.asked
    with pytest.raises(ServiceError, match=r"refuses the request \(403\): User is not authorized"):
        service.submit(file, "parts", "one", {})


def test_a_login_page_is_not_the_api(server, monkeypatch):
    monkeypatch.setattr(server, "answer", lambda *request: (200, "<html>Log in</html>"))
    with pytest.raises(ServiceError, match="login page, set KFP_TOKEN"):
        KubeflowPipelines(settings(server))


def test_an_answer_of_another_version_names_the_sdks(server, file, monkeypatch):
    service = KubeflowPipelines(settings(server))
    monkeypatch.setattr(server, "answer", lambda *request: (200, {"pipelines": [3]}))
    with pytest.raises(ServiceError, match=r"kfp [\d.]+ does not understand an answer of http"):
        service.submit(file, "parts", "one", {})


def test_the_verdict_is_in_the_runs_folder(server):
    server.states = [run("SUCCEEDED")]
    service = KubeflowPipelines(settings(server))
    outputs = service.gate_outputs(service.status("r1"), "parts")
    assert outputs.judgement == "gs://bucket/runs/parts/r1/Judge/*/judgement"
    assert outputs.infra_blessing == "gs://bucket/runs/parts/r1/InfraCheck/*/blessing"
