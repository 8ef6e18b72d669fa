"""Use of the exported model. Knows nothing of how it was trained."""
