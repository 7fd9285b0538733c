set:
  user.present:
    - name: ann
    - createhome: False
    - password: $6$saltsalt$notarealhash
hashed:
  user.present:
    - name: ann
    - createhome: False
    - password: geheim
    - hash_password: True
again:
  user.present:
    - name: ann
    - createhome: False
    - password: geheim
    - hash_password: True
other:
  user.present:
    - name: ann
    - createhome: False
    - password: other
    - hash_password: True
    - enforce_password: False
sha256:
  user.present:
    - name: games
    - createhome: False
    - password: $5$abc$notarealhash
sha256_hashed:
  user.present:
    - name: games
    - createhome: False
    - password: geheim
    - hash_password: True
none:
  user.present:
    - name: nobody
    - createhome: False
    - hash_password: True
"off":
  user.present:
    - name: daemon
    - createhome: False
    - password: $6$a$b
    - hash_password: False
