"""`siamese gate`: is this model good enough? Made for CI/CD: the exit code tells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline import log_noise
from pipeline.config import reading as configuration
from pipeline.config.errors import ConfigError
from pipeline.config.run_config import RunConfig
from pipeline.terminal.console import FAILED, WRONG_USE, err, load, out, stop
from storage.file_systems import is_remote

if TYPE_CHECKING:
    from pipeline.gate.result import GateResult

_IN_CONFIGURATION = "--set needs a configuration, which it changes"


def gate(
    where: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN]",
            help="A configuration, a pipeline's folder (runs/<name>) or a run's folder: the gate "
            "of that run.",
        ),
    ] = None,
    run_id: Annotated[
        str | None,
        typer.Option("--run", help="The run; `latest` (by default), `previous`, or its id."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="An exported model, or the folder of its versions for the newest, to judge now.",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Labelled images to judge it on, a sub-folder a class; or a CSV manifest beside "
            "them. Those that the model was trained with are set aside, as far as it says so.",
        ),
    ] = None,
    thresholds: Annotated[
        Path | None,
        typer.Option(
            metavar="YAML",
            help="What the model must reach: the keys of a configuration's `thresholds`. Left "
            "out: of a run, those of its configuration; of a model, the defaults.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="YAML", help="A whole configuration: its `thresholds`, `judge` and limits."
        ),
    ] = None,
    last_blessed_model: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="An exported model to compare with, such as the one served now."
        ),
    ] = None,
    pretrained_encoder: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="The encoder before training, which the Trainer keeps (`pretrained_encoder` in "
            "its model_run), for `beats_pretrained_encoder`.",
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the judgement there, for `siamese compare`."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
    junit: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write JUnit XML: a test case for each threshold."),
    ] = None,
    markdown: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write Markdown, for a pull request or a job's summary; `-` prints it.",
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the configuration."),
    ] = None,
) -> None:
    """Say by the exit code whether a model is good enough.

    Of a finished run nothing is measured anew; where other thresholds are given, by the
    configuration or --thresholds, they decide on what was measured. An exported model is judged on
    labelled images that it has never seen, without a pipeline, as the Judge would.

    Exit codes: 0 blessed, 3 not blessed, 4 undecided (too few test images), 1 failed, 2 wrong use.

    Example of a run: [bold]siamese gate my.yaml --junit gate.xml[/]

    Of a pipeline's folder: [bold]siamese gate runs/digits --markdown - >> $GITHUB_STEP_SUMMARY[/]

    Of a model: [bold]siamese gate --model serving/1700000000 --images labelled/ --thresholds
    gate.yaml[/]
    """
    if as_json and markdown == "-":
        stop("--json and --markdown - both print; write one of them to a file", WRONG_USE)
    if (where is None) == (model is None):
        stop("name a run, or a model by --model and images by --images", WRONG_USE)
    if model is None:
        of_model = {
            "--images": images, "--config": config, "--last-blessed-model": last_blessed_model,
            "--pretrained-encoder": pretrained_encoder, "--keep": keep,
        }  # fmt: skip
        if given := [name for name, value in of_model.items() if value]:
            stop(f"{', '.join(given)}: only for --model; a run was judged already", WRONG_USE)
        assert where is not None
        result = _of_run(where, run_id, thresholds, overrides or [])
    else:
        if run_id:
            stop("--run is of a run, and --model is of none; leave one of them out", WRONG_USE)
        if images is None:
            stop("--model needs --images, a folder of labelled images to judge it on", WRONG_USE)
        for path in (model, images, last_blessed_model, pretrained_encoder):
            if path and is_remote(path):
                stop(f"{path}: is not on this machine; copy it here (docs/storage.md)", WRONG_USE)
        settings = _settings(images, thresholds, config, overrides or [])
        result = _of_model(model, images, settings, last_blessed_model, pretrained_encoder, keep)
    _tell(result, as_json, junit, markdown)
    raise typer.Exit(result.exit_code)


_OF_A_RUN = ("name", "output", "thresholds")


def _of_run(
    where: Path, run_id: str | None, thresholds: Path | None, overrides: list[str]
) -> GateResult:
    from pipeline.gate.result import Wanted, of_run
    from pipeline.runs.finished_run import FailedRun, NoSuchRun, find_judged_run

    if overrides and not where.is_file():
        stop(_IN_CONFIGURATION, WRONG_USE)
    keys = [override.partition("=")[0].split(".")[0] for override in overrides]
    if thresholds and "thresholds" in keys:
        stop("--thresholds and --set thresholds both say what is wanted; give one", WRONG_USE)
    for override, key in zip(overrides, keys, strict=True):
        if key not in _OF_A_RUN:
            stop(
                f"--set {override}: the run is finished; its name and output, which say where it "
                "is, and its thresholds can be set. What else changes it needs a new one: siamese "
                "run",
                WRONG_USE,
            )
    try:
        wanted = None
        if where.is_file():
            settings = configuration.load(where, overrides)
            wanted = Wanted(settings.thresholds, str(where), settings.judged_by)
        if thresholds:
            asked = configuration.parse(_with_thresholds(thresholds, where), str(thresholds))
            wanted = Wanted(asked.thresholds, str(thresholds), wanted and wanted.judge)
        return of_run(find_judged_run(where, run_id, overrides), wanted)
    except (ConfigError, NoSuchRun) as e:
        stop(str(e), WRONG_USE)
    except FailedRun as e:
        stop(str(e), FAILED)


def _settings(
    images: Path, thresholds: Path | None, config: Path | None, overrides: list[str]
) -> RunConfig:
    if thresholds and config:
        stop("--thresholds and --config both say what is wanted; give one of them", WRONG_USE)
    if config:
        return load(config, overrides)
    if overrides:
        stop(f"{_IN_CONFIGURATION}; give one by --config", WRONG_USE)
    try:
        return configuration.parse(_with_thresholds(thresholds, images), str(thresholds))
    except ConfigError as e:
        stop(str(e), WRONG_USE)


def _with_thresholds(file: Path | None, images: Path) -> dict[str, Any]:
    """A configuration's values: the least that it needs, and the thresholds of a file, if any."""
    values: dict[str, Any] = {"data": {"root": str(images)}}
    return {**values, "thresholds": configuration.read_yaml(file)} if file else values


def _of_model(
    model: Path,
    images: Path,
    settings: RunConfig,
    last_blessed_model: Path | None,
    pretrained_encoder: Path | None,
    keep: Path | None,
) -> GateResult:
    log_noise.quiet()
    with err.status("Loading ...") as status:
        from base.errors import DataError
        from components.judge.exported_model import ModelError
        from judging import gate as gates
        from pipeline.gate.labelled_folder import CANDIDATE, BrokenModel, judge_folder, load_model
        from pipeline.gate.result import of_judgement

        named = {
            CANDIDATE: model,
            gates.LAST_BLESSED: last_blessed_model,
            gates.PRETRAINED_ENCODER: pretrained_encoder,
        }
        try:
            models = {name: load_model(path) for name, path in named.items() if path}
            found = judge_folder(
                models,
                images,
                settings,
                lambda done, files: status.update(f"Embedding image {done:,} of {files:,} ..."),
            )
        except (DataError, ModelError) as e:
            status.stop()
            stop(str(e), WRONG_USE)
        except BrokenModel as e:
            status.stop()
            stop(str(e), FAILED)
    if keep:
        _keep(found.judged, keep)
    return of_judgement(
        found.judged.judgement,
        found.judged.judgement.model,
        excluded=found.excluded,
        notes=found.notes,
    )


def _keep(judged: Any, folder: Path) -> None:
    from components.judge.judgement_files import write_judgement

    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_judgement(str(folder), judged)
    except OSError as e:
        stop(f"--keep: {e.filename}: cannot be written ({e.strerror})", WRONG_USE)


def _tell(result: GateResult, as_json: bool, junit: Path | None, markdown: str | None) -> None:
    from pipeline.gate import output as gate_output

    text = gate_output.markdown(result)
    try:
        if junit:
            gate_output.write_junit(result, junit)
        if markdown not in (None, "-"):
            assert markdown is not None
            Path(markdown).write_text(text, encoding="utf-8")
    except OSError as e:
        stop(f"{e.filename}: cannot be written ({e.strerror})", WRONG_USE)
    if as_json:
        out.print_json(result.model_dump_json())
    elif markdown == "-":
        print(text, end="")
    else:
        gate_output.show(out, result)
