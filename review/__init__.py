"""Which recorded images people should look at, and how their decisions become training images."""
