low:
  user.present: [{uid: 600}]
high:
  user.present: [{uid: 70000}]
usual:
  user.present: [{uid: 3018}]
daemon_high:
  user.present: [{uid: 3017}, {system: true}]
daemon_own:
  user.present: [{uid: 450}, {system: true}]
