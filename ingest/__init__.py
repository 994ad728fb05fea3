"""The MQTT door: from bytes of a phone to rows, acknowledged after the commit."""
