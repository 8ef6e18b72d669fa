"""What importing a package loads. The contracts in pyproject.toml say what it may name at all."""

import subprocess
import sys

HEAVY = {"apache_beam", "keras", "ml_metadata", "tensorflow", "tensorflow_model_analysis", "tfx"}


def test_judging_loads_neither_tfx_nor_tensorflow():
    code = """
import importlib, pkgutil, sys
import judging
for module in pkgutil.walk_packages(judging.__path__, "judging."):
    importlib.import_module(module.name)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "judging" in loaded
    assert not HEAVY.intersection(loaded)
