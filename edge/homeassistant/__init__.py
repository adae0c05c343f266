"""Home Assistant: the node and its twins as devices there, over MQTT (docs/home-assistant.md).

Loaded only by a node whose section `[home_assistant]` wants it.
"""
