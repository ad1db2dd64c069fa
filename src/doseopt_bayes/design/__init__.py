"""Designs: how a trial doses its cohorts, and what that does in trials that are simulated."""
