"""``python -m mtd.lab``."""

from mtd.lab.command import lab

if __name__ == "__main__":
    lab(prog_name="python -m mtd.lab")
