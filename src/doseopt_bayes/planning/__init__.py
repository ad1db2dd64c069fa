"""Planning randomised arms in closed form: boundaries, sample sizes, predictions, biases."""
