"""The gate: judging of finished runs and of exported models."""
