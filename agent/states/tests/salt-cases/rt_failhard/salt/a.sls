one: {test.succeed_with_changes: []}
two: {test.fail_with_changes: [{failhard: true}]}
three: {test.succeed_with_changes: []}
listener: {test.succeed_with_changes: [{listen: [{test: one}]}]}
