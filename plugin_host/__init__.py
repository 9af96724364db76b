"""The DAW's side: the command line, effects and chains, and the return of stems to the session."""
