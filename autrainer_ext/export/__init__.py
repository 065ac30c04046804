"""Trained networks for small devices: ONNX files, int8, budgets, and what int8 costs."""
