"""Post-processing plugins and the command line of autrainer_ext."""
