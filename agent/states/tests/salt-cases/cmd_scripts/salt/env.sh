#!/bin/sh
echo "$A $B $(pwd)"
