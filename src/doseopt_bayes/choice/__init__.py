"""Which curve and which exposure to believe: leave-one-out, comparison, averaging, checks of shape."""
