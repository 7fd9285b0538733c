"""Fills a fresh cloud with what tests use: seed.py LAB identity|resources

Users: admin, and ctl, a member of the project ci. Flavors: m1.tiny, m1.small, and m1.huge, which
fits nowhere. Images: tiny, and tiny2, the newer one; both have the tag "worker". For ctl: ci-net
(10.77.0.0/22), the port ci-port on it, the group ci-sg, the key ci-key, and the server group apart
(anti-affinity: on the lab's one host only its first member finds a place).
"""

import os
import sys

import openstack

LAB = sys.argv[1]
RUN = f"{LAB}/run"
os.environ["OS_CLIENT_CONFIG_FILE"] = f"{RUN}/clouds.yaml"

SERVICES = [
    ("placement", "placement", "http://127.0.0.1:28778"),
    ("image", "glance", "http://127.0.0.1:29292"),
    ("network", "neutron", "http://127.0.0.1:29696"),
    ("compute", "nova", "http://127.0.0.1:28774/v2.1"),
]

APPLICATION_CREDENTIAL = """\
  ctl-appcred:
    auth_type: v3applicationcredential
    auth:
      auth_url: http://127.0.0.1:25000/v3
      application_credential_id: {id}
      application_credential_secret: {secret}
    region_name: RegionOne
    identity_api_version: 3
"""


def identity():
    admin = openstack.connect(cloud="admin").identity
    project = admin.create_project(name="service", domain_id="default")
    roles = [admin.find_role("admin"), admin.find_role("service")]
    for kind, name, url in SERVICES:
        user = admin.create_user(
            name=name, password="pw", domain_id="default", default_project_id=project.id
        )
        for role in roles:
            admin.assign_project_role_to_user(project, user, role)
        service = admin.create_service(name=name, type=kind)
        for interface in ["public", "internal", "admin"]:
            admin.create_endpoint(
                service_id=service.id, interface=interface, url=url, region_id="RegionOne"
            )
    ci = admin.create_project(name="ci", domain_id="default")
    ctl = admin.create_user(
        name="ctl", password="ctlpw", domain_id="default", default_project_id=ci.id
    )
    admin.assign_project_role_to_user(ci, ctl, admin.find_role("member"))
    admin.assign_project_role_to_user(ci, admin.find_user("admin"), admin.find_role("admin"))
    own = openstack.connect(cloud="ctl")
    credential = own.identity.create_application_credential(
        user=own.current_user_id, name="ctl-appcred"
    )
    with open(f"{RUN}/clouds.yaml", "a") as clouds:
        clouds.write(APPLICATION_CREDENTIAL.format(id=credential.id, secret=credential.secret))


def resources():
    admin = openstack.connect(cloud="admin")
    admin.create_flavor("m1.tiny", ram=512, vcpus=1, disk=1)
    admin.create_flavor("m1.small", ram=2048, vcpus=1, disk=10)
    admin.create_flavor("m1.huge", ram=4_000_000, vcpus=512, disk=10)
    for name in ["tiny", "tiny2"]:
        image = admin.image.create_image(
            name=name,
            disk_format="raw",
            container_format="bare",
            visibility="public",
            tags=["worker"],
        )
        image.data = os.urandom(1 << 20)
        image.upload(admin.image)
    admin.set_compute_quotas("ci", instances=500, cores=5000, ram=80_000_000)
    admin.set_network_quotas("ci", port=2000)

    own = openstack.connect(cloud="ctl")
    network = own.network.create_network(name="ci-net")
    own.network.create_subnet(
        network_id=network.id,
        name="ci-subnet",
        ip_version=4,
        cidr="10.77.0.0/22",
        gateway_ip="10.77.0.1",
    )
    own.network.create_port(network_id=network.id, name="ci-port")
    own.network.create_security_group(name="ci-sg")
    own.compute.create_keypair(name="ci-key")
    own.compute.create_server_group(name="apart", policy="anti-affinity")


if __name__ == "__main__":
    {"identity": identity, "resources": resources}[sys.argv[2]]()
