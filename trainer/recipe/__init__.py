"""The recipe that chooses itself: candidates on cached features, compared by cross-validation."""
