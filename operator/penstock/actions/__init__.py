"""One folder per provider: declaration.py (pure) beside execution.py (runs in the pod)."""
