"""The secretariat's pages that put several stages side by side."""
