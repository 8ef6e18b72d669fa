from pathlib import Path

import pytest

from judging.settings import AtLeast, AtMost, Beats, Change, ChangeAtLeast
from pipeline.config.errors import ConfigError
from pipeline.config.reading import dump, load, parse, read_yaml
from trainer.settings import ArticleTraining, Tiles

BEATS = "beats_pretrained_encoder"
CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("*.yaml"))


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my.yaml"
    path.write_text("data: {root: images}\n")
    return path


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_ours_are_good(path):
    assert load(path).name


def test_two_lines_do(file):
    config = load(file)
    assert config.model.backbone == "ResNet50"
    assert config.serving_root == "runs/siamese/serving"
    assert config.traffic_store == Path("runs/siamese/traffic")


def test_the_traffic_store_is_a_local_folder(file):
    assert load(file, ["traffic.store=there"]).traffic_store == Path("there")
    with pytest.raises(ConfigError, match=r"traffic\.store: gs://bucket is not a local folder"):
        load(file, ["traffic.store=gs://bucket"])


def test_the_article_is_as_it_was_published():
    config = load(next(path for path in CONFIGS if path.name == "article.yaml"))
    assert (config.image.size, config.image.interpolation) == (224, "cubic")
    model = config.model
    assert (model.backbone, model.weights, model.pooling) == ("ResNet50", "imagenet", "flatten")
    assert (model.hidden, model.embedding_size) == ((1024,), 18)
    assert (model.article.embedding_activation, model.article.normalize) == ("sigmoid", False)
    training = config.training
    assert (training.loss, training.optimizer) == ("binary_crossentropy", "sgd")
    assert (training.learning_rate, training.momentum, training.weight_decay) == (0.001, 0.9, 0)
    assert training.article == ArticleTraining(two_passes=True, inverse_time_decay=0.01)
    assert (training.blocks_per_step, training.epochs) == (16, 30)
    assert training.augmentation is None
    assert (config.pairs.train.sampling, config.pairs.train.partners) == ("random_partners", 8)
    assert config.splits.train == 0.9


def test_what_is_dumped_can_be_read_again(file, tmp_path):
    config = load(file, ["training.epochs=3", "model.hidden=[8, 4]", "training.augmentation=null"])
    (tmp_path / "again.yaml").write_text(dump(config))
    assert load(tmp_path / "again.yaml").model_dump() == config.model_dump() | {
        "output": str(tmp_path / "runs"),
        "data": {**config.data.model_dump(), "root": str(tmp_path / "images")},
    }


@pytest.mark.parametrize(
    ("override", "section", "key", "value"),
    [
        ("training.epochs=5", "training", "epochs", 5),
        ("training.learning_rate=1e-3", "training", "learning_rate", 0.001),
        ("thresholds.auc=0.5", "thresholds", "auc", AtLeast(at_least=0.5)),
        ("thresholds.recall=1", "thresholds", "recall", AtLeast(at_least=1)),
        (
            "thresholds.class_accuracy={at_least: 0.9, bound: lower}",
            "thresholds",
            "class_accuracy",
            AtLeast(at_least=0.9, bound="lower"),
        ),
        ("thresholds.equal_error_rate=0.1", "thresholds", "equal_error_rate", AtMost(at_most=0.1)),
        (
            "thresholds.beats_pretrained_encoder=true",
            "thresholds",
            "beats_pretrained_encoder",
            Beats(),
        ),
        (
            "thresholds.beats_pretrained_encoder=false",
            "thresholds",
            "beats_pretrained_encoder",
            None,
        ),
        (
            "thresholds.change={recall: -0.1}",
            "thresholds",
            "change",
            Change(recall=ChangeAtLeast(at_least=-0.1)),
        ),
        ("push.destination=gs://bucket/a=b", "push", "destination", "gs://bucket/a=b"),
        ("data.classes=[a, b]", "data", "classes", ("a", "b")),
    ],
)
def test_overrides(file, override, section, key, value):
    assert getattr(getattr(load(file, [override]), section), key) == value


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "data: is required"),
        ({"data": {}}, r"data\.root: is required"),
        ({"dat": {"root": "x"}}, "dat: unknown key; did you mean 'data'"),
        ({"notify": None}, "notify: takes keys: url, .*; got null: leave it out for the default"),
        ({"data": None}, "data: takes keys: root, .*; got null$"),
        ({"tuner": True}, "tuner: takes keys: .*; got True"),
        ({"model": {"weights": None}}, r"model\.weights: .*; got null: write none, or leave it"),
        ({"data": {"root": "x", "rot": 1}}, r"data\.rot: unknown key; .*valid keys are root, lay"),
        (
            {"training": {"augmentation": {"rotate": 1}}},
            r"training\.augmentation\.rotate: unknown key; .*'rotation'",
        ),
        ({"training": {"epochs": 0}}, r"training\.epochs: .* greater than or equal to 1; got 0"),
        ({"training": {"loss": "mse"}}, r"training\.loss: .*'supervised_contrastive', "),
        ({"model": {"embedding_size": 0}}, r"model\.embedding_size: .*got 0"),
        ({"splits": {"train": 0.9}}, r"splits: train \+ validation \+ test must be 1, not 1\.3"),
        ({"image": {"size": 4}}, r"image\.size: .*got 4"),
        ({"name": "My_Parts"}, "name: .*got 'My_Parts'"),
        (
            {"output": "runs [1]"},
            r"output: '\[' in /.*/runs \[1\]/.* file name pattern; rename the folder",
        ),
        ({"artifacts": "gs://a/b*"}, r"artifacts: '\*' in gs://a/b\*/"),
        ({"data": {"root": "a?/{SPAN}"}}, r"data\.root: '\?' in /.*/a\?/\{SPAN\} would be"),
        ({"runner": "beam"}, "runner: unknown key; .*valid keys are name, output"),
        (
            {"data": {"root": "x", "layout": "manifest"}},
            "data: layout 'manifest' needs",
        ),
        (
            {"data": {"root": "x", "layout": "class_folders", "manifest": "m.csv"}},
            "data: data.manifest is given but",
        ),
        (
            {"tuner": {"enabled": True, "reuse": "x"}},
            "tuner: enabled starts a search and reuse takes",
        ),
        ({"training": {"frozen_epochs": 20}}, "training: frozen_epochs 20 is more than epochs 10"),
        ({"training": {"last_blocks_epochs": 20}}, "training: last_blocks_epochs 20 is more than"),
        (
            {"image": {"size": 96}, "model": {"backbone": "dinov2_small"}},
            r"'dinov2_small' cuts .*14 pixels, and image\.size 96 .* set it to 84 or 98",
        ),
        (
            {"image": {"size": 200}, "tuner": {"enabled": True, "backbones": ["dinov3_vit_7b"]}},
            r"'dinov3_vit_7b' cuts .*16 pixels, and image\.size 200 ",
        ),
        (
            {"model": {"value_range": [0, 1]}},
            "model: value_range is that of a saved encoder, and backbone 'auto' has its own",
        ),
        ({"model": {"backbone": "a.keras", "value_range": [1, 0]}}, "first value must be smaller"),
        (
            {
                "model": {"backbone": "a.keras", "value_range": [0, 1]},
                "tuner": {"enabled": True, "backbones": ["a.keras", "ResNet50"]},
            },
            "value_range is that of a saved encoder, and backbone 'ResNet50' has its own",
        ),
        (
            {"training": {"frozen_epochs": 1}, "model": {"embedding_size": None}},
            r"training\.frozen_epochs 1 trains only the layers after the backbone, and there are",
        ),
        (
            {"splits": {"folds": 5}, "training": {"refit": True}},
            r"splits\.folds 5: the model learns from all images anyway, .*leave training\.refit",
        ),
        (
            {"training": {"article": {"two_passes": True}}},
            "training: article.two_passes needs the 2019 article's loss",
        ),
        (
            {"pairs": {"train": {"sampling": "random_partners"}}},
            "'supervised_contrastive' compares each image with several others",
        ),
        (
            {"model": {"article": {"normalize": False}}},
            "'supervised_contrastive' needs embeddings of unit length",
        ),
        (
            {"thresholds": dict.fromkeys(("auc", "class_accuracy", "worst_class_recall"))},
            "thresholds: at least one of auc",
        ),
        ({"thresholds": {"auc": 1.5}}, r"thresholds\.auc\.at_least: .*got 1\.5"),
        ({"thresholds": {"auc": True}}, r"thresholds\.auc: "),
        (
            {"thresholds": {"auc": {"at_last": 0.5}}},
            r"thresholds\.auc\.at_last: unknown key; did you mean 'at_least'",
        ),
        (
            {"thresholds": {"auc": {"at_least": 0.5, "bound": "upper"}}},
            r"thresholds\.auc\.bound: .*'value' or 'lower'",
        ),
        ({"thresholds": {"acu": 0.5}}, r"thresholds\.acu: unknown key; did you mean 'auc'"),
        (
            {
                "thresholds": {"beats_pretrained_encoder": True},
                "judge": {"reference_methods": False},
            },
            "beats_pretrained_encoder needs judge.reference_methods",
        ),
        ({"judge": {"episodes": {"ways": 1}}}, r"judge\.episodes\.ways: .*got 1"),
        ({"judge": {"unknown": "./x/unknown"}}, "judge.unknown './x/unknown' is inside data.root"),
        ({"judge": {"unknown": "x"}}, "judge.unknown 'x' is inside data.root"),
        ({"data": {"root": "x", "unlabelled": "x/more"}}, "data.unlabelled 'x/more' is inside"),
        (
            {"data": {"root": "x", "unlabelled": "more"}, "model": {"weights": "none"}},
            "data.unlabelled needs a frozen encoder, .* there are no pretrained weights; leave it",
        ),
        (
            {"data": {"root": "x", "unlabelled": "more"}, "tuner": {"enabled": True}},
            "data.unlabelled needs a frozen encoder",
        ),
    ],
)
def test_mistakes_are_named_with_the_mend(values, message):
    with pytest.raises(ConfigError, match=message):
        parse({"data": {"root": "x"}, **values} if values and "dat" not in values else values)


def test_keys_that_are_merged_are_given_once(file):
    anchor = "seed: 1\npush: &p {destination: a}\ndata:\n  <<: {root: x}\n  root: images\n"
    file.write_text(anchor)
    assert load(file).data.root == "images"
    file.write_text("a: {b: &base {<<: &other {size: 32}, size: 64}}\nc: {<<: *base}\n")
    assert read_yaml(file)["c"] == {"size": 64}


def test_images_of_no_class_are_beside_the_classes_or_not_among_those_listed():
    parse({"data": {"root": "x"}, "judge": {"unknown": "x-unknown"}})
    parse({"data": {"root": "x", "manifest": "m.csv"}, "judge": {"unknown": "x/unknown"}})


def test_a_model_may_be_measured_only():
    assert parse({"data": {"root": "x"}, "thresholds": None}).thresholds is None


def test_every_mistake_is_named():
    with pytest.raises(ConfigError) as caught:
        parse({"data": {"root": "x"}, "runner": "x", "image": {"size": 1}}, "my.yaml")
    assert [line.split(": ")[:2] for line in str(caught.value).splitlines()] == [
        ["my.yaml", "image.size"],
        ["my.yaml", "runner"],
    ]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epochs", "write it as section.key=value"),
        ("training.epochs", "write it as section.key=value"),
        ("training.epochs=[", "the value is not YAML"),
        ("image={size: 32, size: 64}", "duplicate key 'size'"),
        ("data.root.x=1", "data.root has no keys below it|root has no keys below it"),
        ("training.epoch=1", r"training\.epoch: unknown key; did you mean 'epochs'"),
    ],
)
def test_wrong_overrides(file, override, message):
    with pytest.raises(ConfigError, match=message):
        load(file, [override])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", "is not YAML"),
        (b"seed: 1\nname: a\nseed: 2", "line 3: duplicate key 'seed', first given in line 1; keep"),
        (b"data:\n  root: a\n  root: b", "line 3: duplicate key 'root', first given in line 2"),
        (b"- a\n- b", "must hold keys and values"),
        (b"\xff\xfe", "is not a UTF-8 text file"),
        (b"", "must hold keys and values"),
    ],
)
def test_files_that_are_no_configuration(tmp_path, content, message):
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read \(No such file"):
        load(tmp_path / "none.yaml")


def test_nothing_can_be_changed_afterwards(file):
    with pytest.raises(ValueError, match="frozen"):
        load(file).training.epochs = 3


def test_artifacts_may_be_elsewhere_and_the_rest_stays_here(file):
    config = load(file, ["name=few", "artifacts=s3://bucket/runs/", "model.weights=gs://w/x.h5"])
    assert config.pipeline_root == "s3://bucket/runs/few"
    assert str(config.metadata) == "runs/few/metadata.sqlite"
    assert config.written_to == {"artifacts": "s3://bucket/runs/few"}
    assert config.read_from == {"model.weights": "gs://w/x.h5", "data.root": "images"}
    assert load(file).pipeline_root == str(Path("runs/siamese/pipeline").absolute())


@pytest.mark.parametrize("args", ["[--runner=FlinkRunner]", "[--runner, FlinkRunner, --x]"])
def test_beam_workers_elsewhere_do_not_reach_artifacts_on_s3(file, args):
    load(file, ["artifacts=gs://bucket/runs", f"beam.args={args}"])
    load(file, ["artifacts=s3://bucket/runs", "beam.args=[--runner=DirectRunner]"])
    load(file, ["artifacts=s3://bucket/runs", "beam.args=[--direct_num_workers=2]"])
    with pytest.raises(ConfigError, match=r"artifacts: s3://bucket/runs: .*--runner=FlinkRunner"):
        load(file, ["artifacts=s3://bucket/runs", f"beam.args={args}"])


def test_the_output_stays_here(file):
    with pytest.raises(ConfigError, match="output: s3://bucket/runs is not a local folder"):
        load(file, ["output=s3://bucket/runs"])


def test_the_current_folder_is_not_taken_for_a_pattern_of_the_images(tmp_path, monkeypatch):
    (tmp_path / "[1]").mkdir()
    monkeypatch.chdir(tmp_path / "[1]")
    output = str(tmp_path / "runs")
    assert parse({"output": output, "data": {"root": "images"}}).data.root == "images"
    with pytest.raises(ConfigError, match=r"data\.root: '\[' in "):
        parse({"output": output, "data": {"root": "images/{SPAN}"}})


def test_the_article_has_no_tiles():
    with pytest.raises(ConfigError, match=r"image\.tiles is no part of the 2019 article's recipe"):
        load(next(path for path in CONFIGS if path.name == "article.yaml"), ["image.tiles=2x2"])


def test_image_settings(tmp_path):
    def image(**settings):
        return parse({"name": "a", "data": {"root": "x"}, "image": settings}, "my.yaml").image

    assert image().as_tiles() == Tiles()
    assert image(tiles="2x3", tile_pooling="max").as_tiles() == Tiles(
        rows=2, columns=3, pooling="max"
    )
    assert image(range={"low": 0, "high": 4095}).range.high == 4095
    for wrong, message in [
        ({"range": {"low": 5, "high": 4}}, r"image\.range: low \(5\) must be below high \(4\)"),
        ({"range": {"low": 5}}, r"image\.range\.high: is required"),
        ({"range": {"low": 1, "hihg": 4, "high": 5}}, r"image\.range\.hihg: .*did you mean 'high'"),
        ({"range": "full"}, r"image\.range: must be auto, or .*4095}; got 'full'"),
        ({"tile_pooling": "max"}, r"image: tile_pooling 'max' needs tiles"),
        ({"tiles": "3"}, r"image\.tiles"),
        ({"region": {"x": 0, "width": 5}}, r"image\.region\.height"),
    ]:
        with pytest.raises(ConfigError, match=f"^my.yaml: {message}[^\n]*$"):
            image(**wrong)
