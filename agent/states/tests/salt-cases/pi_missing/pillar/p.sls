s: p
include: [gone]
