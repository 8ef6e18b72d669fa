"""Searches hyperparameters with KerasTuner; each trial is a training."""

from __future__ import annotations

import contextlib
import gc
import json
import shutil
from pathlib import Path

import keras
import keras_tuner

from base.settings import Section
from trainer.errors import BackboneError, TrainingError, WeightsError
from trainer.search.parallel_search import PROCESS, run_in_processes
from trainer.search.search_space import apply, declare
from trainer.settings import Model, Search, Tiles, Training
from trainer.training.fit import train

OBJECTIVE = "val_accuracy"
"""Few-shot accuracy on the validation images in the epoch whose weights are kept."""


class Task(Section):
    """Everything that a search needs; it is passed to other processes as JSON.

    Attributes:
        folder: A local folder for the trials; a killed search resumes from it.
    """

    model: Model
    training: Training
    search: Search
    image_size: int
    tiles: Tiles = Tiles()
    seed: int
    train_files: tuple[str, ...]
    validation_files: tuple[str, ...]
    folder: str


class SiameseTuner(keras_tuner.Tuner):
    """A KerasTuner whose trials are trainings of the Siamese network.

    Args:
        task: What to search.
        oracle: Chooses the hyperparameters of the next trial.
    """

    def __init__(self, task: Task, oracle: keras_tuner.Oracle) -> None:
        self._task = task
        super().__init__(oracle=oracle, directory=task.folder, project_name="search")

    def search(self, *arguments, **options) -> None:
        """Run all trials, several at once if `parallel_trials` says so."""
        options.setdefault("verbose", 0)  # KerasTuner's own output is for notebooks
        processes = self._task.search.parallel_trials
        if processes == 1 or PROCESS:
            super().search(*arguments, **options)
        else:
            run_in_processes(self._task.model_dump_json(), Path(self.project_dir), processes)
            self.oracle.reload()
        if not PROCESS:
            self._check()

    def run_trial(self, trial, *arguments, **options) -> dict[str, float]:
        """Train once and return the metrics.

        Raises:
            FatalError: No trial can succeed.
            FailedTrialError: These hyperparameters fail.
        """
        task, values = self._task, trial.hyperparameters.values
        model, training = apply(values, task.model, task.training)
        epochs = int(values.get("tuner/epochs") or task.search.epochs or training.epochs)
        folder = Path(self.get_trial_dir(trial.trial_id)) / "training"
        folder.mkdir(parents=True, exist_ok=True)
        print(f"trial {trial.trial_id}: {_as_json(values)}", flush=True)
        try:
            with contextlib.ExitStack() as stack:
                if PROCESS:  # mixed lines of several trainings would be unreadable
                    log = stack.enter_context((folder.parent / "log.txt").open("a"))
                    stack.enter_context(contextlib.redirect_stdout(log))
                trained = train(
                    model,
                    training.model_copy(update={"epochs": epochs, "refit": False}),
                    task.image_size,
                    task.train_files,
                    task.validation_files,
                    folder,
                    task.seed,
                    task.tiles,
                )
        except (BackboneError, WeightsError) as e:
            raise keras_tuner.errors.FatalError(str(e)) from e
        except TrainingError as e:
            raise keras_tuner.errors.FailedTrialError(str(e)) from e
        kept = trained.summary["best_epoch"] - 1
        metrics = {name: trained.summary["history"][name][kept] for name in (OBJECTIVE, "val_auc")}
        print(f"trial {trial.trial_id}: {_as_json(metrics)}", flush=True)
        shutil.rmtree(folder)  # weights of many trials would fill the disk
        del trained
        keras.backend.clear_session()
        gc.collect()
        return metrics

    def _check(self) -> None:
        trials = list(self.oracle.trials.values())
        if any(trial.status == "COMPLETED" for trial in trials):
            return
        reason = next((trial.message for trial in trials if trial.message), "no trial was run")
        raise TrainingError(f"no trial of the tuner succeeded: {reason.strip().splitlines()[-1]}")


def build_tuner(task: Task) -> SiameseTuner:
    """Return the tuner for a task, with the trials that the task's folder already holds."""
    space = keras_tuner.HyperParameters()
    declare(space, task.model, task.training, task.search.backbones)
    common = {
        "objective": keras_tuner.Objective(OBJECTIVE, "max"),
        "hyperparameters": space,
        "tune_new_entries": False,
        "allow_new_entries": False,
        "seed": task.seed,
    }
    oracle: keras_tuner.Oracle
    if task.search.algorithm == "hyperband":
        epochs = task.search.epochs or task.training.epochs
        oracle = keras_tuner.oracles.HyperbandOracle(max_epochs=epochs, **common)
    elif task.search.algorithm == "random":
        oracle = keras_tuner.oracles.RandomSearchOracle(max_trials=task.search.trials, **common)
    else:
        oracle = keras_tuner.oracles.BayesianOptimizationOracle(
            max_trials=task.search.trials, **common
        )
    return SiameseTuner(task, oracle)


def _as_json(values: dict) -> str:
    return json.dumps(
        {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in values.items()}
    )
