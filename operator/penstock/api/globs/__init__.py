"""Globs as CodePipeline has them (G-30..G-36): of paths, of names, in lists."""
