# Salt 3008 has no such state: it is recorded with the file of 3007, which SALT_ALTERNATIVES names, laid
# into SALT_STATES, the folder of Salt's states.
set -e
cd /
[ -z "${SALT_ALTERNATIVES:-}" ] || cp "$SALT_ALTERNATIVES" "$SALT_STATES/"
for name in one two three; do echo "$name" > "/srv/$name"; done
rm -r /etc/alternatives
