"""Brings suspects into the review queue, and reviewed images into the data set and the model."""
