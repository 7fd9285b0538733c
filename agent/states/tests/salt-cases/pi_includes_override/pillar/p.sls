include: [q]
v: p
