import pytest

from trainer.network.backbone import LAST_BLOCKS
from trainer.settings import Training
from trainer.training.callbacks.freeze_backbone import unfreezing


@pytest.mark.parametrize(
    ("settings", "pretrained", "epochs"),
    [
        ({"epochs": 10}, True, (1, 3)),
        ({"epochs": 3}, True, (1, 1)),
        ({"epochs": 2}, True, (0, 0)),
        ({"epochs": 10}, False, (0, 0)),
        ({"epochs": 10, "frozen_epochs": 4}, True, (4, 3)),
        ({"epochs": 10, "last_blocks_epochs": 0}, True, (1, 0)),
        ({"epochs": 10, "frozen_epochs": 0, "last_blocks_epochs": 2}, False, (0, 2)),
    ],
)
def test_a_pretrained_backbone_is_unfrozen_in_steps(settings, pretrained, epochs):
    assert unfreezing(Training(**settings), pretrained) == epochs


def test_the_share_of_trained_layers_grows():
    epochs = unfreezing(Training(epochs=9, frozen_epochs=1, last_blocks_epochs=2), True)
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
    assert unfreezing(Training(epochs=9, **settings), True).last_change(9) == epoch
