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


CLIENT = ("serving.client", "serving.async_client")


def test_the_client_loads_neither_tensorflow_nor_opencv():
    code = f"""
import importlib, sys
for name in {CLIENT}:
    importlib.import_module(name)
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "serving" in loaded
    heavy = {*HEAVY, "cv2", "scipy", "sklearn", "tensorflow_serving", "boto3", "pandas"}
    assert not heavy.intersection(loaded)


def test_the_recorder_loads_neither_tensorflow_nor_opencv():
    """It starts again quickly, and stays small beside the server."""
    code = """
import sys
import serving.recorder.server
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "grpc" in loaded
    assert not {*HEAVY, "cv2", "scipy", "sklearn", "tensorflow_serving"}.intersection(loaded)


def test_the_client_sends_images_without_opencv_and_tensorflow():
    """Where neither can be imported, as after `pip install siamese-tfx` alone."""
    code = """
import io, sys
sys.modules.update(dict.fromkeys(["cv2", "tensorflow", "tensorflow_serving", "tfx", "scipy"]))
import numpy as np
from PIL import Image
from serving.query_image import ImageError, canonical_query
picture = Image.linear_gradient("L").convert("RGB")
for kind in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"):
    file = io.BytesIO()
    picture.save(file, kind)
    assert canonical_query(file.getvalue()), kind
assert canonical_query(picture.convert("RGBA")) and canonical_query(np.zeros([4, 4], "f"))
try:
    canonical_query(np.zeros([4, 4, 3], "u2"))
except ImageError as e:
    print(e)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "needs OpenCV: pip install opencv-python-headless" in done.stdout


def test_the_command_line_starts_where_only_the_client_is_installed():
    code = """
import sys
absent = ["cv2", "tensorflow", "tfx", "apache_beam", "keras", "sklearn", "jinja2", "matplotlib"]
sys.modules.update(dict.fromkeys([*absent, "tensorflow_serving", "ml_metadata", "pyarrow"]))
from pipeline import cli
assert "scipy" not in sys.modules  # a quarter of the time that the start would take
cli.main(["--help"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_browser_interface_needs_neither_tensorflow_nor_opencv():
    """Beside a server it is installed alone, as `siamese-tfx[ui]`."""
    code = """
import importlib, pkgutil, sys
missing = ("apache_beam cv2 h11 keras keras_tuner prometheus_client sklearn tensorflow "
           "tensorflow_serving tfx").split()
sys.modules.update(dict.fromkeys(missing))
import pipeline.commands.ui, pipeline.ui
for module in pkgutil.walk_packages(pipeline.ui.__path__, "pipeline.ui."):
    importlib.import_module(module.name)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
