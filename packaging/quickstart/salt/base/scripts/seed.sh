#!/bin/sh
# Makes what a service needs once, before its first start.
umask 077
echo "made once" > seed
