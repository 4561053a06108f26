"""Studies and figures: one script each, through annostat's public API."""
