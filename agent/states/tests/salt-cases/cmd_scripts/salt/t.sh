#!/bin/sh
echo {{ v }} {{ w }}
