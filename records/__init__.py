"""The records that travel between components: feature names, examples, pair blocks, image keys."""
