"""InfraCheck: checks that a server gives the model's answers before the model is pushed."""
