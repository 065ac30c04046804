"""A trained model at work: audio files, front ends, forward passes, model directories."""
