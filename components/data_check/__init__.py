"""DataCheck: stops a run whose images cannot be trained on."""
