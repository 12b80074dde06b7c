"""Evidence: files are opened, recognised, read into the input relations, and accounted for."""
