"""The contract between the engine and everything that talks to it: OSC messages and transports."""
