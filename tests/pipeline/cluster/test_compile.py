import json

import pytest
import yaml
from google.protobuf import json_format

from pipeline.cluster.settings import Kubeflow
from pipeline.config.errors import ConfigError
from pipeline.config.reading import parse
from pipeline.config.sections import Beam

pytest.importorskip("kfp.pipeline_spec")
from kfp.pipeline_spec import pipeline_spec_pb2

from pipeline.cluster import compile as module
from pipeline.cluster.compile import compile_pipeline, write
from pipeline.cluster.parameters import PUSH_DESTINATION
from tests.pipeline.cluster.executor_config import KubernetesExecutorConfig

IMAGE = "registry/siamese:1"


def config(judge=None, **more):
    return parse(
        {
            "judge": judge or {},
            "name": "parts",
            "data": {"root": "gs://bucket/parts"},
            "training": {"epochs": 7},
            "tuner": {"enabled": True},
            "push": {"destination": "/models"},
            "kubeflow": {
                "image": IMAGE,
                "pipeline_root": "gs://bucket/runs",
                "resources": {"cpu": 2, "memory_gb": 8, "retries": 2},
                "components": {
                    "Trainer": {
                        "memory_gb": 16,
                        "gpu_count": 1,
                        "gpu_type": "nvidia.com/gpu",
                        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
                        "scratch_gb": 50,
                    }
                },
                "image_pull_secrets": ["registry"],
                "env": {"AWS_ENDPOINT_URL": "http://minio:9000"},
                "env_from_secrets": [
                    {"secret": "minio", "env": {"AWS_ACCESS_KEY_ID": "accesskey"}}
                ],
                "volumes": [
                    {"claim": "models", "path": "/models"},
                    {"claim": "cache", "path": "/cache", "components": ["Transform"]},
                ],
                **more,
            },
        }
    )


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    path = tmp_path_factory.mktemp("compiled") / "parts.yaml"
    write(config(), path)
    return list(yaml.safe_load_all(path.read_text()))


def kubernetes(documents):
    return documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def test_kubeflow_reads_it(documents):
    spec = json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineSpec())
    assert spec.pipeline_info.name == "parts"
    assert {"ImageExampleGen", "Tuner", "Trainer", "Evaluator", "Pusher"} <= set(
        spec.root.dag.tasks
    )
    assert spec.root.dag.tasks["Trainer"].retry_policy.max_retry_count == 2
    json_format.ParseDict(documents[1], pipeline_spec_pb2.PlatformSpec())
    for one in kubernetes(documents).values():
        json_format.ParseDict(one, KubernetesExecutorConfig())


def test_beams_arguments_reach_every_container(documents):
    executors = documents[0]["deploymentSpec"]["executors"].values()
    for container in [one["container"] for one in executors if "container" in one]:
        assert set(Beam().args) <= set(container["args"])


def test_its_sdk_reads_it(documents, tmp_path):
    components = pytest.importorskip("kfp.components")
    path = tmp_path / "parts.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    assert components.load_component_from_file(str(path)).name == "parts"


def test_there_is_neither_a_resolver_nor_a_driver(documents):
    for executor in documents[0]["deploymentSpec"]["executors"].values():
        assert set(executor) == {"container"}
        assert "lifecycle" not in executor["container"]


def test_argo_accepts_the_tasks_names(documents):
    assert not [name for name in documents[0]["root"]["dag"]["tasks"] if "_" in name]


def test_every_task_runs_our_entry_point_in_the_image(documents):
    for executor in documents[0]["deploymentSpec"]["executors"].values():
        assert executor["container"]["image"] == IMAGE
        assert executor["container"]["command"] == ["python", "-m", "pipeline.cluster.task"]


def test_resources_of_each_component(documents):
    executors = documents[0]["deploymentSpec"]["executors"]
    # File-based ExampleGens lose theirs in TFX's compiler (tensorflow/tfx#6146).
    assert executors["ImageExampleGen_executor"]["container"]["resources"] == {
        "cpuLimit": 2,
        "memoryLimit": 8,
    }
    assert executors["Trainer_executor"]["container"]["resources"] == {
        "cpuLimit": 2,
        "memoryLimit": 16,
        "accelerator": {"type": "nvidia.com/gpu", "count": "1"},
    }
    trainer = kubernetes(documents)["Trainer_executor"]
    assert trainer["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert trainer["emptyDirMounts"][0]["sizeLimit"] == "50000M"


def test_every_pod_gets_the_environment_and_the_pull_secret(documents):
    executors = documents[0]["deploymentSpec"]["executors"]
    assert set(kubernetes(documents)) == set(executors)
    for name, config in kubernetes(documents).items():
        assert config["imagePullSecret"] == [{"secretName": "registry"}]
        assert config["secretAsEnv"][0]["secretName"] == "minio"
        assert {"name": "AWS_ENDPOINT_URL", "value": "http://minio:9000"} in executors[name][
            "container"
        ]["env"]


def test_only_the_pods_that_need_a_volume_mount_it(documents):
    mounts = {
        name: [mount["constant"] for mount in config["pvcMount"]]
        for name, config in kubernetes(documents).items()
        if "pvcMount" in config
    }
    assert mounts == {
        **{f"{task}_executor": ["models"] for task in PUSH_DESTINATION.tasks},
        "Transform_executor": ["cache"],
    }


def test_a_volume_follows_the_submitted_data_root():
    spec = compile_pipeline(config(), chosen={"data_root": "/models/images"}).platform
    config_of = spec["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert config_of["ImageExampleGen_executor"]["pvcMount"][0]["constant"] == "models"


def test_run_time_parameters(documents):
    root = documents[0]["root"]
    assert {
        name: (one["parameterType"], one["defaultValue"])
        for name, one in root["inputDefinitions"]["parameters"].items()
    } == {
        "data_root": ("STRING", "gs://bucket/parts"),
        "span": ("STRING", "newest"),
        "epochs": ("NUMBER_INTEGER", 7),
        "push_destination": ("STRING", "/models"),
    }
    for task, name in [
        ("ImageExampleGen", "data_root"),
        ("ImageExampleGen", "span"),
        ("Tuner", "epochs"),
        ("Trainer", "epochs"),
        ("Trainer", "push_destination"),
        ("InfraCheck", "push_destination"),
        ("Pusher", "push_destination"),
    ]:
        given = root["dag"]["tasks"][task]["inputs"]["parameters"][name]
        assert given == {"componentInputParameter": name}
        assert name in documents[0]["components"][task]["inputDefinitions"]["parameters"]


def uncached(configured):
    tasks = compile_pipeline(configured).spec["root"]["dag"]["tasks"].items()
    return {name for name, task in tasks if not task["cachingOptions"]["enableCache"]}


def test_the_cache_is_off_unless_asked_for(documents):
    tasks = documents[0]["root"]["dag"]["tasks"].values()
    assert not any(task["cachingOptions"]["enableCache"] for task in tasks)
    assert uncached(config(cache=True)) == {"InfraCheck"}  # which reads the served model


def test_the_cache_is_off_where_it_would_miss_a_change():
    unknown = config({"unknown": "gs://bucket/unknown"}, cache=True)
    assert uncached(unknown) == {"InfraCheck", "Judge"}


def test_a_name_of_a_gpu_is_refused_before_tfx_is_imported(monkeypatch):
    monkeypatch.setattr("pipeline.cluster.compile._compile_with_tfx", lambda config: 1 / 0)
    gpu = {"gpu_count": 1, "gpu_type": "NVIDIA_TESLA_T4"}
    kubeflow = config().kubeflow.model_dump()
    for changes in ({"components": {"Trainer": gpu}}, {"resources": gpu, "components": {}}):
        settings = config().model_copy(update={"kubeflow": Kubeflow(**{**kubeflow, **changes})})
        with pytest.raises(ConfigError, match="is not Kubernetes's name for a GPU"):
            compile_pipeline(settings)


def test_no_bucket_is_accessed(monkeypatch, tmp_path):
    """The pods may reach buckets that this machine does not, and these may change."""
    from tfx.dsl.io import fileio

    def checked(look):
        def local_only(path, *arguments):
            assert "://" not in str(path), path
            return look(path, *arguments)

        return local_only

    for name in ("exists", "glob", "isdir", "listdir", "open", "stat", "walk"):
        monkeypatch.setattr(fileio, name, checked(getattr(fileio, name)))
    write(config({"unknown": "s3://bucket/unknown"}), tmp_path / "parts.yaml")
    [spec, _] = yaml.safe_load_all((tmp_path / "parts.yaml").read_text())
    given = spec["root"]["dag"]["tasks"]["Judge"]["inputs"]["parameters"]
    assert given["unknown_files"]["runtimeValue"]["constant"] == ""
    assert "s3://bucket/unknown" in given["settings"]["runtimeValue"]["constant"]


def test_no_path_of_this_machine_is_compiled(documents, tmp_path):
    text = json.dumps(documents)
    assert "sqlite" not in text
    assert str(tmp_path.parents[1]) not in text
    assert "/tmp/siamese-unfinished" in text


def test_vertex_reads_it(tmp_path):
    gpu = {"Trainer": {"gpu_count": 1, "gpu_type": "NVIDIA_TESLA_T4"}}
    path = tmp_path / "parts.json"
    write(config(components=gpu), path)
    job = json_format.Parse(path.read_text(), pipeline_spec_pb2.PipelineJob())
    assert job.runtime_config.gcs_output_directory == "gs://bucket/runs"
    assert job.runtime_config.parameter_values["epochs"].number_value == 7
    spec = json_format.MessageToDict(job.pipeline_spec)
    accelerator = spec["deploymentSpec"]["executors"]["Trainer_executor"]["container"]["resources"]
    assert accelerator["accelerator"]["type"] == "NVIDIA_TESLA_T4"
    with pytest.raises(ConfigError, match="Vertex AI's name"):
        write(config(), path)


def test_an_importer_has_no_container(tmp_path):
    values = config().model_dump() | {"tuner": {"reuse": "gs://bucket/found"}}
    spec = compile_pipeline(parse(values)).spec
    assert "importer" in spec["deploymentSpec"]["executors"]["FoundHyperparameters_executor"]


def test_what_cannot_be_compiled_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"kubeflow\.image: is required"):
        compile_pipeline(config(image=None))
    with pytest.raises(ConfigError, match=r"components\.Trainr: the pipeline has no such"):
        compile_pipeline(config(components={"Trainr": {"cpu": 1}}))
    with pytest.raises(ConfigError, match=r"must end in \.yaml"):
        write(config(), tmp_path / "parts.txt")
    monkeypatch.setattr(module, "_MAX_BYTES", 1000)
    with pytest.raises(ConfigError, match="more than Kubeflow can store"):
        write(config(), tmp_path / "parts.yaml")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["My-Parts", "my_parts", "-parts", "p" * 64])
def test_names_that_kubeflow_refuses_are_refused_early(name):
    with pytest.raises(ConfigError, match="name: "):
        parse({"name": name, "data": {"root": "d"}})
