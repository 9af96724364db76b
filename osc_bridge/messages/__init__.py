"""The messages by group; `osc_bridge.schema` has them all."""
