"""How cost grows: python -m tests.bench growth (see `main`)."""
