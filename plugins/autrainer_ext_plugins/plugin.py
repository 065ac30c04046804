"""Base class of post-processing plugins; users derive their own plugins from it."""

from autrainer_ext.plugin import AbstractPlugin, load_plugin, plugin_names, suitable_runs

__all__ = ["AbstractPlugin", "load_plugin", "plugin_names", "suitable_runs"]
