"""Who is compared with whom, and where the right people stand: what every score is made of."""
