//! Whom the agent answers, and whom it does not.
