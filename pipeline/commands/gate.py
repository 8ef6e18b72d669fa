"""`siamese gate`: is this model good enough? Made for CI/CD, which reads the exit code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from base.errors import UserError
from pipeline import log_noise
from pipeline.commands.options import AsJson, Overrides, Quiet, Verbose
from pipeline.commands.served_check import record_judgement
from pipeline.commands.writable import refuse_unwritable
from pipeline.config import reading
from pipeline.config.run_config import RunConfig
from pipeline.gate.asked import settings_of, with_thresholds
from pipeline.terminal.console import out, progress
from storage.file_systems import is_remote

if TYPE_CHECKING:
    from judging.judge import Judged
    from pipeline.gate.result import GateResult

Run = Annotated[
    Path | None,
    typer.Argument(
        metavar="RUN",
        help="A finished run: its configuration, its folder, or the folder of its pipeline "
        "(runs/<name>).",
    ),
]
RunId = Annotated[
    str | None,
    typer.Option("--run", metavar="ID", help="`latest` (the default), `previous`, or a run's id."),
]
Model = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Judge this exported model now; of a folder of versions, the newest.",
    ),
]
Images = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Labelled images for --model: a sub-folder per class, or a CSV manifest beside the "
        "images. Images that the model was trained on are excluded.",
    ),
]
ThresholdsFile = Annotated[
    Path | None,
    typer.Option(
        metavar="YAML",
        help="What the model must reach: the keys of a configuration's `thresholds`. Default: "
        "those of the run's configuration; for a model, the default thresholds.",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        metavar="YAML",
        help="A whole configuration for --model: `thresholds`, `judge` and limits.",
    ),
]
LastBlessedModel = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Compare --model with this exported model, such as the served one."
    ),
]
PretrainedEncoder = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="The encoder before training, for `beats_pretrained_encoder`: the Trainer keeps it as "
        "`pretrained_encoder` in its model_run.",
    ),
]
Keep = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Write the judgement of --model there, for `siamese compare`."
    ),
]
Record = Annotated[
    bool,
    typer.Option(
        "--record",
        help="Write the verdict into the version of --model, so that `siamese promote` knows it.",
    ),
]
JUnit = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write JUnit XML with a test case per threshold."),
]
Markdown = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Write Markdown for a pull request or a job's summary; `-` prints it.",
    ),
]


def gate(
    where: Run = None,
    run_id: RunId = None,
    model: Model = None,
    images: Images = None,
    thresholds: ThresholdsFile = None,
    config: Config = None,
    last_blessed_model: LastBlessedModel = None,
    pretrained_encoder: PretrainedEncoder = None,
    keep: Keep = None,
    record: Record = False,
    as_json: AsJson = False,
    junit: JUnit = None,
    markdown: Markdown = None,
    overrides: Overrides = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Tell by the exit code whether a model is good enough.

    Of a finished run nothing is measured again: other thresholds (of the configuration, or of
    --thresholds) decide on what was measured. An exported model is judged on labelled images
    without a pipeline, as the Judge would judge it.

    Exit codes: 0 blessed, 3 not blessed, 4 undecided (too few test images), 1 failed, 2 wrong use.

    Example: [bold]siamese gate my.yaml --junit gate.xml[/]

    Example: [bold]siamese gate runs/digits --markdown - >> $GITHUB_STEP_SUMMARY[/]

    Example: [bold]siamese gate --model serving/1700000000 --images labelled/[/]
    """
    if as_json and markdown == "-":
        raise UserError("--json and --markdown - both print; write one of them to a file")
    if (where is None) == (model is None):
        raise UserError("name a run, or a model by --model and images by --images")
    page = None if markdown in (None, "-") else Path(str(markdown))
    if where:
        _refuse_options_of_a_model(
            images, config, last_blessed_model, pretrained_encoder, keep, record
        )
        _refuse_unwritable(junit=junit, markdown=page)
        result = _gate_run(where, run_id, thresholds, overrides or [])
    else:
        assert model is not None
        _refuse_unfit_for_a_model(run_id, model, images, last_blessed_model, pretrained_encoder)
        assert images is not None
        _refuse_unwritable(junit=junit, markdown=page, keep=keep)
        settings = settings_of(images, thresholds, config, overrides or [])
        result = _gate_model(
            model, images, settings, last_blessed_model, pretrained_encoder, keep, record
        )
    _print(result, as_json, markdown == "-")
    _write(result, junit, page)
    raise typer.Exit(result.exit_code)


def _refuse_unwritable(keep: Path | None = None, **files: Path | None) -> None:
    """Refuse, before anything is judged, files and a folder that cannot be written."""
    refuse_unwritable(**files)
    if keep:
        there = next(one for one in (keep, *keep.parents, Path("/")) if one.exists())
        if not there.is_dir() or not os.access(there, os.W_OK):
            raise UserError(f"--keep {keep}: {there} is no folder that can be written")


def _refuse_options_of_a_model(
    images: Path | None,
    config: Path | None,
    last_blessed_model: Path | None,
    pretrained_encoder: Path | None,
    keep: Path | None,
    record: bool,
) -> None:
    of_model = {
        "--images": images, "--config": config, "--last-blessed-model": last_blessed_model,
        "--pretrained-encoder": pretrained_encoder, "--keep": keep, "--record": record,
    }  # fmt: skip
    if given := [option for option, value in of_model.items() if value]:
        raise UserError(f"{', '.join(given)}: only with --model; a run is judged already")


def _refuse_unfit_for_a_model(run_id: str | None, model: Path, *paths: Path | None) -> None:
    """Refuse what does not go with --model. `paths` begin with --images."""
    if run_id:
        raise UserError("--run chooses a run, and --model is none; leave one of them out")
    if paths[0] is None:
        raise UserError("--model needs --images, a folder of labelled images to judge it on")
    for path in (model, *paths):
        if path and is_remote(path):
            raise UserError(f"{path}: is not on this machine; copy it here (docs/storage.md)")


_OF_A_RUN = ("name", "output", "thresholds")


def _gate_run(
    where: Path, run_id: str | None, thresholds: Path | None, overrides: list[str]
) -> GateResult:
    """Return the gate's result for a finished run."""
    from pipeline.gate.result import Asked, of_run
    from pipeline.runs.finished_run import find_judged_run

    if overrides and not where.is_file():
        raise UserError("--set needs a configuration, which it changes")
    keys = [override.partition("=")[0].split(".")[0] for override in overrides]
    if thresholds and "thresholds" in keys:
        raise UserError("--thresholds and --set thresholds contradict each other; give one")
    for override, key in zip(overrides, keys, strict=True):
        if key not in _OF_A_RUN:
            raise UserError(
                f"--set {override}: the run is finished; only {', '.join(_OF_A_RUN)} can be set. "
                "Other keys need a new run: siamese run"
            )
    wanted = None
    if where.is_file():
        settings = reading.load(where, overrides)
        wanted = Asked(settings.thresholds, str(where), settings.judged_by)
    if thresholds:
        asked = reading.parse(with_thresholds(thresholds, where), str(thresholds))
        wanted = Asked(asked.thresholds, str(thresholds), wanted and wanted.judge)
    return of_run(find_judged_run(where, run_id, overrides), wanted)


def _gate_model(
    model: Path,
    images: Path,
    settings: RunConfig,
    last_blessed_model: Path | None,
    pretrained_encoder: Path | None,
    keep: Path | None,
    record: bool,
) -> GateResult:
    """Judge an exported model, and return the gate's result."""
    log_noise.quiet()
    with progress.status("Loading TensorFlow ...") as status:
        log_noise.load_tensorflow()
        from judging import gate as gates
        from judging.views import CANDIDATE
        from pipeline.gate.labelled_folder import judge_models
        from pipeline.gate.result import of_judgement

        named = {
            CANDIDATE: model,
            gates.LAST_BLESSED: last_blessed_model,
            gates.PRETRAINED_ENCODER: pretrained_encoder,
        }
        found = judge_models(
            {name: path for name, path in named.items() if path},
            images,
            settings,
            lambda done, files: status.update(f"Embedding image {done:,} of {files:,} ..."),
        )
    if keep:
        _keep(found.judged, keep)
    judgement = found.judged.judgement
    if record:
        record_judgement(Path(judgement.model), judgement, images)
    return of_judgement(judgement, judgement.model, notes=found.notes)


def _keep(judged: Judged, folder: Path) -> None:
    from components.judge.judgement_files import write_judgement

    folder.mkdir(parents=True, exist_ok=True)
    write_judgement(str(folder), judged)


def _print(result: GateResult, as_json: bool, markdown: bool) -> None:
    from pipeline.gate import output

    if as_json:
        out.print_json(result.model_dump_json())
    elif markdown:
        print(output.markdown(result), end="", flush=True)
    elif progress.quiet:
        output.show_verdict(out, result)
    else:
        output.show(out, result)


def _write(result: GateResult, junit: Path | None, markdown: Path | None) -> None:
    from pipeline.gate import output

    if junit:
        output.write_junit(result, junit)
    if markdown:
        markdown.write_text(output.markdown(result), encoding="utf-8")
