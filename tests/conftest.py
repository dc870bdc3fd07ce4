"""What holds for every test."""

import tests.properties  # noqa: F401 - Hypothesis's profiles
