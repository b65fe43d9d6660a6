#!/bin/sh
# Two rounds through files, as with a production system; writes to the present folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

limen campaign start "$here/space.yaml" -o gluinos --strategy "${STRATEGY:-level-set}" --seed 1

limen campaign ask gluinos -n 16 -o batch1.csv
limen campaign submitted gluinos batch1.csv --task 4711
# Days later: nearly all results, and some more days later the last one.
python "$here/produce.py" batch1.csv results1.csv late1.csv
limen campaign tell gluinos results1.csv
limen campaign tell gluinos late1.csv
# Told twice by mistake: nothing changes.
limen campaign tell gluinos results1.csv

limen campaign ask gluinos -n 8 -o batch2.csv
limen campaign submitted gluinos batch2.csv --task 4712
python "$here/produce.py" batch2.csv results2.csv
limen campaign tell gluinos results2.csv
limen campaign status gluinos --quick
