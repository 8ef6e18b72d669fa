"""The exported model: signatures, support set, warm-up requests."""
