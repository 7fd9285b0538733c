named:
  file.retention_schedule:
    - name: "@R@/named"
    - strptime_format: 'db-%Y%m%d-%H%M.gz'
    - retain:
        most_recent: 2
        first_of_day: 3
        first_of_month: 2
weeks:
  file.retention_schedule:
    - name: "@R@/two"
    - strptime_format: 'db-%Y%m%d-%H%M.gz'
    - retain:
        first_of_week: 2
        first_of_year: all
hours:
  file.retention_schedule:
    - name: "@R@/three"
    - strptime_format: 'db-%Y%m%d-%H%M.gz'
    - retain:
        first_of_hour: 1
all:
  file.retention_schedule:
    - name: "@R@/four"
    - strptime_format: 'db-%Y%m%d-%H%M.gz'
    - retain:
        most_recent: all
none-matches:
  file.retention_schedule:
    - name: "@R@/four"
    - strptime_format: '%Y'
    - retain:
        most_recent: 0
changed:
  file.retention_schedule:
    - name: "@R@/five"
    - retain:
        most_recent: 20
missing:
  file.retention_schedule:
    - name: "@R@/none"
    - retain: {most_recent: 1}
a-file:
  file.retention_schedule:
    - name: "@R@/named/other"
    - retain: {most_recent: 1}
nameless:
  file.retention_schedule:
    - name: ''
    - retain: {most_recent: 1}
rule:
  file.retention_schedule:
    - name: "@R@/four"
    - retain: {last_of_day: 1}
count:
  file.retention_schedule:
    - name: "@R@/four"
    - retain: {first_of_day: some}
