"""Runs the DAG on this machine."""

from __future__ import annotations

from tfx import v1 as tfx
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner

from pipeline.config.run_config import RunConfig

_RUNNERS = {"beam": BeamDagRunner, "local": tfx.orchestration.LocalDagRunner}


def run(pipeline: tfx.dsl.Pipeline, config: RunConfig) -> None:
    """Run every component that is not cached.

    Args:
        pipeline: From `pipeline.dag.create_pipeline`.
        config: Names the runner.

    Raises:
        Exception: Whatever a component raised; the components after it do not run.
    """
    _RUNNERS[config.runner]().run(pipeline)
