"""What leaves the portal for other people's machines."""
