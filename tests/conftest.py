"""What holds for every test."""

from hypothesis import settings

# A deadline would be an assertion on the machine's speed: how much work is done is counted where it matters.
# The same inputs each time: a change is judged by what it did, not by luck. `make fuzz` looks for new ones.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2_000, print_blob=True)
settings.load_profile("steady")
