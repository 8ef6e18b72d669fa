"""Benchmarks, one command each: `python -m benchmarks.digits --help`.

Each runs all sides interleaved in one run, prints a table with ratios first, and writes the same as
JSON where `--json FILE` is given.
"""

import os

# Before TensorFlow is imported.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
