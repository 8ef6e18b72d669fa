"""What a deployed model was asked and answered, and what people said of it."""
