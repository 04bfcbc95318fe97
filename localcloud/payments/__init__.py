"""A payment provider that moves no money: it keeps its books as a real one does, and fails when it is told to."""
