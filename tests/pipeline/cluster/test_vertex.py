"""The client of Vertex AI, with Google's SDK; only its remote calls are replaced."""

import json

import google.auth
import pytest
from google.api_core.exceptions import PermissionDenied
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError
from google.cloud.aiplatform.utils import gcs_utils
from google.cloud.aiplatform_v1.services.pipeline_service import PipelineServiceClient
from google.cloud.aiplatform_v1.services.schedule_service import ScheduleServiceClient
from google.cloud.aiplatform_v1.types import PipelineJob

from pipeline.cluster.settings import Kubeflow
from pipeline.cluster.submit import RunFailed, ServiceError, connect, wait

NAME = "projects/my-project/locations/europe-west4/pipelineJobs/parts-1"
SPEC = {
    "pipelineInfo": {"name": "parts"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "tfx-1.16.0",
    "root": {
        "inputDefinitions": {
            "parameters": {"epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 7}}
        }
    },
    "deploymentSpec": {},
}


class FakeVertex:
    """What was created, and the states that a run goes through."""

    def __init__(self):
        self.jobs, self.schedules, self.states, self.error = [], [], [], None

    def create_job(self, _, *, parent, pipeline_job, pipeline_job_id, **__):
        if self.error:
            raise self.error
        self.jobs.append(pipeline_job)
        return PipelineJob(name=f"{parent}/pipelineJobs/{pipeline_job_id}", display_name="one")

    def create_schedule(self, _, *, parent, schedule, **__):
        self.schedules.append(schedule)
        schedule.name = f"{parent}/schedules/7"
        return schedule

    def get_job(self, _, *, name, **__):
        state, tasks = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        values = {"name": name, "state": state, "job_detail": {"task_details": tasks}}
        return PipelineJob(values)


@pytest.fixture
def vertex(monkeypatch):
    fake = FakeVertex()
    monkeypatch.setattr(google.auth, "default", lambda *_, **__: (AnonymousCredentials(), "p"))
    bucket = "create_gcs_bucket_for_pipeline_artifacts_if_it_does_not_exist"
    monkeypatch.setattr(gcs_utils, bucket, lambda **_: None)
    for client, method, call in (
        (PipelineServiceClient, "create_pipeline_job", fake.create_job),
        (PipelineServiceClient, "get_pipeline_job", fake.get_job),
        (ScheduleServiceClient, "create_schedule", fake.create_schedule),
    ):
        # A plain function, which is bound to the client as the real method is.
        monkeypatch.setattr(client, method, lambda *a, _call=call, **k: _call(*a, **k))
    return fake


@pytest.fixture
def service():
    account = {"service_account": "runner@my-project.iam.gserviceaccount.com"}
    place = {"project": "my-project", "location": "europe-west4"}
    return connect(
        Kubeflow(pipeline_root="gs://bucket/runs", vertex={**place, **account}), "vertex"
    )


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "parts.json"
    path.write_text(json.dumps({"pipelineSpec": SPEC, "runtimeConfig": {}}))
    return path


def test_creates_a_job(vertex, service, file):
    made = service.submit(file, "parts", "one", {"epochs": 3})
    [job] = vertex.jobs
    assert job.display_name == "one"
    assert job.service_account == "runner@my-project.iam.gserviceaccount.com"
    assert job.runtime_config.gcs_output_directory == "gs://bucket/runs"
    assert job.runtime_config.parameter_values["epochs"] == 3
    assert made.id.startswith("projects/my-project/locations/europe-west4/pipelineJobs/parts-")
    assert made.link == (
        "https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines/runs/"
        f"{made.id.rpartition('/')[2]}?project=my-project"
    )


def test_creates_a_schedule(vertex, service, file):
    made = service.submit(file, "parts", "one", {"epochs": 3}, cron="0 3 * * *")
    [schedule] = vertex.schedules
    assert schedule.cron == "0 3 * * *"
    job = schedule.create_pipeline_job_request.pipeline_job
    assert job.service_account == "runner@my-project.iam.gserviceaccount.com"
    assert made.link.endswith("/pipelines/schedules/7?project=my-project")
    assert not vertex.jobs


def output(name, uri):
    return {"outputs": {name: {"artifacts": [{"uri": uri}]}}}


def waited(vertex, service, *states):
    vertex.states = [(f"PIPELINE_STATE_{state}", tasks) for state, tasks in states]
    lines = []
    return wait(service, NAME, ["Judge"], "registry/image:1", lines.append, every=0), lines


def test_waits_and_finds_the_verdict(vertex, service):
    judge = {"task_name": "Judge", "state": "SUCCEEDED", **output("judgement", "gs://b/j")}
    check = {"task_name": "InfraCheck", "state": "SUCCEEDED", **output("blessing", "gs://b/i")}
    status, lines = waited(
        vertex, service,
        ("PENDING", []),
        ("RUNNING", [{"task_name": "Judge", "state": "RUNNING"}]),
        ("SUCCEEDED", [judge, check]),
    )  # fmt: skip
    assert lines == ["  Judge: running", "  Judge: succeeded"]
    assert service.gate_outputs(status, "parts") == ("gs://b/j", "gs://b/i")


def test_a_failed_run_is_explained(vertex, service):
    failed = {
        "task_name": "Judge",
        "state": "FAILED",
        "error": {"message": "No module named 'pipeline'"},
    }
    with pytest.raises(RunFailed, match="Judge: the image registry/image:1 has no module"):
        waited(vertex, service, ("FAILED", [failed]))
    with pytest.raises(RunFailed, match="the run cancelled"):
        waited(vertex, service, ("CANCELLED", []))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionDenied("no"), r"project my-project, europe-west4\) refuses the request: 403 no"),
        (DefaultCredentialsError("none"), "not logged in .none.; run `gcloud auth"),
    ],
)
def test_errors_say_how_to_fix_them(vertex, service, file, error, message):
    vertex.error = error
    with pytest.raises(ServiceError, match=message):
        service.submit(file, "parts", "one", {})
