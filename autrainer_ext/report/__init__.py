"""One offline page that tells the whole story of a model.

tables of the plugins -> sections and links -> page

The module `clips` writes audio and pictures; it imports the serving code of the host.
"""
