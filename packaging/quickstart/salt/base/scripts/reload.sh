#!/bin/sh
# Stands for a daemon that rereads its configuration: notes that it did.
echo reloaded >> reloads.log
