"""Pages for whoever answers for a case or a server: people, retention, exports."""
