"""Puts figures on exported model folders: independent classifiers name what the pictures and clips show."""
