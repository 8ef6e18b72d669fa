"""Measurements; each module is a program with `--help`."""
