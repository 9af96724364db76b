"""The methods of `osc_bridge.client.Client` by topic, each a part of it."""
