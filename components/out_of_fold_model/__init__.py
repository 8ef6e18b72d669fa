"""Gives the Evaluator, with folds, a model whose answers are out of fold."""
