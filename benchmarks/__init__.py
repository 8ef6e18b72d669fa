"""Benchmarks, one command each: `python -m benchmarks.digits --help`.

Each runs all sides interleaved in one run, prints a table with ratios first, and writes the same as
JSON where `--json FILE` is given.
"""

from base import tensorflow_environment

# Before TensorFlow is imported.
tensorflow_environment.set_defaults()
