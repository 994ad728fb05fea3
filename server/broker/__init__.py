"""What the MQTT broker is told: configuration text, access rules, password hashes."""
