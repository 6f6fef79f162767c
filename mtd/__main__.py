"""``python -m mtd`` is the command ``mtd``."""

from mtd.cli import main

if __name__ == "__main__":
    main(prog_name="mtd")
