#!/bin/sh
echo script woken
