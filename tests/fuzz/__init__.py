"""Fuzzers: each ``fuzz_<name>.py`` tries inputs that nobody wrote down.
``make fuzz`` runs all of them.
"""
