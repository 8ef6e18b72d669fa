"""`siamese threshold`: set another threshold in an exported model, and say what it costs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from base.errors import UserError
from pipeline import log_noise
from pipeline.commands.options import (
    AsJson,
    Engine,
    ExportedModel,
    NewVersionFolder,
    Quiet,
    Verbose,
)
from pipeline.commands.served_check import (
    check_blessed,
    check_served,
    judge_version,
    record_judgement,
)
from pipeline.gate.asked import settings_of
from pipeline.runs.pushed import waits_for_promotion
from pipeline.terminal.console import out, progress, say
from pipeline.terminal.tables import make_table
from storage.file_systems import is_remote

if TYPE_CHECKING:
    from judging.judgement import Judgement, Threshold
    from judging.settings import Costs
    from serving.threshold import Replaced

Rate = Annotated[
    float | None,
    typer.Option(
        "--false-accepts",
        min=0,
        max=1,
        metavar="RATE",
        help="The lowest threshold with at most this share of false accepts on the images.",
    ),
]
Value = Annotated[
    float | None, typer.Option("--value", min=-1, max=1, help="The threshold itself.")
]
Missed = Annotated[
    float | None,
    typer.Option(
        "--missed", min=0, metavar="COST", help="The cheapest: what a false accept costs, and ..."
    ),
]
FalseAlarm = Annotated[
    float | None,
    typer.Option("--false-alarm", min=0, metavar="COST", help="... what a false reject costs."),
]


def threshold(
    model: ExportedModel,
    images: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            help="Labelled images, by which the threshold is chosen and its costs are measured: a "
            "sub-folder per class, or a CSV manifest. Images that the model was trained on are "
            "excluded.",
        ),
    ],
    of: Annotated[
        Literal["same", "known"],
        typer.Option("--of", help="The decision: two images the same, or an image known."),
    ] = "same",
    false_accepts: Rate = None,
    value: Value = None,
    missed: Missed = None,
    false_alarm: FalseAlarm = None,
    thresholds: Annotated[
        Path | None,
        typer.Option(
            metavar="YAML",
            help="Write the new version only if the gate blesses it by these thresholds.",
        ),
    ] = None,
    output: NewVersionFolder = None,
    engine: Engine = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Set another threshold in an exported model, and say what it costs; no training.

    Writes the model's next version, which a server picks up as it does one that was pushed. Before
    that, the new version is served, its answers are checked, and it is judged on the images.

    Example: [bold]siamese threshold --model runs/parts/serving --images labelled/
    --false-accepts 0.01[/]
    """
    for path in (model, images, *([output] if output else [])):
        if is_remote(path):
            raise UserError(f"{path}: is not on this machine; copy it here (docs/storage.md)")
    settings = settings_of(images, thresholds, None, [])
    choice = _choice(false_accepts, value, missed, false_alarm)
    log_noise.quiet()
    with progress.status("Loading TensorFlow ...") as status:
        log_noise.load_tensorflow()
        from serving.engine import choose
        from serving.next_version import version_folder
        from serving.threshold import replace_threshold

        server = choose(engine)

        source = version_folder(model)
        before = judge_version(source, images, settings, status)
        judged: list[Judgement] = []

        def check(candidate: Path) -> None:
            status.update("Serving the new version to check it ...")
            check_served(candidate, [], server)
            judged.append(judge_version(candidate, images, settings, status))
            if thresholds:
                check_blessed(judged[-1])
            record_judgement(candidate, judged[-1], images)

        done = replace_threshold(source, of, choice.value(before, of), output, check)
    costs = [_cost(one.thresholds[of], choice.costs) for one in (before, judged[-1])]
    table = [before.thresholds[of], judged[-1].thresholds[of]]
    (_print_json if as_json else _print)(done, of, table, costs)


class _Choice(NamedTuple):
    """How the threshold is chosen: exactly one of them is given."""

    false_accepts: float | None
    fixed: float | None
    costs: Costs | None

    def value(self, judgement: Judgement, of: str) -> float:
        """Return the threshold.

        Raises:
            UserError: The images have no cases of both kinds.
        """
        from judging.costs import cheapest, with_false_accepts

        if of not in judgement.curves:
            metric = {"same": "auc", "known": "open_set_auc"}[of]
            raise UserError(f"--images: {judgement.missing.get(metric, 'they have no such cases')}")
        if self.fixed is not None:
            return self.fixed
        curve = judgement.curves[of]
        if self.false_accepts is not None:
            return with_false_accepts(curve, self.false_accepts)
        assert self.costs
        return cheapest(curve, self.costs)


def _choice(
    false_accepts: float | None,
    value: float | None,
    missed: float | None,
    false_alarm: float | None,
) -> _Choice:
    costs = None
    if (missed is None) != (false_alarm is None):
        raise UserError("--missed and --false-alarm belong together; give both")
    if missed is not None and false_alarm is not None:
        if not (missed and false_alarm):
            raise UserError("--missed and --false-alarm: a cost must be above 0")
        from judging.settings import Costs

        costs = Costs(missed=missed, false_alarm=false_alarm)
    if sum(one is not None for one in (false_accepts, value, costs)) != 1:
        raise UserError("give one of --false-accepts, --value, and --missed with --false-alarm")
    return _Choice(false_accepts, value, costs)


def _cost(limit: Threshold, costs: Costs | None) -> str | None:
    """Return the expected cost of a case, with its interval."""
    if costs is None:
        return None
    from judging.costs import cost_of

    found = cost_of(limit, costs).cost
    return f"{found.value:.3g} ({found.low:.3g} to {found.high:.3g})"


def _print_json(done: Replaced, of: str, limits: list[Threshold], costs: list[str | None]) -> None:
    before, after = (
        {**json.loads(limit.model_dump_json()), **({"cost": cost} if cost else {})}
        for limit, cost in zip(limits, costs, strict=True)
    )
    paths = {"model": str(done.model), "version": str(done.version), "of": of}
    out.print_json(json.dumps({**paths, "before": before, "after": after}))


def _print(done: Replaced, of: str, limits: list[Threshold], costs: list[str | None]) -> None:
    from judging.number_text import number, percent, percent_interval

    table = make_table(f"Threshold of '{of}'", ">Before", ">After")
    table.add_row("value", *(number(limit.value) for limit in limits))
    rows: list[tuple[str, Callable]] = [
        ("false accepts", lambda limit: limit.false_accepts),
        ("false rejects", lambda limit: limit.false_rejects),
        ("accuracy", lambda limit: limit.accuracy),
    ]
    for name, of_limit in rows:
        found = [of_limit(limit) for limit in limits]
        table.add_row(
            name, *(f"{percent(m.value, m.images)} ({percent_interval(m)})" for m in found)
        )
    if costs[0]:
        table.add_row("cost of a case", *(cost or "" for cost in costs))
    out.print(table)
    say(f"Model {done.model}, on {limits[0].accuracy.images} images; written to {done.version}")
    if hint := waits_for_promotion(done.version):
        say(hint)
