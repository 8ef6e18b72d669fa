"""Whether the judged rate of false accepts holds on new classes.

    python -m benchmarks.open_set steel=FOLDER+FOLDER:5 digits=digits:7 ENCODER --seeds 3
    python -m benchmarks.open_set letters=FOLDER:20 steel_cats=FOLDER:6/FOLDER ENCODER --each 20

Of the class folders in each folder (or of scikit-learn's digits) as many classes as named are
drawn, with `--each` images. The Trainer's procedure runs on them in folds, with features of a
frozen encoder (`.keras`, 224 pixels), and the rate at which images of unknown classes are accepted
is judged as in a run: by models that have not learned the class. The truth is the rate at which the
final model accepts the images of all other classes of the folder, or of the folder behind the
slash. Where all names have a dot (`Greek.character01`), the other classes are those of one
alphabet, and the drawn ones are of the others. Then scores are compared: how well each separates
images of classes that a head was fitted on from those of a class that was left out (AUROC), by the
drawn classes alone, as a choice of score has to. `chosen` is what `judging.score_choice` chooses by
the other classes for each class that is left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from benchmarks.active_learning import digits
from benchmarks.few_images import Encoded, encode
from benchmarks.fold_coverage import Draw
from benchmarks.pictures import Pictures, read
from benchmarks.report import report
from judging.classifier import best_scores, normalize
from judging.score_choice import choose_score
from records.scored_by import ScoredBy
from trainer.recipe.cross_validation import LabelledFeatures, cross_validate, unknown_scores
from trainer.recipe.heads import Candidate, in_span, prepare

MOST = 60
"""Images of a class in a folder that are used at most."""

SCORES = ("cosine", "margin", "max logit", "energy", "nearest of five", "Mahalanobis")

CHOSEN = "chosen"

HEAD = Candidate("discriminant", 0.5)


class Source(NamedTuple):
    """Images to draw from.

    Attributes:
        name: For the tables.
        every: Images of all classes.
        classes: How many to draw.
        unknown: Images of other classes; None: those of `every` that are not drawn.
    """

    name: str
    every: Encoded
    classes: int
    unknown: Encoded | None

    def drawn(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices of images of some classes, and those of all other classes."""
        rng, names = np.random.default_rng(seed), np.unique(self.every.labels)
        alphabets = np.array([name.partition(".")[0] for name in names])
        held = np.zeros(len(names), bool)
        if all("." in name for name in names):
            held = alphabets == rng.permutation(np.unique(alphabets))[0]
        chosen = rng.permutation(names[~held])[: self.classes]
        other = names[held] if held.any() else np.setdiff1d(names, chosen)
        return (
            np.flatnonzero(np.isin(self.every.labels, chosen)),
            np.flatnonzero(np.isin(self.every.labels, other)),
        )


def read_source(text: str, encoder: Path, most: int) -> Source:
    """Return the images that `NAME=FOLDERS:CLASSES[/FOLDER]` says, of one view.

    Args:
        text: As on the command line.
        encoder: A Keras model.
        most: Classes of a folder at most.
    """
    name, _, rest = text.partition("=")
    folders, _, rest = rest.partition(":")
    classes, _, unknown = rest.partition("/")
    if folders == "digits":
        parts = [_most(Pictures(*digits()))]
    else:
        parts = [read(Path(folder), MOST, most) for folder in folders.split("+")]
    together = Pictures(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    every = encode(together, encoder, views=1)
    others = encode(read(Path(unknown), MOST), encoder, views=1) if unknown else None
    return Source(name, every, int(classes), others)


def _most(pictures: Pictures) -> Pictures:
    """Return the first `MOST` images of each class."""
    some = np.concatenate(
        [np.flatnonzero(pictures.labels == label)[:MOST] for label in np.unique(pictures.labels)]
    )
    return Pictures(pictures.pixels[some], pictures.labels[some])


def coverage(source: Source, each: int, seed: int) -> dict[str, Any]:
    """Return the judged rate of false accepts with its interval, and the true one."""
    known, rest = source.drawn(seed)
    rows = source.every.features[:, 0]
    unknown = rows[rest] if source.unknown is None else source.unknown.features[:, 0]
    draw = Draw(rows[known], source.every.labels[known], each, unknown, seed)
    judged, true = draw.judged.get("false_accepts"), draw.true["false_accepts"].value
    return {
        "data": source.name,
        "seed": seed,
        "judged": judged and judged.value,
        "low": judged and judged.low,
        "high": judged and judged.high,
        "new classes": true,
        "covered": judged and float(judged.low <= true <= judged.high),
        "scored by": draw.scored_by,
        "of the folds": draw.of_folds.count(draw.scored_by),
    }


def compared(source: Source, seed: int) -> dict[str, float]:
    """Return the AUROC of each score, by leaving out each of the drawn classes in turn."""
    known, _ = source.drawn(seed)
    prepared, labels = prepare(source.every.features[known]), source.every.labels[known]
    found: dict[str, list[float]] = {name: [] for name in (*SCORES, CHOSEN)}
    for left_out in np.unique(labels):
        inside = np.flatnonzero(labels != left_out)
        outside = prepared[labels == left_out]
        scored_by = _chosen(prepared[inside], labels[inside], seed)
        for fitted, held in StratifiedKFold(4, shuffle=True, random_state=seed).split(
            inside, labels[inside]
        ):
            own = inside[fitted]
            head = HEAD.fit(prepared[own], labels[own])
            support, one, other = (
                head.embed(x) for x in (prepared[own], prepared[inside[held]], outside)
            )
            truth = np.arange(len(one) + len(other)) < len(one)
            queries = np.concatenate([one, other])
            for name, scores in _scores(support, labels[own], queries).items():
                found[name].append(float(roc_auc_score(truth, scores)))
            found[CHOSEN].append(found[scored_by][-1])
    return {name: float(np.mean(values)) for name, values in found.items()}


def _chosen(prepared: np.ndarray, labels: np.ndarray, seed: int) -> ScoredBy:
    images = LabelledFeatures(in_span(prepared), labels, np.arange(len(labels)))
    unknown = unknown_scores(HEAD, images, seed)
    scored = np.isfinite(unknown.cosine)
    known = cross_validate(HEAD, images, seed).scores
    return choose_score(known, unknown.only(scored), labels[scored]).scored_by


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
    best = best_scores(support, labels, queries)
    return dict(
        zip(
            SCORES,
            (
                best.by("cosine"),
                best.by("margin"),
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
    parser.add_argument("data", nargs="+", metavar="NAME=FOLDERS:CLASSES[/FOLDER]")
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--most", type=int, default=60, help="Classes of a folder at most.")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    rows, separated = [], []
    for text in arguments.data:
        source = read_source(text, arguments.encoder, arguments.most)
        for seed in range(arguments.seeds):
            rows.append(coverage(source, arguments.each, seed))
            print(rows[-1], flush=True)
            if source.classes > 2:
                separated.append({"data": source.name, "seed": seed, **compared(source, seed)})
                print(separated[-1], flush=True)
    judged = [row["covered"] for row in rows if row["covered"] is not None]
    notes = [
        f"The interval covers the rate on new classes in {sum(judged):.0f} of {len(judged)} cases."
    ]
    if len(judged) < len(rows):
        notes.append("With two classes the rate is not judged, since none can be left out.")
    report(
        "False accepts: judged, and on classes that nothing was fitted on",
        rows,
        arguments.json,
        notes,
    )
    if separated:
        report("AUROC of scores, each drawn class left out in turn", separated, None)


if __name__ == "__main__":
    main()
