"""Every image built for real, run as it would be in production, and the store of docker-compose.yml from end to end."""
