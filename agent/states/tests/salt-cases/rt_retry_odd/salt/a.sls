a: {test.succeed_without_changes: [{retry: true}]}
b: {test.succeed_without_changes: [{retry: 7}]}
c: {test.succeed_without_changes: [{retry: {attempts: "4", interval: 0.5, splay: 3}}]}
d: {test.fail_without_changes: [{retry: false}]}
e: {test.succeed_with_changes: [{retry: {attempts: 0, interval: 0}}]}
f: {test.fail_without_changes: [{retry: {attempts: 3, interval: 0}}, {parallel: false}]}
g: {test.succeed_without_changes: [{retry: {attempts: 3, interval: 0, until: "yes"}}]}
