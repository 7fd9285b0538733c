#!/bin/sh
echo
echo "changed=yes comment='by script'"
