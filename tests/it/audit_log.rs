//! Every release is written down before it happens.
