"""Own code: a package that a user has pushed is run as a child process, and what it saves becomes the model."""
