import pytest
from google.protobuf import json_format

from pipeline.cluster.platform import (
    check_components,
    container_environment,
    container_resources,
    kubernetes_config,
    platform_spec,
    resources_of,
    retry_policy,
)
from pipeline.cluster.settings import Kubeflow
from pipeline.config.errors import ConfigError
from pipeline.config.reading import parse
from tests.pipeline.cluster.executor_config import KubernetesExecutorConfig

GPU = {"gpu_count": 2, "gpu_type": "nvidia.com/gpu"}


def kubeflow(**values):
    return parse({"data": {"root": "d"}, "kubeflow": values}).kubeflow


def test_a_components_own_resources_override_the_common_ones():
    one = kubeflow(
        resources={"cpu": 1, "memory_gb": 4, "retries": 2},
        components={"Trainer": {"memory_gb": 16, "retries": 0, **GPU}},
    )
    trainer = resources_of("Trainer", one)
    assert (trainer.cpu, trainer.memory_gb, trainer.gpu_count) == (1, 16, 2)
    assert resources_of("Pusher", one).memory_gb == 4
    assert retry_policy("Trainer", one) is None
    assert retry_policy("Pusher", one)["maxRetryCount"] == 2
    assert container_resources("Trainer", one, "kubeflow") == {
        "cpuLimit": 1,
        "memoryLimit": 16,
        "accelerator": {"type": "nvidia.com/gpu", "count": "2"},
    }


def test_missing_resources_are_left_to_the_cluster():
    assert container_resources("Trainer", kubeflow(resources={}), "kubeflow") == {}


@pytest.mark.parametrize(
    ("gpu", "other", "platform", "message"),
    [
        ("nvidia.com/gpu", "kubeflow", "vertex", "Vertex AI's name"),
        ("NVIDIA_TESLA_T4", "vertex", "kubeflow", "Kubernetes's name"),
    ],
)
def test_each_platform_has_its_names_for_gpus(gpu, other, platform, message):
    one = kubeflow(components={"Trainer": {"gpu_count": 1, "gpu_type": gpu}})
    container_resources("Trainer", one, other)
    with pytest.raises(ConfigError, match=message):
        container_resources("Trainer", one, platform)


def test_gpus_without_a_type_are_refused():
    with pytest.raises(ConfigError, match=r"components\.Trainer: gpu_count 1 without gpu_type"):
        kubeflow(components={"Trainer": {"gpu_count": 1}})


def test_a_type_without_gpus_is_refused():
    with pytest.raises(ConfigError, match=r"components\.Trainer: gpu_type a/b without gpu_count"):
        kubeflow(components={"Trainer": {"gpu_type": "a/b"}})


def test_unknown_keys_in_lists_and_by_component_are_refused_by_name():
    with pytest.raises(ConfigError, match=r"Trainer\.gpus: unknown key.*gpu_count"):
        kubeflow(components={"Trainer": {"gpus": 1}})
    with pytest.raises(ConfigError, match=r"volumes\.0\.mount: unknown key.*claim, path"):
        kubeflow(volumes=[{"claim": "a", "path": "/a", "mount": 1}])
    with pytest.raises(ConfigError, match=r"tolerations\.0\.keys: unknown key; did you mean 'key'"):
        kubeflow(resources={"tolerations": [{"keys": "a"}]})


def test_an_unknown_component_is_refused():
    volume = {"claim": "a", "path": "/a", "components": ["Pushr"]}
    check_components(kubeflow(components={"Trainer": {}}), ["Trainer"])
    with pytest.raises(ConfigError, match=r"components\.Trainr: .*it has Trainer, Pusher"):
        check_components(kubeflow(components={"Trainr": {}}), ["Trainer", "Pusher"])
    with pytest.raises(ConfigError, match=r"volumes\.0\.components: Pushr: .*it has Pusher"):
        check_components(kubeflow(volumes=[volume]), ["Pusher"])


@pytest.mark.parametrize(
    ("toleration", "message"),
    [({"operator": "Exists", "value": "x"}, "takes no value"), ({"value": "x"}, "needs a key")],
)
def test_tolerations_that_kubernetes_refuses_are_refused(toleration, message):
    with pytest.raises(ConfigError, match=message):
        kubeflow(resources={"tolerations": [toleration]})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"env": {"1A": "x"}}, r"kubeflow\.env\.1A"),
        ({"env_from_secrets": [{"secret": "Minio_Key", "env": {"A": "a"}}]}, "secret: "),
        ({"env_from_secrets": [{"secret": "minio", "env": {}}]}, "env: "),
        (
            {"env": {"A": "x"}, "env_from_secrets": [{"secret": "minio", "env": {"A": "a"}}]},
            "env: A is set twice",
        ),
    ],
)
def test_environments_that_kubernetes_refuses_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        kubeflow(**values)


def test_every_container_gets_the_environment():
    one = kubeflow(env={"AWS_ENDPOINT_URL": "http://minio:9000"})
    assert container_environment(one) == [
        {"name": "AWS_ENDPOINT_URL", "value": "http://minio:9000"}
    ]


def test_the_settings_of_kubernetes_follow_kubeflows_schema():
    one = kubeflow(
        image_pull_secrets=["registry"],
        env_from_secrets=[{"secret": "minio", "env": {"AWS_ACCESS_KEY_ID": "accesskey"}}],
        volumes=[{"claim": "models", "path": "/models"}],
        components={
            "Trainer": {
                "node_selector": {"gpu": "t4"},
                "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
                "timeout_minutes": 90,
                "scratch_gb": 1.5,
            }
        },
    )
    config = kubernetes_config("Trainer", one, one.volumes)
    assert config == {
        "imagePullSecret": [{"secretName": "registry"}],
        "secretAsEnv": [
            {
                "secretName": "minio",
                "keyToEnv": [{"secretKey": "accesskey", "envVar": "AWS_ACCESS_KEY_ID"}],
            }
        ],
        "pvcMount": [{"constant": "models", "mountPath": "/models"}],
        "nodeSelector": {"labels": {"gpu": "t4"}},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "activeDeadlineSeconds": "5400",
        "emptyDirMounts": [{"volumeName": "scratch", "mountPath": "/tmp", "sizeLimit": "1500M"}],
    }
    message = json_format.ParseDict(config, KubernetesExecutorConfig())
    assert message.active_deadline_seconds == 5400
    assert message.node_selector.labels == {"gpu": "t4"}
    with pytest.raises(json_format.ParseError, match="secretsAsEnv"):
        json_format.ParseDict({"secretsAsEnv": []}, KubernetesExecutorConfig())
    assert set(kubernetes_config("Pusher", one, ())) == {"imagePullSecret", "secretAsEnv"}


def test_there_is_no_second_document_without_such_settings():
    assert kubernetes_config("Pusher", Kubeflow(), ()) == {}
    assert platform_spec({"Pusher_executor": {}}) is None
