"""What brings the store to where it runs: containers, Kubernetes, Azure."""
