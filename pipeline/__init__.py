"""Configuration, the DAG, its runners, and the `siamese` command line."""
