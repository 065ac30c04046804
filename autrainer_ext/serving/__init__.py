"""Applying a trained model to audio files: model directories, front ends and predictions."""
