. "$(dirname "$0")/../kmod.sh"
mkdir -p /etc/modules-load.d
printf '# ours\n#  loop  \n#zram extra\nlisted\n  stuck\n' > /etc/modules-load.d/salt_managed.conf
echo stuck >> /srv/loaded
