"""Cache, keyed work queue, reconciler: gather -> plan -> apply."""
