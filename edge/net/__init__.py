"""Links between nodes: frames, the gateway between them and the space, and MQTT (thesis 5.1.3.2)."""
