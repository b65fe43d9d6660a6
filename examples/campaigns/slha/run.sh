#!/bin/sh
# Finds the contour of the limit of an external program; writes to the present folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

limen campaign start "$here/space.yaml" -o winos --strategy "${STRATEGY:-level-set}" --seed 1
limen campaign run winos --evaluator "$here/evaluator.yaml" --budget "${BUDGET:-40}" \
  --workers 2
limen campaign status winos --quick
# What a point had: its card, the answer, everything that the program said.
ls winos/points/*-000001
