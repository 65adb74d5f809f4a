//! What is known of the forges.
