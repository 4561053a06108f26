"""``python -m annostat``."""

from annostat.cli import main

if __name__ == "__main__":
    main()
