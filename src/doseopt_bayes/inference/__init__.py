"""From a model and data to a posterior that knows its own error."""
