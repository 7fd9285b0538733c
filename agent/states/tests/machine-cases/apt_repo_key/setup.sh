set -e
. "$(dirname "$0")/../apt.sh"
package mt-a 1.0
publish
printf 'x\n' > /srv/key.gpg
printf -- '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\naGVsbG8=\n=uIK2\n-----END PGP PUBLIC KEY BLOCK-----\n' > /srv/key.asc
