"""One run on its way through its stages: what it came to, and what starts next.

The theory of operation. A stage of a run opens, works and closes: its condition before entry is
looked at, its actions start in groups of equal runOrder, its condition after success or failure is
looked at, and the stage ends. A pass takes a run through as many of these steps as it can, so that
an action that ends and the next one that starts are one status write. A pass stops where it must
wait: for a try, for a rule, for a person, for a free stage.

A stage that fails ends its run, unless it declares a retry or a rollback. Both are written into the
run's status before anything is created, so that a crash repeats neither. A run holds its stage
until the containers of its tries have ended, whatever its status says: locks follow containers.
"""
