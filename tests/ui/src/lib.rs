//! What the macros say about mistakes is in `tests/ui`, one mistake a file.
