"""The simulated menus: rows of text for each path, and the commands that a path takes."""
