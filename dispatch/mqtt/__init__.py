"""An MQTT 5 connection on asyncio: the transport that ingest, replay and the simulator share; it decides nothing."""
