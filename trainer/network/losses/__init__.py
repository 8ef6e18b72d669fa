"""Losses on the embeddings or pairs of one batch of images, one file each."""
