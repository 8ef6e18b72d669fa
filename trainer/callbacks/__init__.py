"""What watches a training, one file each; `trainer.fit` puts them in order."""
