"""Evaluation of trained models on other data: recordings, scores and saved outputs."""
