"""InfraCheck: a server must give the model's answers before it is pushed."""
