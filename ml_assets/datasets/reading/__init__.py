"""A stranger's bytes to typed columns: files, formats, dialects, cells. What a contract promises is `spec`."""
