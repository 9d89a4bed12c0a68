"""The adapter that is made of `[placement]` options."""

from __future__ import annotations

import pytest
from keystoneauth1 import exceptions as ks_exc
from keystoneauth1 import loading
from oslo_config import cfg

from placement_api import conf as api_conf
from placement_api import report_client
from placement_api.report_client import PlacementNotConfigured, SchedulerReportClient

CREDENTIALS = """
[placement]
auth_type = password
auth_url = http://identity.example/v3
username = placement
password = secret
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = RegionTwo
"""


@pytest.fixture
def write(tmp_path):
    """Writes a configuration file, and returns its path."""

    def write(text, name="nova.conf"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def configured(path):
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[path], default_config_dirs=[])
    return conf


def adapter_of(client):
    return client._transport._adapter


def check(adapter):
    assert adapter.service_type == "placement"
    assert adapter.interface == ["internal", "public"]
    assert adapter.region_name == "RegionTwo"
    assert adapter.raise_exc is False
    assert adapter.additional_headers == {"accept": "application/json"}
    assert adapter.auth is adapter.session.auth
    assert adapter.auth.auth_url == "http://identity.example/v3"


def test_an_adapter_from_files(write):
    check(adapter_of(SchedulerReportClient(config_files=[write(CREDENTIALS)])))


def test_an_adapter_from_the_usual_file(write, monkeypatch, tmp_path):
    write(CREDENTIALS)
    monkeypatch.setenv("HOME", str(tmp_path))
    check(adapter_of(SchedulerReportClient()))


def test_an_adapter_from_a_configuration(write):
    check(adapter_of(SchedulerReportClient(conf=configured(write(CREDENTIALS)))))


def test_an_adapter_from_the_configuration_of_a_service(write):
    """One that has registered the options itself, with defaults of its own."""
    conf = configured(write(CREDENTIALS))
    loading.register_auth_conf_options(conf, "placement")
    options = loading.get_adapter_conf_options(include_deprecated=False)
    cfg.set_defaults(options, valid_interfaces=["admin"], service_type="placement")
    conf.register_opts(options, group="placement")
    adapter = adapter_of(SchedulerReportClient(conf=conf))
    assert adapter.interface == ["admin"]


def test_the_placement_services_own_options_do_not_clash(write):
    conf = configured(write(CREDENTIALS + "max_allocation_candidates = 5\n"))
    api_conf.register_opts(conf)
    check(adapter_of(SchedulerReportClient(conf=conf)))
    assert conf.placement.max_allocation_candidates == 5


def test_what_is_configured_goes_before_the_defaults(write):
    text = (
        CREDENTIALS + "valid_interfaces = public\nendpoint_override = http://placement.example\n"
    )
    adapter = adapter_of(SchedulerReportClient(config_files=[write(text)]))
    assert adapter.interface == ["public"]
    assert adapter.get_endpoint() == "http://placement.example"


def test_a_new_adapter_is_made_of_the_same_configuration(write, monkeypatch):
    client = SchedulerReportClient(config_files=[write(CREDENTIALS)])
    before = adapter_of(client)

    def no_endpoint(*args, **kwargs):
        raise ks_exc.EndpointNotFound

    monkeypatch.setattr(before, "get", no_endpoint)
    with pytest.raises(report_client.PlacementAPIConnectFailure):
        client.get_resource_provider_name(None, "H")
    assert adapter_of(client) is not before
    check(adapter_of(client))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "auth_type is not set"),
        ("[placement]\nauth_type = nonsense\n", "nonsense"),
        ("[placement]\nauth_type = password\n", "auth_url"),
        (CREDENTIALS + "valid_interfaces = nonsense\n", "nonsense"),
        (CREDENTIALS + "connect_retries = nonsense\n", "connect.retries"),
    ],
)
def test_options_that_lead_nowhere(write, text, message):
    with pytest.raises(PlacementNotConfigured, match=message):
        SchedulerReportClient(config_files=[write(text)])


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(cfg.ConfigFilesNotFoundError, match=r"missing\.conf"):
        SchedulerReportClient(config_files=[str(tmp_path / "missing.conf")])
