"""Commands that come with the HTTP door; those of the domain are in `placement_core.cmd`."""
