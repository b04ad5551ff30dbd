"""What a run records: metrics, loss curve, live line, stretches, losses of windows."""
