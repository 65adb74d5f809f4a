//! What cannot be written down is not released, where that is required.
