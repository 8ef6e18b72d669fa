import socket

import pytest

from pipeline.cluster.settings import Kubeflow
from pipeline.config.errors import ConfigError
from tests.pipeline.cluster.fake_kubeflow import fake_kubeflow

pytest.importorskip("kfp.client")

from pipeline.cluster.submit import (
    Endpoint,
    EndpointError,
    RunFailed,
    check_cron,
    exposed_login,
)

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
    endpoint = Endpoint(settings(server, experiment="night", service_account="runner"))
    return endpoint.submit(file, "parts", "one", {"epochs": 3}, **more)


def task(name, state, **more):
    return {"display_name": name, "state": state, **more}


def run(state, *tasks, **more):
    return {"state": state, "run_details": {"task_details": list(tasks)}, **more}


def wait(server, **more):
    said = []
    endpoint = Endpoint(settings(server))
    endpoint.wait("r1", ["Trainer", "Pusher"], "registry/image:1", said.append, every=0, **more)
    return said


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


def test_uploads_a_known_pipeline_as_a_new_version(server, file):
    submit(server, file)
    submit(server, file)
    assert [body["pipeline_version_reference"]["pipeline_version_id"] for body in server.runs] == [
        "v1",
        "v2",
    ]


def test_runs_again_and_again(server, file, capsys):
    made = submit(server, file, cron="0 0 3 * * *")
    assert made.link.endswith("/#/recurringrun/details/rr1")
    [body] = server.recurring
    assert body["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * *"
    assert body["mode"] == "ENABLE"
    assert body["no_catchup"]
    assert not server.runs
    assert not capsys.readouterr().out  # the SDK's own notes


def test_the_token_goes_with_each_request(server, file, monkeypatch):
    monkeypatch.setenv("KFP_TOKEN", "secret")
    submit(server, file)
    assert server.headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("answered", [0, 1, 2, 3])
def test_nobody_else_gets_the_token(server, file, monkeypatch, status, answered):
    """Neither at the first question, which goes without the SDK, nor later."""
    monkeypatch.setenv("KFP_TOKEN", "secret")
    monkeypatch.setenv("KFP_COOKIE", "session=secret")
    server.refuse, server.refuse_after = (status, "over there"), answered
    with fake_kubeflow() as other:
        server.elsewhere = f"{other.address}/dex/auth?state=1"
        with pytest.raises(EndpointError) as caught:
            submit(server, file)
        assert f"{server.address} sends requests on to {other.address}/dex/auth," in str(
            caught.value
        )
        assert "name it in kubeflow.endpoint" in str(caught.value)
        assert "set KFP_TOKEN or KFP_COOKIE" in str(caught.value)
        assert other.asked == 0


@pytest.mark.parametrize(
    ("endpoint", "names"),
    [
        ("http://kubeflow.example:8080", ["KFP_TOKEN"]),
        ("http://10.0.0.7", ["KFP_TOKEN", "KFP_COOKIE"]),
        ("http://kubeflow.example", []),
        ("https://kubeflow.example", ["KFP_TOKEN"]),
        ("kubeflow.example", ["KFP_TOKEN"]),
        ("http://localhost:8080", ["KFP_TOKEN"]),
        ("http://127.0.0.1:8080", ["KFP_COOKIE"]),
        ("http://[::1]:8080", ["KFP_COOKIE"]),
    ],
)
def test_a_login_that_others_can_read_is_told_of(monkeypatch, endpoint, names):
    for name in names:
        monkeypatch.setenv(name, "secret")
    said = exposed_login(Kubeflow(endpoint=endpoint))
    if names and endpoint in ("http://kubeflow.example:8080", "http://10.0.0.7"):
        assert said.startswith(f"{' and '.join(names)} can be read on the way to {endpoint}")
    else:
        assert said is None


def test_waits_and_tells_of_the_progress(server):
    server.states = [
        run("PENDING"),
        run("RUNNING", task("Trainer", "RUNNING"), task("Trainer-driver", "SUCCEEDED")),
        run("RUNNING", task("Trainer", "RUNNING")),
        (503, {"error": "busy"}),
        run("SUCCEEDED", task("Trainer", "SUCCEEDED"), task("Pusher", "SUCCEEDED")),
    ]
    assert wait(server) == [
        "  Trainer: running",
        "  Trainer: succeeded",
        "  Pusher: succeeded",
    ]


def test_a_failed_run_says_why_from_the_pods_log(server):
    server.logs = {"trainer-pod": f"some noise\n{MISSING}\n"}
    failed = task("Trainer", "FAILED", child_tasks=[{"pod_name": "trainer-pod"}])
    server.states = [run("FAILED", failed, task("Pusher", "SKIPPED"))]
    with pytest.raises(RunFailed) as caught:
        wait(server)
    assert "the run failed" in str(caught.value)
    assert "Trainer: the image registry/image:1 has no module 'pipeline'" in str(caught.value)
    assert "docs/kubeflow.md" in str(caught.value)


def test_a_failed_run_says_what_the_endpoint_says(server):
    failed = task("Trainer", "FAILED", error={"message": "pod was evicted"}, pod_name="gone")
    server.states = [run("FAILED", failed)]
    with pytest.raises(RunFailed, match="Trainer: pod was evicted"):
        wait(server)


def test_a_cancelled_run_ends_the_waiting(server):
    server.states = [run("CANCELED")]
    with pytest.raises(RunFailed, match="canceled"):
        wait(server)


def test_waiting_has_an_end(server):
    server.states = [run("RUNNING")]
    with pytest.raises(TimeoutError):
        wait(server, limit=0)


def test_a_lost_endpoint_ends_the_waiting(server):
    server.states = [(503, {"error": "gone for good"})]
    with pytest.raises(EndpointError, match="gone for good"):
        wait(server)


def test_no_endpoint_is_refused():
    with pytest.raises(ConfigError, match=r"kubeflow\.endpoint: is needed"):
        Endpoint(Kubeflow())


def test_nobody_there():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        kubeflow = Kubeflow(endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(EndpointError, match="cannot be reached") as caught:
            Endpoint(kubeflow)
    assert "kubeflow.endpoint" in str(caught.value)


def test_no_answer_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kubeflow = Kubeflow(endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(EndpointError, match=r"gives no answer within 0\.1 s"):
            Endpoint(kubeflow, timeout=0.1)


def test_an_endpoint_that_falls_silent_later(server, file):
    endpoint = Endpoint(settings(server), timeout=0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        configuration = endpoint._client._run_api.api_client.configuration
        configuration.host = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(EndpointError, match="gives no answer within"):
            endpoint.submit(file, "parts", "one", {})


@pytest.mark.parametrize(
    ("status", "mend"),
    [(401, "KFP_TOKEN"), (403, "ask for the right"), (404, r"kubeflow\.endpoint")],
)
def test_a_refusal_says_how_to_mend_it(server, status, mend):
    server.refuse = (status, "not you")
    with pytest.raises(EndpointError, match=rf"refuses \({status}\).*{mend}"):
        Endpoint(settings(server))


def test_a_refused_run_says_what_the_endpoint_says(server, file):
    endpoint = Endpoint(settings(server))
    server.refuse, server.refuse_after = (403, "User is not authorized"), server.asked
    with pytest.raises(EndpointError, match=r"refuses \(403\): User is not authorized"):
        endpoint.submit(file, "parts", "one", {})


def test_a_login_page_is_not_the_api(server, monkeypatch):
    monkeypatch.setattr(server, "answer", lambda *request: (200, "<html>Log in</html>"))
    with pytest.raises(EndpointError, match=r"login page\? Then set KFP_TOKEN"):
        Endpoint(settings(server))


@pytest.mark.parametrize(
    ("cron", "mend"), [("0 3 * * *", r"'0 0 3 \* \* \*'"), ("daily", "six fields")]
)
def test_other_crons_are_refused(cron, mend):
    check_cron("0 0 3 * * *")
    with pytest.raises(ConfigError, match=mend):
        check_cron(cron)
