include: [nothing]
