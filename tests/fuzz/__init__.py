"""Coverage-guided fuzzing of what reads files: python -m tests.fuzz [SECONDS] [TARGET ...]."""
