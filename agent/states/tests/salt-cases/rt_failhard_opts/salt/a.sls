one: {test.fail_without_changes: [{failhard: false}]}
two: {test.succeed_with_changes: []}
three: {test.fail_without_changes: []}
four: {test.succeed_with_changes: []}
