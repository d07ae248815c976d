"""What a model that was made elsewhere may come as: one file and one line a format. Runs inside a worker."""
