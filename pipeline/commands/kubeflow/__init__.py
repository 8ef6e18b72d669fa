"""`siamese kubeflow`: run the pipeline on a cluster, or its compiled form on this machine."""

from __future__ import annotations

import typer

from pipeline.commands.kubeflow.compile import compile_
from pipeline.commands.kubeflow.run_local import run_local
from pipeline.commands.kubeflow.submit import submit
from pipeline.terminal.help import Command

app = typer.Typer(
    help="Run the pipeline on Kubeflow Pipelines 2 or Vertex AI, or its compiled form here.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
for _name, _command in (("compile", compile_), ("submit", submit), ("run-local", run_local)):
    app.command(_name, cls=Command)(_command)
