"""Timings against what a user would run instead, and scripts of the studies."""
