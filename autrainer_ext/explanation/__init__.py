"""Explanations of predictions: attributions, masks, fidelity scores and reconstructed audio."""
