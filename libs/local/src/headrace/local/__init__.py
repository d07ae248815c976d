"""The embedded default: NATS, S3 server, Ray and all services on one machine from wheels alone."""
