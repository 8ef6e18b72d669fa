import subprocess
import sys

IMPORT_ALL = """
import importlib, pkgutil, sys
for name in ("tensorflow", "tfx", "apache_beam", "keras", "ml_metadata"):
    sys.modules[name] = None  # whoever imports it gets an ImportError
import judging
for module in pkgutil.walk_packages(judging.__path__, "judging."):
    importlib.import_module(module.name)
    print(module.name)
"""


def test_judging_needs_neither_tfx_nor_tensorflow():
    command = [sys.executable, "-c", IMPORT_ALL]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "judging.judge" in done.stdout.split()
    assert "judging.statistics.roc" in done.stdout.split()
