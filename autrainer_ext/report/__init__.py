"""One offline page that tells the whole story of a model.

tables of the plugins -> sections and links -> page

`show` displays sections in a notebook. The module `clips` writes audio and pictures; it imports
the serving code of the host.
"""

from .notebook import show

__all__ = ["show"]
