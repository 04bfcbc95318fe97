"""All routes of all services, found where they are declared, with something of Ada's behind each."""
