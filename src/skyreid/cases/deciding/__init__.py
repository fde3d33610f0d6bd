"""Who is who in a case: decisions, the identities that follow from them, whom to ask about next."""
