o: [test]
q: {test.nop: [x: {a: 1}], test.succeed_without_changes: []}
