"""The simulated world, where the truth is known: hearts, their ultrasound, their annotators."""
