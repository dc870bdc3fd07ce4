"""Runs the penstock command as ``python -m penstock.cli``."""

from penstock.cli.main import main

main()
