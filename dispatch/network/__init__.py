"""The static city: routes, patterns, stops, trips and the calendar, from GTFS."""
