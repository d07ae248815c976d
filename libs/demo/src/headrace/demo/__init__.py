"""A true story on real data: the flights of 2013 from New York, told through what a user has."""
