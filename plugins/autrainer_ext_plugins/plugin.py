"""The base class of post-processing plugins, under the name that configurations use."""

from autrainer_ext.plugin import AbstractPlugin, load_plugin, plugin_names

__all__ = ["AbstractPlugin", "load_plugin", "plugin_names"]
