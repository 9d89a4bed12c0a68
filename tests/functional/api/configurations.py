"""Configurations of the HTTP door for tests, made without looking at files or variables."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from placement_api import conf as api_conf


def make(url: str, **groups: dict[str, Any]) -> cfg.ConfigOpts:
    """A configuration over the database at `url`, with `group={option: value}` set."""
    conf = cfg.ConfigOpts()
    conf(args=[], default_config_files=[], default_config_dirs=[], use_env=False)
    api_conf.register_opts(conf)
    conf.set_override("connection", url, group="placement_database")
    conf.set_override("max_retries", 0, group="placement_database")
    for group, options in groups.items():
        for name, value in options.items():
            conf.set_override(name, value, group=group)
    return conf
