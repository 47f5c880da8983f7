#!/bin/sh
# What npm brings for development: what builds the tag, and the official clients that the tests run. Where npm is
# missing that is said, and what needs it is skipped with that reason; nothing fails.
command -v npm >/dev/null && command -v node >/dev/null || {
    echo "!! no node with npm here: the tests that run JavaScript clients will be SKIPPED"
    exit 0
}
echo "installing the JavaScript clients and tools (locked)"
npm ci --ignore-scripts --silent && touch node_modules/.installed
