"""Losses on the embeddings or similarities of one batch of images, one file each."""
