"""Each service as it is, on a real socket and on PostgreSQL, with something in it to find."""
