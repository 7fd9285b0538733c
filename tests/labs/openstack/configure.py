"""Writes the configuration of all services below LAB/run: configure.py LAB

Everything that matters to a test is the real thing: quotas, scheduling, policy, addresses, tokens,
metadata. Stand-ins are the hypervisor (Nova's fake driver) and layer 2 (stub_mech). Token caching is
off, so that a revoked token is refused at once; a listing's page holds 20 servers, so that clients
must turn pages.
"""

import os
import shutil
import sys
from pathlib import Path

LAB = Path(sys.argv[1])
RUN = LAB / "run"
ETC = RUN / "etc"

KEYSTONE = "http://127.0.0.1:25000/v3"
QUEUE = "rabbit://guest:guest@127.0.0.1:25672//"
METADATA_SECRET = "metasecret"


def database(name):
    url = f"mysql+pymysql://os:os@127.0.0.1:23306/{name}?charset=utf8mb3"
    return {"connection": url, "max_pool_size": 5}


def user(name):
    return {
        "auth_url": KEYSTONE,
        "auth_type": "password",
        "project_domain_name": "Default",
        "user_domain_name": "Default",
        "project_name": "service",
        "username": name,
        "password": "pw",
        "region_name": "RegionOne",
    }


def token_check(name):
    return {
        "www_authenticate_uri": KEYSTONE,
        "service_token_roles_required": "true",
        "service_token_roles": "service",
        "token_cache_time": -1,
        **user(name),
    }


def write(name, sections):
    lines = []
    for section, values in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {value}" for key, value in values.items()]
    (ETC / name).write_text("\n".join(lines) + "\n")


LOCKS = {"lock_path": RUN / "lock"}
NO_NOTIFICATIONS = {"driver": "noop"}


def keystone():
    write("keystone.conf", {
        "database": database("keystone"),
        "token": {"provider": "fernet", "expiration": 3600, "allow_expired_window": 172800},
        "fernet_tokens": {"key_repository": RUN / "fernet"},
        "credential": {"key_repository": RUN / "credential"},
    })


def placement():
    write("placement.conf", {
        "api": {"auth_strategy": "keystone"},
        "placement_database": database("placement"),
        "keystone_authtoken": token_check("placement"),
    })


def glance():
    shutil.copy(LAB / "venv/etc/glance/glance-api-paste.ini", ETC)
    images = RUN / "images"
    write("glance-api.conf", {
        "DEFAULT": {
            "enabled_backends": "fs:file",
            "worker_self_reference_url": "http://127.0.0.1:29292",
        },
        "os_glance_staging_store": {"filesystem_store_datadir": images / "staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": images / "tasks"},
        "glance_store": {"default_backend": "fs"},
        "fs": {"filesystem_store_datadir": images / "store"},
        "database": database("glance"),
        "paste_deploy": {
            "flavor": "keystone",
            "config_file": ETC / "glance-api-paste.ini",
        },
        "oslo_concurrency": LOCKS,
        "keystone_authtoken": token_check("glance"),
    })


def neutron():
    paste = ETC / "neutron-paste.ini"
    shutil.copy(LAB / "venv/etc/neutron/api-paste.ini", paste)
    write("neutron.conf", {
        "DEFAULT": {
            "core_plugin": "ml2",
            "service_plugins": "",
            "transport_url": QUEUE,
            "state_path": RUN / "neutron-state",
            "api_paste_config": paste,
            "notify_nova_on_port_status_changes": "true",
            "notify_nova_on_port_data_changes": "true",
            "rpc_workers": 0,
        },
        "nova": user("nova"),
        "database": database("neutron"),
        "oslo_concurrency": LOCKS,
        "oslo_messaging_notifications": NO_NOTIFICATIONS,
        "keystone_authtoken": token_check("neutron"),
    })
    write("ml2.ini", {
        "ml2": {
            "type_drivers": "local,flat,vlan",
            "tenant_network_types": "local",
            "mechanism_drivers": "stub",
            "extension_drivers": "port_security",
        },
        "securitygroup": {"enable_security_group": "true", "firewall_driver": "noop"},
    })


def nova():
    shutil.copy(LAB / "venv/etc/nova/api-paste.ini", ETC / "api-paste.ini")
    write("nova.conf", {
        "DEFAULT": {
            "host": "fake1",
            "my_ip": "127.0.0.1",
            "state_path": RUN / "nova-state",
            "transport_url": QUEUE,
            "compute_driver": "fake.FakeDriverWithoutFakeNodes",
            "metadata_workers": 1,
            "instance_build_timeout": 0,
            "sync_power_state_interval": 20,
            "report_interval": 5,
            "service_down_time": 20,
            "vif_plugging_timeout": 0,
            "vif_plugging_is_fatal": "false",
        },
        "api": {"auth_strategy": "keystone", "max_limit": 20},
        "api_database": database("nova_api"),
        "database": database("nova"),
        "conductor": {"workers": 1},
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 30},
        "filter_scheduler": {"track_instance_changes": "false"},
        "glance": {"api_servers": "http://127.0.0.1:29292", **user("glance")},
        "neutron": {
            "service_metadata_proxy": "true",
            "metadata_proxy_shared_secret": METADATA_SECRET,
            **user("neutron"),
        },
        "placement": user("placement"),
        "service_user": {"send_service_user_token": "true", **user("nova")},
        "quota": {"driver": "nova.quota.DbQuotaDriver"},
        "vnc": {"enabled": "false"},
        "oslo_concurrency": LOCKS,
        "oslo_messaging_notifications": NO_NOTIFICATIONS,
        "cinder": {"catalog_info": "volumev3:cinderv3:internalURL", **user("nova")},
        "keystone_authtoken": token_check("nova"),
    })


def gunicorn(name, application, port, threads=4):
    (ETC / f"{name}.gunicorn.py").write_text(f"""\
wsgi_app = "{application}"
bind = "127.0.0.1:{port}"
worker_class = "gthread"
threads = {threads}
timeout = 300
graceful_timeout = 2
keepalive = 30
proc_name = "{name}"
accesslog = "-"
errorlog = "-"
""")


def gunicorns():
    gunicorn("keystone", "keystone.wsgi.api:application", 25000, threads=6)
    gunicorn("placement", "placement.wsgi.api:application", 28778)
    gunicorn("glance", "glance.wsgi.api:application", 29292)
    gunicorn("neutron", "neutron.wsgi.api:application", 29696)
    gunicorn("nova-api", "nova.wsgi.osapi_compute:application", 28774, threads=8)
    gunicorn("nova-metadata", "nova.wsgi.metadata:application", 28775)


def clouds():
    file = RUN / "clouds.yaml"
    file.touch(mode=0o600)
    file.write_text("clouds:\n" + "".join(f"""\
  {name}:
    auth:
      auth_url: {KEYSTONE}
      username: {name}
      password: {password}
      project_name: {project}
      user_domain_name: Default
      project_domain_name: Default
    region_name: RegionOne
    identity_api_version: 3
""" for name, password, project in [("admin", "adminpw", "admin"), ("ctl", "ctlpw", "ci")]))


# Programs that start within Debian's tree; they write below its /srv.
MARIADB = """\
mkdir -p /run/mysqld
chown -R mysql /srv/db /run/mysqld
mariadb-install-db --force --user=mysql --datadir=/srv/db --skip-test-db \\
    --auth-root-authentication-method=normal
exec mariadbd --no-defaults --user=mysql --datadir=/srv/db --bind-address=127.0.0.1 --port=23306 \\
    --socket=/run/mysqld/lab.sock --max-connections=600 --skip-name-resolve \\
    --innodb-flush-log-at-trx-commit=0 --skip-innodb-doublewrite --innodb-buffer-pool-size=64M \\
    --character-set-server=utf8mb3 --performance-schema=off
"""

RABBITMQ = """\
export HOME=/var/lib/rabbitmq ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=24369
export RABBITMQ_NODENAME=rabbit@localhost RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
export RABBITMQ_NODE_PORT=25672 RABBITMQ_DIST_PORT=25673
export RABBITMQ_MNESIA_BASE=/srv/queue RABBITMQ_LOGS=- RABBITMQ_LOG_BASE=/srv/queue
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} \\
    +S 1:1 +sbwt none"
export RABBITMQ_ENABLED_PLUGINS_FILE=/srv/queue/plugins
echo '[].' >/srv/queue/plugins
chown -R rabbitmq /srv/queue
exec setpriv --reuid=rabbitmq --regid=rabbitmq --clear-groups \\
    /usr/lib/rabbitmq/bin/rabbitmq-server
"""


def servers():
    for name, text in [("mariadb", MARIADB), ("rabbitmq", RABBITMQ)]:
        (LAB / "root/srv" / f"{name}.sh").write_text(text)


if __name__ == "__main__":
    os.makedirs(ETC)
    for part in [keystone, placement, glance, neutron, nova, gunicorns, clouds, servers]:
        part()
