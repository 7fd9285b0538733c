#!/bin/sh
test "$(pwd -P)" = "$(cd && pwd -P)" && echo at home
