# People of a real directory: slapd, asked by SSSD, asked by NSS. What they need is installed into
# the copy. The directory has anna, bert, and the groups people and boats.
set -e
. "$(dirname "$0")/../get.sh"
cd /
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
get slapd sssd-ldap libnss-sss

mkdir -p /srv/ldap/data
cat > /srv/ldap/slapd.conf << END
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix dc=lab
directory /srv/ldap/data
END
person() {
    printf 'dn: uid=%s,dc=lab\nobjectClass: account\nobjectClass: posixAccount\nuid: %s\ncn: %s\n' "$1" "$1" "$1"
    printf 'uidNumber: %s\ngidNumber: %s\nhomeDirectory: %s\nloginShell: /bin/sh\ngecos: %s of the lab\n\n' \
        "$2" "$3" "$4" "$1"
}
crew() {
    printf 'dn: cn=%s,dc=lab\nobjectClass: posixGroup\ncn: %s\ngidNumber: %s\nmemberUid: %s\n\n' "$1" "$1" "$2" "$3"
}
{
    printf 'dn: dc=lab\nobjectClass: dcObject\nobjectClass: organization\ndc: lab\no: lab\n\n'
    person anna 70001 70010 /srv/anna
    person bert 70002 70010 /srv/bert
    crew people 70010 carl
    crew boats 70011 bert
} | slapadd -f /srv/ldap/slapd.conf
port=$(python3 -c 'import socket; one = socket.socket(); one.bind(("127.0.0.1", 0)); print(one.getsockname()[1])')
slapd -f /srv/ldap/slapd.conf -h "ldap://127.0.0.1:$port"

cat > /etc/sssd/sssd.conf << END
[sssd]
services = nss
domains = lab
[domain/lab]
id_provider = ldap
ldap_uri = ldap://127.0.0.1:$port
ldap_search_base = dc=lab
END
chmod 600 /etc/sssd/sssd.conf
sed -i 's/^\(passwd\|group\):.*/\1: files sss/' /etc/nsswitch.conf
sssd -D --logger=files
tries=100
until getent passwd anna > /dev/null; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { cat /var/log/sssd/*.log >&2; exit 1; }
    sleep 0.1
done
useradd --create-home carl
mkdir -p /srv/anna /srv/bert
chown anna:people /srv/anna
chown bert:people /srv/bert
