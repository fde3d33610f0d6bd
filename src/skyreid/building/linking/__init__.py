"""Who is who across cameras: people's decisions on pairs of tracklets, kept as events, and the identities they make.

Events are appended to the `event_log`, replayed into a `link_state` with the identities that follow, and written into
the manifest by `linked_manifest`; `candidates` says which pairs to look at next. `LinkFolder` ties them together for
whoever asks people: the command line, the web application.
"""
