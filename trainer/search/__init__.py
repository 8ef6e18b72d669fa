"""The search for hyperparameters with KerasTuner."""
