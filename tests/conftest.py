"""What holds for every test."""

from hypothesis import settings

# A deadline would be an assertion on the machine's speed: how much work is done is counted where it matters.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
