"""Tests of the designs that people know."""
