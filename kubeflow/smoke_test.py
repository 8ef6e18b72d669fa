"""Tests the image while it is built: kubeflow/Dockerfile runs this script in it.

It compiles a pipeline, imports what its tasks import, and prints a list of what works, with
versions. It exits with an error if something does not.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
from importlib import metadata, resources
from pathlib import Path

CONFIG = """
name: smoke-test
data: {root: gs://bucket/images}
tuner: {enabled: true}
kubeflow: {image: none, pipeline_root: gs://bucket/runs}
"""
PACKAGES = (
    "base",
    "components",
    "images",
    "judging",
    "monitoring",
    "pipeline",
    "records",
    "review",
    "serving",
    "storage",
    "traffic",
    "trainer",
)


def main() -> None:
    """Run all checks; exit with an error at the first that fails."""
    if os.getuid() == 0:
        raise SystemExit("the user of the image is root")
    for package in PACKAGES:
        place = importlib.import_module(package).__file__ or ""
        if not place.startswith(sys.prefix):
            raise SystemExit(f"{package} is not installed; it was imported from {place}")
    importlib.import_module("pipeline.log_noise").quiet()
    subprocess.run(["siamese", "--help"], check=True, stdout=subprocess.DEVNULL)
    for executor in sorted(executors()):
        module, _, name = executor.rpartition(".")
        getattr(importlib.import_module(module), name)
        print("executor", executor)
    importlib.import_module("tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor")
    importlib.import_module("pipeline.cluster.task")
    importlib.import_module("pipeline.tfx_on_s3")
    importlib.import_module("boto3")  # for s3:// and MinIO
    templates = resources.files("pipeline.report") / "templates"
    if not (templates / "page.html.j2").is_file():
        raise SystemExit(f"package data is missing: {templates}")
    print("python", sys.version.split()[0])
    for name in ("siamese-tfx", "tfx", "tensorflow", "keras", "apache-beam"):
        print(name, metadata.version(name))


def executors() -> set[str]:
    """Return the import paths of the executors of a compiled pipeline."""
    from pipeline.cluster.compiled_file import read_spec

    with tempfile.TemporaryDirectory() as folder:
        config, compiled = Path(folder, "config.yaml"), Path(folder, "pipeline.yaml")
        config.write_text(CONFIG, encoding="utf-8")
        command = ["siamese", "kubeflow", "compile", str(config), "--output", str(compiled)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        spec = read_spec(compiled)
    found = set()
    for executor in spec.executors.values():
        arguments = executor["container"]["args"]
        found.add(arguments[arguments.index("--executor_class_path") + 1])
    return found


if __name__ == "__main__":
    main()
