"""The Django side of the house: rooms, API, sockets. The only layer that composes engine, cti and integrations."""
