"""From the configuration that a published fixture has made to one that our application takes."""

from __future__ import annotations

from collections.abc import Iterator

from oslo_config import cfg

import placement_api.conf


def carried_over(theirs: cfg.ConfigOpts) -> cfg.ConfigOpts:
    """Our configuration, with every option that has been set in theirs set to the same.

    What nobody has set keeps our default, which is part of what is compared.

    :raises oslo_config.cfg.Error: when one that has been set is unknown to us.
    """
    ours = cfg.ConfigOpts()
    placement_api.conf.register_opts(ours)
    for group, name in _options(theirs):
        location = theirs.get_location(name, group)
        if location is not None and location.location is not cfg.Locations.opt_default:
            value = theirs[name] if group is None else theirs[group][name]
            ours.set_override(name, value, group=group)
    ours([], default_config_files=[], default_config_dirs=[], use_env=False)
    return ours


def _options(conf: cfg.ConfigOpts) -> Iterator[tuple[str | None, str]]:
    for name, value in conf.items():
        if isinstance(value, cfg.ConfigOpts.GroupAttr):
            yield from ((name, option) for option in value)
        else:
            yield None, name
