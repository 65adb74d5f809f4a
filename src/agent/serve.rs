//! One connection: a question, and its answer.
