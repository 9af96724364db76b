"""The DAW's side: effects and chains, delivery, pictures, and the command line."""
