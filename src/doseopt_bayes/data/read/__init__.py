"""Strict readers: a table and its column roles in, checked values or every fault out."""
