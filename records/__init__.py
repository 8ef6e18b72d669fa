"""The records that components exchange: feature names, examples, pair blocks, image keys."""
