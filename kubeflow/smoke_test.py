"""What the image must be able to do before it is one; kubeflow/Dockerfile runs this in it.

Prints what works, with versions; ends with an error where something does not. A pipeline is
compiled in the image, and all that its tasks would import is imported.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
from importlib import metadata, resources
from pathlib import Path

CONFIG = "{name: smoke-test, data: {root: images}, tuner: {enabled: true}, kubeflow: {image: none}}"


def main() -> None:
    """Check one thing after the other."""
    if os.getuid() == 0:
        raise SystemExit("the image's user is root")
    for package in ("pipeline", "components", "trainer", "serving"):
        place = importlib.import_module(package).__file__ or ""
        if not place.startswith(sys.prefix):
            raise SystemExit(f"{package} is not installed, it was found as {place}")
    importlib.import_module("pipeline.log_noise").quiet()
    subprocess.run(["siamese", "--help"], check=True, stdout=subprocess.DEVNULL)
    for executor in sorted(executors()):
        module, _, name = executor.rpartition(".")
        getattr(importlib.import_module(module), name)
        print("executor", executor)
    importlib.import_module("tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor")
    importlib.import_module("pipeline.cluster.task")
    templates = resources.files("pipeline.report") / "templates"
    if not (templates / "page.html.j2").is_file():
        raise SystemExit(f"the package lacks its data: {templates}")
    print("python", sys.version.split()[0])
    for name in ("siamese-tfx", "tfx", "tensorflow", "keras", "apache-beam"):
        print(name, metadata.version(name))


def executors() -> set[str]:
    """Import paths of the executors of a compiled pipeline."""
    from pipeline.cluster.run_local import read_spec

    with tempfile.TemporaryDirectory() as folder:
        config, compiled = Path(folder, "config.yaml"), Path(folder, "pipeline.yaml")
        config.write_text(CONFIG, encoding="utf-8")
        command = ["siamese", "kubeflow", "compile", str(config), "--output", str(compiled)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        spec = read_spec(compiled)
    found = set()
    for executor in spec["deploymentSpec"]["executors"].values():
        arguments = executor["container"]["args"]
        found.add(arguments[arguments.index("--executor_class_path") + 1])
    return found


if __name__ == "__main__":
    main()
