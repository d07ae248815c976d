"""Where rows come from: one module a file format. Each yields checked Arrow tables and can name a row's line."""
