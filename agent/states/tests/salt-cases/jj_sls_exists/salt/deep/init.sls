include: [.more]
