"""Commands of `autrainer-ext`, one file each."""
