import pytest

from pipeline.cluster.platform import (
    check_components,
    container_resources,
    platform_spec,
    resources_of,
    retry_policy,
)
from pipeline.cluster.settings import Kubeflow
from pipeline.config.errors import ConfigError
from pipeline.config.reading import parse

GPU = {"gpu_count": 2, "gpu_type": "nvidia.com/gpu"}


def kubeflow(**values):
    return parse({"data": {"root": "d"}, "kubeflow": values}).kubeflow


def test_a_component_has_its_own_and_else_what_all_have():
    one = kubeflow(
        resources={"cpu": 1, "memory_gb": 4, "retries": 2},
        components={"Trainer": {"memory_gb": 16, "retries": 0, **GPU}},
    )
    trainer = resources_of("Trainer", one)
    assert (trainer.cpu, trainer.memory_gb, trainer.gpu_count) == (1, 16, 2)
    assert resources_of("Pusher", one).memory_gb == 4
    assert retry_policy("Trainer", one) is None
    assert retry_policy("Pusher", one)["maxRetryCount"] == 2
    assert container_resources("Trainer", one, for_vertex=False) == {
        "cpuLimit": 1,
        "memoryLimit": 16,
        "accelerator": {"type": "nvidia.com/gpu", "count": "2"},
    }


def test_the_cluster_gives_what_is_not_said():
    assert container_resources("Trainer", kubeflow(resources={}), for_vertex=False) == {}


@pytest.mark.parametrize(
    ("gpu", "for_vertex", "said"),
    [("nvidia.com/gpu", True, "Vertex AI's name"), ("NVIDIA_TESLA_T4", False, "Kubernetes's name")],
)
def test_each_platform_has_its_names_for_gpus(gpu, for_vertex, said):
    one = kubeflow(components={"Trainer": {"gpu_count": 1, "gpu_type": gpu}})
    container_resources("Trainer", one, not for_vertex)
    with pytest.raises(ConfigError, match=said):
        container_resources("Trainer", one, for_vertex)


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


def test_a_component_that_there_is_not_is_refused():
    check_components(kubeflow(components={"Trainer": {}}), ["Trainer"])
    with pytest.raises(ConfigError, match=r"components\.Trainr: .*it has Trainer, Pusher"):
        check_components(kubeflow(components={"Trainr": {}}), ["Trainer", "Pusher"])


@pytest.mark.parametrize(
    ("toleration", "said"),
    [({"operator": "Exists", "value": "x"}, "takes no value"), ({"value": "x"}, "needs a key")],
)
def test_tolerations_that_kubernetes_refuses_are_refused(toleration, said):
    with pytest.raises(ConfigError, match=said):
        kubeflow(resources={"tolerations": [toleration]})


def test_what_kubernetes_alone_knows():
    one = kubeflow(
        components={
            "Trainer": {
                "node_selector": {"gpu": "t4"},
                "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
                "timeout_minutes": 90,
            }
        }
    )
    assert platform_spec({"Trainer": "Trainer_executor", "Pusher": "Pusher_executor"}, one) == {
        "platforms": {
            "kubernetes": {
                "deploymentSpec": {
                    "executors": {
                        "Trainer_executor": {
                            "nodeSelector": {"labels": {"gpu": "t4"}},
                            "tolerations": [
                                {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
                            ],
                            "activeDeadlineSeconds": "5400",
                        }
                    }
                }
            }
        }
    }


def test_every_pod_mounts_the_volumes():
    one = kubeflow(volumes=[{"claim": "models", "path": "/models"}])
    executors = platform_spec({"Pusher": "e"}, one)["platforms"]["kubernetes"]["deploymentSpec"]
    assert executors["executors"]["e"]["pvcMount"] == [
        {"constant": "models", "mountPath": "/models"}
    ]


def test_without_any_there_is_no_second_document():
    assert platform_spec({"Pusher": "Pusher_executor"}, Kubeflow()) is None
