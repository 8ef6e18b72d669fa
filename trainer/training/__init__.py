"""Training: input, optimizer, callbacks, distribution, and what a training leaves."""
