"""Whether the judged rate of false accepts holds on new classes.

    python -m benchmarks.open_set steel=FOLDER:5 letters=FOLDER:20 ENCODER --seeds 3 --each 20

Of each folder of class folders as many classes as named are drawn, with `--each` images. The
Trainer's procedure runs on them in folds, with features of a frozen encoder (`.keras`, 224 pixels),
and the rate at which images of unknown classes are accepted is judged as in a run: by models that
have not learned the class. The truth is the rate at which the final model accepts the images of all
other classes of the folder. Then scores are compared: how well each separates images of classes
that a head was fitted on from those of a class that was left out (AUROC), by the drawn classes
alone, as a choice of score has to.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logsumexp
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from benchmarks.few_images import Encoded, encode
from benchmarks.fold_coverage import Draw
from benchmarks.report import report
from judging.classifier import best_scores, normalize
from trainer.recipe.heads import Candidate, prepare

SCORES = ("centroid", "max logit", "energy", "nearest of five", "Mahalanobis")


def drawn(every: Encoded, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of images of some classes, and those of all other classes."""
    names = np.random.default_rng(seed).permutation(np.unique(every.labels))
    known = np.isin(every.labels, names[:classes])
    return np.flatnonzero(known), np.flatnonzero(~known)


def coverage(name: str, every: Encoded, classes: int, each: int, seed: int) -> dict[str, Any]:
    """Return the judged rate of false accepts with its interval, and the true one."""
    known, unknown = drawn(every, classes, seed)
    rows = every.features[:, 0]
    draw = Draw(rows[known], every.labels[known], each, rows[unknown], seed)
    judged, true = draw.judged["false_accepts"], draw.true["false_accepts"].value
    return {
        "data": name,
        "seed": seed,
        "judged": judged.value,
        "low": judged.low,
        "high": judged.high,
        "new classes": true,
        "covered": float(judged.low <= true <= judged.high),
    }


def compared(every: Encoded, classes: int, seed: int) -> dict[str, float]:
    """Return the AUROC of each score, by leaving out each of the drawn classes in turn."""
    known, _ = drawn(every, classes, seed)
    prepared, labels = prepare(every.features[known][:, :1]), every.labels[known]
    found: dict[str, list[float]] = {name: [] for name in SCORES}
    for left_out in np.unique(labels)[:10]:
        inside = np.flatnonzero(labels != left_out)
        outside = prepared[labels == left_out]
        for fitted, held in StratifiedKFold(4, shuffle=True, random_state=seed).split(
            inside, labels[inside]
        ):
            own = inside[fitted]
            head = Candidate("discriminant", 0.5).fit(prepared[own], labels[own])
            support, one, other = (
                head.embed(x) for x in (prepared[own], prepared[inside[held]], outside)
            )
            truth = np.arange(len(one) + len(other)) < len(one)
            queries = np.concatenate([one, other])
            for name, scores in _scores(support, labels[own], queries).items():
                found[name].append(float(roc_auc_score(truth, scores)))
    return {name: float(np.mean(values)) for name, values in found.items()}


def _scores(support: np.ndarray, labels: np.ndarray, queries: np.ndarray) -> dict[str, np.ndarray]:
    """Return scores of queries [q, d], which are higher for images of the classes of `support`."""
    logistic = LogisticRegression(C=10.0, max_iter=300).fit(support, labels)
    logits = logistic.decision_function(queries).reshape(len(queries), -1)
    means = np.stack([support[labels == label].mean(axis=0) for label in np.unique(labels)])
    own = np.unique(labels, return_inverse=True)[1]
    axes = np.linalg.svd(support - support.mean(axis=0), full_matrices=False)[2]
    shrunk = LedoitWolf(assume_centered=True).fit((support - means[own]) @ axes.T)
    apart = (queries[:, None] - means) @ axes.T
    distances = np.einsum("qci,ij,qcj->qc", apart, shrunk.precision_, apart)
    cosines = np.sort(normalize(queries) @ normalize(support).T, axis=1)
    return dict(
        zip(
            SCORES,
            (
                best_scores(support, labels, queries),
                logits.max(axis=1),
                logsumexp(logits, axis=1),
                cosines[:, -5:].mean(axis=1),
                -distances.min(axis=1),
            ),
            strict=True,
        )
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", metavar="NAME=FOLDER:CLASSES")
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--most", type=int, default=40, help="Classes of a folder at most.")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    rows, separated = [], []
    for one in arguments.data:
        name, _, rest = one.partition("=")
        folder, _, classes = rest.rpartition(":")
        every = encode(Path(folder), arguments.encoder, classes=arguments.most)
        for seed in range(arguments.seeds):
            rows.append(coverage(name, every, int(classes), arguments.each, seed))
            print(rows[-1], flush=True)
            scores = compared(every, int(classes), seed)
            separated.append({"data": name, "seed": seed, **scores})
            print(separated[-1], flush=True)
    covered = int(sum(row["covered"] for row in rows))
    report(
        "False accepts: judged, and on classes that nothing was fitted on",
        rows,
        arguments.json,
        [f"The interval covers the rate on new classes in {covered} of {len(rows)} cases."],
    )
    report("AUROC of scores, each drawn class left out in turn", separated, None)


if __name__ == "__main__":
    main()
