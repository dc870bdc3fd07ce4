"""What holds for every test."""

import signal

import tests.support.properties  # noqa: F401 - Hypothesis's profiles

# A shell that starts tests in the background has them ignore interrupts, and so would every program
# that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
