"""Builds a kustomization, in the few features that kubeflow/manifests uses.

There is no kustomize in the registries that the tests may use. Where one is on the PATH, a test
compares with it (test_manifests.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

KNOWN = {
    "apiVersion",
    "kind",
    "namespace",
    "resources",
    "configMapGenerator",
    "patches",
}
CLUSTER_WIDE = {"PersistentVolume"}


def build(folder: Path) -> list[dict[str, Any]]:
    """The objects of a kustomization, as `kustomize build` gives them.

    But the names of generated ConfigMaps get no hash.
    """
    spec = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert set(spec) <= KNOWN, f"{folder}: teach tests/kubeflow {set(spec) - KNOWN}"
    objects = []
    for name in spec.get("resources", ()):
        path = (folder / name).resolve()
        if path.is_dir():
            objects += build(path)
        else:
            assert folder.resolve() in path.parents, f"{folder}: kustomize refuses {name}"
            objects += yaml.safe_load_all(path.read_text())
    for each in spec.get("configMapGenerator", ()):
        objects.append(_config_map(folder, each))
    for each in spec.get("patches", ()):
        _patch(objects, each)
    if "namespace" in spec:
        _move(objects, spec["namespace"])
    return objects


def _config_map(folder: Path, spec: dict[str, Any]) -> dict[str, Any]:
    assert set(spec) == {"name", "files"}
    assert all(Path(name).name == name for name in spec["files"]), "kustomize stays in the folder"
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": spec["name"]},
        "data": {name: (folder / name).read_text() for name in spec["files"]},
    }


def _patch(objects: list[dict[str, Any]], spec: dict[str, Any]) -> None:
    """Apply a JSON patch (RFC 6902) to the objects of a kind and name."""
    target = spec["target"]
    assert set(target) == {"kind", "name"}
    found = [
        each
        for each in objects
        if (each["kind"], each["metadata"]["name"]) == (target["kind"], target["name"])
    ]
    assert found, f"there is no {target}"
    for each in found:
        for operation in yaml.safe_load(spec["patch"]):
            *way, last = operation["path"].removeprefix("/").split("/")
            place: Any = each
            for step in way:
                place = place[int(step)] if isinstance(place, list) else place[step]
            key = int(last) if isinstance(place, list) else last
            match operation["op"]:
                case "add" if isinstance(place, dict):
                    place[key] = operation["value"]
                case "replace":
                    place[key]  # must be there
                    place[key] = operation["value"]
                case "remove":
                    del place[key]
                case other:
                    raise AssertionError(f"teach tests/kubeflow the patch {other}")


def _move(objects: list[dict[str, Any]], namespace: str) -> None:
    for each in objects:
        if each["kind"] not in CLUSTER_WIDE:
            each["metadata"]["namespace"] = namespace
        if each["kind"] == "RoleBinding":
            for subject in each["subjects"]:
                subject["namespace"] = namespace
