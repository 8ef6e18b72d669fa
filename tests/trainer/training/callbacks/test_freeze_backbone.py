import pytest

from trainer.network.backbone import LAST_BLOCKS
from trainer.settings import Model, Training
from trainer.training.callbacks.freeze_backbone import unfreezing

PRETRAINED, FROM_SCRATCH = Model(), Model(weights="none")


@pytest.mark.parametrize(
    ("settings", "model", "epochs"),
    [
        ({"epochs": 10}, PRETRAINED, (1, 3)),
        ({"epochs": 3}, PRETRAINED, (1, 1)),
        ({"epochs": 2}, PRETRAINED, (0, 0)),
        ({"epochs": 10}, FROM_SCRATCH, (0, 0)),
        ({"epochs": 10, "frozen_epochs": 4}, PRETRAINED, (4, 3)),
        ({"epochs": 10, "frozen_epochs": 8}, PRETRAINED, (8, 1)),
        ({"epochs": 10, "frozen_epochs": 10}, PRETRAINED, (10, 0)),
        ({"epochs": 10, "last_blocks_epochs": 0}, PRETRAINED, (1, 0)),
        ({"epochs": 10, "frozen_epochs": 0, "last_blocks_epochs": 2}, FROM_SCRATCH, (0, 2)),
        ({"epochs": 10, "optimizer": "adamw"}, PRETRAINED, (0, 0)),
        ({"epochs": 10}, Model(embedding_size=None), (0, 3)),
        ({"epochs": 10}, Model(embedding_size=None, hidden=(8,)), (1, 3)),
        ({"epochs": 10, "loss": "binary_crossentropy"}, Model(embedding_size=None), (1, 3)),
    ],
)
def test_a_pretrained_backbone_is_unfrozen_in_steps(settings, model, epochs):
    assert unfreezing(Training(**settings), model) == epochs


def test_the_share_of_trained_layers_grows():
    epochs = unfreezing(Training(epochs=9, frozen_epochs=1, last_blocks_epochs=2), PRETRAINED)
    assert [epochs.share(epoch) for epoch in range(5)] == [0, LAST_BLOCKS, LAST_BLOCKS, 1, 1]


@pytest.mark.parametrize(
    ("settings", "epoch"),
    [
        ({"frozen_epochs": 1, "last_blocks_epochs": 2}, 3),
        ({"frozen_epochs": 9}, 0),  # frozen throughout
        ({"frozen_epochs": 4, "last_blocks_epochs": 5}, 4),  # never all of it
        ({"frozen_epochs": 0, "last_blocks_epochs": 0}, 0),
    ],
)
def test_from_when_on_the_same_layers_are_trained(settings, epoch):
    """`patience` counts from there: where no epoch follows in which all are, it counts too."""
    assert unfreezing(Training(epochs=9, **settings), PRETRAINED).last_change(9) == epoch
