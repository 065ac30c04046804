"""The functions that `import autrainer_ext` offers, for use without an experiment of the host."""
