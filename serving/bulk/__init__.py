"""Work on many files: lists them, records answers so that a run can go on, writes tables."""
