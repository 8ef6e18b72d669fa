"""What watches a training, one file each; `trainer.training.fit` puts them in order."""
