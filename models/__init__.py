"""Training of student networks, run from a checkout: ``python -m models.train``."""
