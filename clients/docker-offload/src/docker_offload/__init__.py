"""`docker offload`: the docker client's plugin for sessions of an Offload Portal."""

VERSION = "0.1.0"
VENDOR = "Offload Portal"
SUMMARY = "Offload builds and containers"
CONTEXT = "docker-offload"
