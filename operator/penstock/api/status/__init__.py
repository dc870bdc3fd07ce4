"""What statuses hold, as GetPipelineState and GetPipelineExecution show it."""
