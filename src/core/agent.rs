//! What the helper and the agent say to each other: frames.
