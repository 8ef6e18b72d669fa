"""kubeflow/manifests/recorder: what can be known of it without a cluster."""

from inspect import signature

import kubernetes_validate
import pytest

from pipeline.commands.record import record
from tests.kubeflow.kustomization import build
from tests.kubeflow.test_manifests import MANIFESTS, VERSIONS


@pytest.fixture(scope="module")
def objects():
    return {each["kind"]: each for each in build(MANIFESTS / "recorder")}


@pytest.fixture
def pod(objects):
    return objects["Deployment"]["spec"]["template"]["spec"]


@pytest.fixture
def container(pod):
    (container,) = pod["containers"]
    return container


@pytest.mark.parametrize("version", VERSIONS)
def test_follows_the_schemas(objects, version):
    for kind, each in objects.items():
        if kind != "ServiceMonitor":
            kubernetes_validate.validate(each, version, strict=True)


def test_the_command_has_the_options(container):
    assert container["command"] == ["siamese", "record"]
    known = {f"--{each.replace('_', '-')}" for each in signature(record).parameters}
    assert {option.partition("=")[0] for option in container["args"]} <= known


def test_it_asks_the_servers_by_their_services(objects, container):
    served = {
        each["metadata"]["name"]: [port["port"] for port in each["spec"]["ports"]]
        for each in build(MANIFESTS / "overlays/plain")
        if each["kind"] == "Service"
    }
    options = dict(option.removeprefix("--").split("=") for option in container["args"])
    for option in ("upstream", "rest"):
        name, port = options[option].split(":")
        assert int(port) in served[name]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    listening = {"grpc": "port", "rest": "rest-port", "metrics": "metrics-port"}
    assert ports == {name: int(options[option]) for name, option in listening.items()}
    for port in objects["Service"]["spec"]["ports"]:
        assert ports[port["targetPort"]] == port["port"]


def test_one_pod_writes_one_store(objects, pod, container):
    assert objects["Deployment"]["spec"]["replicas"] == 1
    assert objects["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}
    claim = objects["PersistentVolumeClaim"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert volumes["traffic"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert {"name": "traffic", "mountPath": "/traffic"} in container["volumeMounts"]
    assert "--store=/traffic" in container["args"]


def test_is_confined(pod, container):
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_images_are_sent_to_the_servers_alone(objects):
    servers, names = objects["NetworkPolicy"]["spec"]["egress"]
    (to,) = servers["to"]
    assert to == {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "siamese-serving"}}}
    assert {each["port"] for each in names["ports"]} == {53}


def test_all_mean_its_pod(objects):
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for selector in (
        objects["Deployment"]["spec"]["selector"]["matchLabels"],
        objects["Service"]["spec"]["selector"],
        objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
