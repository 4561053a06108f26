"""Does what annostat prints hold? ``python -m analysis.calibration [--quick] [SUITE ...]``.

For every interval and every test: how often it covers or rejects, its width and its bias, over
sample sizes, laws of the noise, numbers of rounds, missing cells and clusters. All data are
simulated. Each finished design is a row of the results file at once, so that a run that was
stopped goes on where it was, and runs of other seeds add to it; ``--table`` writes the tables and
the figure of the page from the file.
"""
