"""What an operator does about dead letters: look at them, and send them again to whom they were for.

`python -m deploy.dead_letters`; on a laptop `make dead-letters`. docs/dead-letters.md
"""
