"""The configuration of a run: reading, checking, and the sections."""
