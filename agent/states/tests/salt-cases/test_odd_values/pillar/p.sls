empty: ~
