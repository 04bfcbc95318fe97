"""The part of Azure that no package ships, on loopback: what the unmodified SDKs reach on a laptop."""
