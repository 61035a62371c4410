"""An open command centre for city bus fleets: reports in, the picture of the fleet, events and instructions out."""
