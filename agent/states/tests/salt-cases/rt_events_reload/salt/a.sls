told: {test.succeed_with_changes: [{fire_event: true}]}
named: {test.succeed_without_changes: [{fire_event: my/tag}]}
grains: {test.succeed_with_changes: [{reload_grains: true}]}
pillar: {test.succeed_with_changes: [{reload_pillar: true}]}
modules: {test.succeed_with_changes: [{reload_modules: true}]}
