"""What people ask of runs by their spec, each entry answered once: stops, retries, overrides."""
