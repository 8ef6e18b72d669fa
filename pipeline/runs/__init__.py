"""Runs: starting, following, and finding them again."""
