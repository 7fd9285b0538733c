set:
  user.present:
    - name: ann
    - password: $6$abc$notarealhash
kept:
  user.present:
    - name: ann
    - password: $6$abc$another
    - enforce_password: False
changed:
  user.present:
    - name: ann
    - password: $6$abc$another
lock:
  user.present:
    - name: ann
    - password_lock: True
unlock:
  user.present:
    - name: ann
    - password_lock: False
ages:
  user.present:
    - name: games
    - mindays: 2
    - maxdays: 60
    - inactdays: 7
    - warndays: 14
    - expire: 21000
    - date: 19500
emptied:
  user.present:
    - name: daemon
    - empty_password: True
    - createhome: False
not_numbers:
  user.present:
    - name: nobody
    - maxdays: 10
    - createhome: False
