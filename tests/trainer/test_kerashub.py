import subprocess
import sys
from types import SimpleNamespace

import pytest

from trainer import kerashub
from trainer.errors import BackboneError
from trainer.kerashub import check_image_size, check_installed, family_of


@pytest.mark.parametrize(
    ("backbone", "patch"),
    [("dinov2_small", 14), ("dinov2_with_registers_base", 14), ("dinov3_vit_7b_sat493m", 16)],
)
def test_presets_have_the_patches_of_their_family(backbone, patch):
    assert family_of(backbone).patch == patch


@pytest.mark.parametrize(
    "backbone", ["auto", "ResNet50", "dinov2", "dinov2_mine.keras", "dinov2_runs/encoder"]
)
def test_other_backbones_are_not_of_kerashub(backbone, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    assert family_of(backbone) is None
    check_image_size(backbone, 15)
    check_installed(backbone)


def test_images_are_cut_into_whole_patches():
    check_image_size("dinov2_small", 224)
    check_image_size("dinov3_vit_small_lvd1689m", 224)
    with pytest.raises(BackboneError, match=r"image\.size 96 .*14 pixels|set it to 84 or 98"):
        check_image_size("dinov2_small", 96)
    with pytest.raises(BackboneError, match=r"set it to 16$"):
        check_image_size("dinov3_vit_small_lvd1689m", 10)


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    monkeypatch.setattr(kerashub, "sys", SimpleNamespace(version_info=(3, 13, 1)))
    with pytest.raises(BackboneError, match=r"'dinov2_small'.*pip install 'siamese-tfx\[keras-hub"):
        check_installed("dinov2_small")


def test_an_older_python_is_named_where_it_is_the_reason(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    monkeypatch.setattr(kerashub, "sys", SimpleNamespace(version_info=(3, 10, 13)))
    with pytest.raises(BackboneError, match=r"Python 3\.11 or newer, and this is Python 3\.10"):
        check_installed("dinov2_small")


def test_the_checks_import_no_keras():
    code = (
        "import sys\n"
        "from trainer.kerashub import check_image_size\n"
        "check_image_size('dinov2_small', 224)\n"
        "print([m for m in ('keras', 'keras_hub', 'tensorflow', 'tfx') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
