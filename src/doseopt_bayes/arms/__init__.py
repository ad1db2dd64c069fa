"""Randomised arms against each other, from one posterior: differences, margins, configurations."""
