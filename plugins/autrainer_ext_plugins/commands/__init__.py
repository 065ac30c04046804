"""Commands of `autrainer-ext`, one file per command."""
